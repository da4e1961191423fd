/* Laws 1 and 2 under violence: killed at any moment, asked to stop, its newest checkpoint damaged, a run goes on and
 * ends with the bits of the run that nobody touched. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "e2e.h"
#include "hdf5_help.h"

/* Long enough that a signal always finds it at work: it never ends by itself. */
static void write_endless(void) {
    e2e_home();
    e2e_write_experiment("endless.yaml", "epochs: 3", "epochs: 100000");
}

/* A run of one process that nobody touches, up to the same step. */
static void compare_with_untouched(const char *run, int step) {
    static int runs;
    E2E_EXIT(0, 0, "train endless.yaml --run untouched%d --steps %d --threads 1 --log-level error", ++runs, step);
    E2E_EXIT(0, 0, "ckpt diff untouched%d/checkpoints/step-%08d.h5 %s", runs, step, run);
    E2E_SAID("bit-identical");
}

/* ---- Killed ---- */

static const struct {
    int ranks, kill_after; /* a checkpoint of this step, at least */
    int delay_ms;          /* and this long after it */
    int resume_ranks;
} kills[] = {{0, 0, 0, 2}, {2, 10, 0, 0}, {2, 30, 3, 3}, {3, 21, 7, 1}};

static void kill_and_resume(const char *run, size_t i) {
    struct e2e_job job = e2e_start(kills[i].ranks, "train endless.yaml --run %s --threads 1", run);
    CU_ASSERT(e2e_wait_for_step(run, kills[i].kill_after));
    usleep((useconds_t)kills[i].delay_ms * 1000);
    e2e_signal_rank(job, SIGKILL);
    e2e_expect_exit(137, e2e_wait(job), __FILE__, __LINE__);
    int last = e2e_newest_step(run) + 9; /* over the next checkpoint and an epoch's end */
    E2E_EXIT(0, kills[i].resume_ranks, "train endless.yaml --run %s --resume --steps %d --threads 1", run, last);
    CU_ASSERT_EQUAL(e2e_newest_step(run), last);
    compare_with_untouched(run, last);
    e2e_expect_one_run(run, last);
}

static void killed_and_resumed(void) {
    write_endless();
    for (size_t i = 0; i < COUNT(kills); i++) {
        char run[32];
        snprintf(run, sizeof run, "killed%zu", i);
        kill_and_resume(run, i);
    }
}

static void killed_and_resumed_in_bf16(void) {
    e2e_home();
    e2e_write_experiment("endless.yaml", "epochs: 3", "epochs: 100000\n  precision: bf16");
    kill_and_resume("killed-bf16", 2);
}

/* A rank that is stopped and never goes on: one message, from a rank that noticed, and no hang. */
static void stopped_rank_ends_the_job(void) {
    write_endless();
    struct e2e_job job = e2e_start(3, "train endless.yaml --run frozen --threads 1 --silence 1s");
    CU_ASSERT(e2e_wait_for_step("frozen", 6));
    e2e_signal_rank(job, SIGSTOP);
    e2e_expect_exit(6, e2e_wait(job), __FILE__, __LINE__);
    E2E_SAID("has been silent for 1 s");
    E2E_SAID("--resume");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    int last = e2e_newest_step("frozen") + 3;
    E2E_EXIT(0, 2, "train endless.yaml --run frozen --resume --steps %d --threads 1", last);
    compare_with_untouched("frozen", last);
}

/* Killed before the first checkpoint: --resume starts afresh. */
static void resume_of_nothing(void) {
    write_endless();
    E2E_EXIT(0, 2, "train endless.yaml --run fresh --resume --steps 3 --threads 1");
    compare_with_untouched("fresh", 3);
    test_shell(e2e_output, sizeof e2e_output, "rm '%s'/*", e2e_path("fresh/checkpoints"));
    E2E_EXIT(0, 0, "train endless.yaml --run fresh --resume --steps 7");
    compare_with_untouched("fresh", 7);
    e2e_expect_one_run("fresh", 7);
}

/* A start that is killed in the middle of a file leaves it under a name of its own; a living process's stays. */
static void temporaries_of_killed_starts(void) {
    static const char *const names[] = {"experiment.yaml", "metrics.jsonl", "checkpoints/step-00000003.h5"};
    write_endless();
    E2E_EXIT(0, 0, "train endless.yaml --run littered --steps 1 --threads 1");
    for (size_t i = 0; i < COUNT(names); i++)
        test_shell(e2e_output, sizeof e2e_output,
                   "cd '%s/littered'; touch %s.$(hostname).4194999.tmp %s.$(hostname).1.tmp", e2e_home(), names[i],
                   names[i]);
    E2E_EXIT(0, 0, "train endless.yaml --run littered --resume --steps 2 --threads 1");
    test_shell(e2e_output, sizeof e2e_output, "find '%s' -name '*.tmp'", e2e_path("littered"));
    CU_ASSERT_EQUAL(e2e_count(".4194999.tmp"), 0);
    CU_ASSERT_EQUAL(e2e_count(".1.tmp"), 3);
}

/* ---- Asked to stop ---- */

static const struct {
    int ranks, number;
    bool one_rank; /* else the launcher, which passes it on */
} stops[] = {{0, SIGTERM, true}, {0, SIGINT, true}, {0, SIGUSR1, true}, {2, SIGUSR1, false}, {2, SIGTERM, true},
             {0, SIGHUP, true},  {2, SIGHUP, true}, {0, SIGUSR2, true}, {0, SIGXCPU, true}};

static void stopped_and_resumed(void) {
    write_endless();
    signal(SIGHUP, SIG_DFL); /* these tests may run under nohup */
    for (size_t i = 0; i < COUNT(stops); i++) {
        char run[32];
        snprintf(run, sizeof run, "stopped%zu", i);
        struct e2e_job job = e2e_start(stops[i].ranks, "train endless.yaml --run %s --threads 1", run);
        CU_ASSERT(e2e_wait_for_step(run, 6));
        if (stops[i].one_rank)
            e2e_signal_rank(job, stops[i].number);
        else
            e2e_signal(job, stops[i].number);
        e2e_expect_exit(75, e2e_wait(job), __FILE__, __LINE__);
        CU_ASSERT_EQUAL(e2e_error_lines(), 0);
        E2E_SAID("stopped after step ");
        E2E_SAID("--resume");
        int last = e2e_newest_step(run) + 2;
        E2E_EXIT(0, (int)i % 3, "train endless.yaml --run %s --resume --steps %d --threads 1", run, last);
        compare_with_untouched(run, last);
        e2e_expect_one_run(run, last);
    }
}

/* Samples in chunks of 32 MiB, of which there are more than memory: a batch of 4096 takes a minute. */
static void write_slow(void) {
    const hsize_t many = 4 << 20;
    hid_t file = H5Fcreate(e2e_path("slow.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put_as(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 3, (hsize_t[]){many, 64, 64},
                hdf5_chunks(3, (hsize_t[]){2048, 64, 64}, 1), NULL);
    hdf5_put_as(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, (hsize_t[]){many}, hdf5_chunks(1, (hsize_t[]){65536}, 1),
                NULL);
    H5Fclose(file);
    static const char text[] = "model: {input: [64, 64, 1], layers: [{maxpool: 16}, {dense: 4}]}\n"
                               "data: {train: slow.h5}\n"
                               "train: {epochs: 1, batch: 4096, leaf: 64, optimizer: adam, learning_rate: 0.01}\n";
    e2e_write("slow.yaml", text, strlen(text));
}

static bool wait_for(const char *path) {
    for (int i = 0; i < 4000 && access(path, F_OK) != 0; i++) usleep(5000);
    return access(path, F_OK) == 0;
}

/* In the statistics that come first, where there is nothing to save, and while the first batch is read: long before
 * either ends. */
static void long_reads_stop(void) {
    write_slow();
    for (int ranks = 0; ranks <= 2; ranks += 2)
        for (int batch = 0; batch < 2; batch++) {
            const char *run = e2e_path("slow%d%d", ranks, batch), *name = strrchr(run, '/') + 1;
            struct e2e_job job = e2e_start(ranks, "train slow.yaml --run %s --threads 1", name);
            CU_ASSERT(wait_for(batch ? e2e_path("%s/log.txt", name) : run));
            usleep(batch ? 500000 : 50000);
            const double asked = cvy_clock();
            e2e_signal(job, SIGUSR1);
            e2e_expect_exit(75, e2e_wait(job), __FILE__, __LINE__);
            CU_ASSERT(cvy_clock() - asked < 10);
            CU_ASSERT_EQUAL(e2e_error_lines(), 0);
            E2E_SAID("stopped before a step was done; go on with --resume");
            CU_ASSERT_EQUAL(e2e_newest_step(name), batch ? 0 : -1);
            E2E_EXIT(0, 0, "train slow.yaml --run %s --resume --steps 0 --threads 1", name);
        }
}

/* As under nohup: ignored from the start, it does nothing. */
static void ignored_hangup(void) {
    write_endless();
    signal(SIGHUP, SIG_IGN);
    struct e2e_job job = e2e_start(0, "train endless.yaml --run hung-up --threads 1 --log-level error");
    signal(SIGHUP, SIG_DFL);
    CU_ASSERT(e2e_wait_for_step("hung-up", 4));
    e2e_signal(job, SIGHUP);
    CU_ASSERT(e2e_wait_for_step("hung-up", e2e_newest_step("hung-up") + 20));
    e2e_signal(job, SIGTERM);
    e2e_expect_exit(75, e2e_wait(job), __FILE__, __LINE__);
}

/* Who reads the output has gone: training goes on to its end. */
static void closed_pipe(void) {
    static const char *const outputs[] = {"2>/dev/null", "2>&1", "2>&1 >/dev/null"};
    char code[16];
    write_endless();
    signal(SIGPIPE, SIG_DFL);
    for (size_t i = 0; i < COUNT(outputs); i++) {
        char run[32];
        snprintf(run, sizeof run, "piped%zu", i);
        test_shell(e2e_output, sizeof e2e_output,
                   "cd '%s' && { '%s' train endless.yaml --run %s --steps 9 --threads 1; echo $? >%s.code; } %s | :",
                   e2e_home(), test_program(), run, run, outputs[i]);
        e2e_read(e2e_path("%s.code", run), code, sizeof code);
        CU_ASSERT_STRING_EQUAL(code, "0\n");
        CU_ASSERT_EQUAL(e2e_newest_step(run), 9);
    }
}

static void time_limit(void) {
    write_endless();
    E2E_EXIT(75, 2,
             "train endless.yaml --run limited --time-limit 1s --threads 1 --set data.test= "
             "--set 'log.every=1000000 steps' --set 'checkpoint.every=1000000 steps'");
    E2E_SAID("stopped by the time limit of 0:00:01 at step ");
    E2E_SAID("; the same command with --resume goes on");
    int step = e2e_newest_step("limited");
    CU_ASSERT(step > 0);
    E2E_EXIT(0, 0, "ckpt verify limited/checkpoints/step-%08d.h5", step);
    E2E_EXIT(75, 0,
             "train endless.yaml --run limited --time-limit 0:00:01 --resume --json --log-level error "
             "--set data.test= --set 'log.every=1000000 steps' --set 'checkpoint.every=1000000 steps'");
    E2E_SAID("\"stopped\":true}");
    CU_ASSERT(e2e_newest_step("limited") > step);
}

/* ---- Damaged ---- */

/* How a file may be damaged: cut short, emptied, or one bit flipped, at the head or deep inside. */
static const struct {
    const char *name, *command;
} damages[] = {
    {"cut", "head -c 4000 '%s' > t && mv t '%s'"},
    {"emptied", ": > '%s' # '%s'"},
    {"head", "printf X | dd of='%s' bs=1 seek=20 conv=notrunc 2>/dev/null # '%s'"},
    {"inside", "printf '\\377\\376' | dd of='%s' bs=1 seek=9000 conv=notrunc 2>/dev/null # '%s'"},
};

static void damage(const char *file, const char *command) {
    char text[1024];
    const char *path = e2e_path("%s", file);
    snprintf(text, sizeof text, command, path, path);
    CU_ASSERT_EQUAL(test_shell(e2e_output, sizeof e2e_output, "cd '%s' && { %s\n}", e2e_home(), text), 0);
}

static void damaged_checkpoint_is_passed_over(void) {
    write_endless();
    for (size_t i = 0; i < COUNT(damages); i++) {
        char run[32], newest[64];
        snprintf(run, sizeof run, "damaged-%s", damages[i].name);
        snprintf(newest, sizeof newest, "%s/checkpoints/step-00000010.h5", run);
        E2E_EXIT(0, 0, "train endless.yaml --run %s --steps 10", run);
        damage(newest, damages[i].command);
        E2E_EXIT(4, 0, "ckpt verify %s", newest);
        E2E_SAID("step-00000010.h5");
        CU_ASSERT_EQUAL(e2e_error_lines(), 1);
        E2E_EXIT(4, 0, "ckpt verify %s", run);
        E2E_SAID("step-00000010.h5: ");
        E2E_SAID("it is passed over for the newest good one, ");
        E2E_SAID("step-00000008.h5");
        E2E_EXIT(0, 0, "ckpt verify %s/checkpoints/step-00000008.h5", run);
        E2E_EXIT(0, 0, "ckpt list %s --json", run);
        E2E_SAID("step-00000010.h5\",\"step\":10,");
        E2E_SAID("\"good\":false");
        E2E_EXIT(4, 0, "eval %s", newest);
        E2E_EXIT(0, 0, "eval %s --json", run);
        E2E_SAID("step-00000008.h5");
        E2E_EXIT(0, 2, "train endless.yaml --run %s --resume --steps 13 --threads 1", run);
        E2E_SAID("step-00000010.h5"); /* skipped by name */
        compare_with_untouched(run, 13);
        e2e_expect_one_run(run, 13);
    }
}

/* Every checkpoint is damaged: the run is not thrown away by starting afresh in silence. */
static void all_damaged(void) {
    write_endless();
    E2E_EXIT(0, 0, "train endless.yaml --run ruined --steps 3");
    damage("ruined/checkpoints/step-00000003.h5", damages[3].command);
    E2E_EXIT(4, 0, "ckpt info ruined");
    E2E_SAID("ruined");
    E2E_EXIT(4, 0, "eval ruined");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    E2E_EXIT(4, 0, "train endless.yaml --run ruined --resume --steps 4");
    E2E_SAID("its one checkpoint is not whole");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
}

static const struct test_case cases[] = {
    {"killed in mid-epoch, resumed on other ranks: the same bits", killed_and_resumed},
    {"the same in bf16", killed_and_resumed_in_bf16},
    {"a rank that is stopped ends the job", stopped_rank_ends_the_job},
    {"--resume where there is nothing starts afresh", resume_of_nothing},
    {"temporary files of starts that were killed are removed", temporaries_of_killed_starts},
    {"asked to stop: a checkpoint, exit 75, the same bits", stopped_and_resumed},
    {"asked to stop while it reads", long_reads_stop},
    {"a hangup that is ignored does nothing", ignored_hangup},
    {"a closed pipe does not end training", closed_pipe},
    {"a time limit", time_limit},
    {"a damaged newest checkpoint is passed over by name", damaged_checkpoint_is_passed_over},
    {"no good checkpoint is left", all_damaged},
    {0},
};
const struct test_suite suite_e2e_resume = {"e2e_resume", cases, NULL};
