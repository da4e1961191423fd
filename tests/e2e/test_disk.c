/* A disk that fails while a run goes on: training goes on, one warning, all is saved as soon as it can be, and the last
 * weights are never lost. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e.h"

/* Ends at a signal only, and says little. */
static void write_endless(void) {
    char text[4096];
    e2e_home();
    e2e_write_experiment("endless.yaml", "epochs: 3", "epochs: 100000000");
    e2e_read(e2e_path("endless.yaml"), text, sizeof text);
    char *end = strstr(text, "checkpoint:"), *test = strstr(text, "  test: test.h5\n");
    CU_ASSERT_FATAL(end && test && test < end);
    strcpy(end, "checkpoint: {every: 2000 steps, keep: 3}\nlog: {every: 200 steps}\n");
    memmove(test, test + 16, strlen(test + 16) + 1);
    e2e_write("endless.yaml", text, strlen(text));
}

/* The shell's way, in home. */
static void shell(const char *command) {
    char output[1024];
    test_shell(output, sizeof output, "cd '%s' && { %s\n}", e2e_home(), command);
}

static void stop_and_check(struct e2e_job job, int code, int most_warnings) {
    e2e_signal_rank(job, SIGTERM);
    e2e_expect_exit(code, e2e_wait(job), __FILE__, __LINE__);
    CU_ASSERT(e2e_count("warning: ") >= 1 && e2e_count("warning: ") <= most_warnings);
    E2E_SAID("training goes on, and what is missing is written as soon as it can be");
}

/* The run goes on to the bits of one that nobody touched. */
static void compare_with_untouched(const char *run) {
    static int runs;
    int step = e2e_newest_step(run);
    CU_ASSERT_FATAL(step > 0);
    E2E_EXIT(0, 0, "train endless.yaml --run smooth%d --steps %d --log-level error", ++runs, step);
    E2E_EXIT(0, 0, "ckpt diff smooth%d '%s'", runs, run);
}

/* ---- Deleted ---- */

static const char *const deleted[] = {"", "/checkpoints"};

static void deleted_folders_are_made_again(void) {
    for (size_t i = 0; i < COUNT(deleted); i++) {
        char run[32], command[128];
        write_endless();
        snprintf(run, sizeof run, "deleted%zu", i);
        struct e2e_job job = e2e_start(i ? 0 : 2, "train endless.yaml --run %s --threads 1", run);
        CU_ASSERT(e2e_wait_for_step(run, 2000));
        /* Files come into a folder that rm has just emptied: it is deleted until it is gone. */
        snprintf(command, sizeof command, "while [ -e %s%s ]; do rm -rf %s%s; done 2>/dev/null", run, deleted[i], run,
                 deleted[i]);
        shell(command);
        usleep(2500 * 1000);
        stop_and_check(job, 75, 3);
        E2E_SAID(" can be written again: all is saved up to step ");
        compare_with_untouched(run);
        CU_ASSERT_EQUAL(access(e2e_path("%s/experiment.yaml", run), R_OK), 0);
        CU_ASSERT_EQUAL(access(e2e_path("%s/log.txt", run), R_OK), 0);
        CU_ASSERT_EQUAL(access(e2e_path("%s/metrics.jsonl", run), R_OK), 0);
    }
}

/* The run goes on under its name, whole and locked; nothing more is written to what was moved. */
static void moved_folder_is_made_again(void) {
    char before[64], after[64];
    static const char lines[] = "wc -l <'%s'";
    write_endless();
    struct e2e_job job = e2e_start(0, "train endless.yaml --run moved --threads 1");
    CU_ASSERT(e2e_wait_for_step("moved", 2000));
    shell("mv moved elsewhere");
    usleep(2500 * 1000);
    test_shell(before, sizeof before, lines, e2e_path("elsewhere/metrics.jsonl"));
    E2E_EXIT(2, 0, "train endless.yaml --run moved --resume");
    E2E_SAID("another job is writing to this run");
    e2e_signal(job, SIGTERM);
    e2e_expect_exit(75, e2e_wait(job), __FILE__, __LINE__);
    E2E_SAID("was deleted or moved away");
    test_shell(after, sizeof after, lines, e2e_path("elsewhere/metrics.jsonl"));
    CU_ASSERT_STRING_EQUAL(before, after);
    CU_ASSERT_EQUAL(access(e2e_path("moved/metrics.jsonl"), R_OK), 0);
    compare_with_untouched("moved");
}

/* No trouble: it is made again, with the last lines. */
static void deleted_metrics_are_made_again(void) {
    char text[256];
    write_endless();
    struct e2e_job job = e2e_start(0, "train endless.yaml --run deleted-metrics");
    CU_ASSERT(e2e_wait_for_step("deleted-metrics", 2000));
    shell("rm deleted-metrics/metrics.jsonl");
    usleep(500 * 1000);
    e2e_signal(job, SIGTERM);
    e2e_expect_exit(75, e2e_wait(job), __FILE__, __LINE__);
    e2e_read(e2e_path("deleted-metrics/metrics.jsonl"), text, sizeof text);
    CU_ASSERT_EQUAL(strncmp(text, "{\"kind\":", 8), 0);
}

/* Deleted, and begun anew by another job: that one is left alone, and the weights go elsewhere. */
static void another_job_is_there(void) {
    char output[1024];
    write_endless();
    struct e2e_job job = e2e_start(0, "train endless.yaml --run taken-over");
    CU_ASSERT(e2e_wait_for_step("taken-over", 2000));
    /* However fast the run makes its folder again: the name is taken from it until the move finds it free. */
    shell("mkdir other; flock -F other/.lock sleep 300 >/dev/null 2>&1 & echo $! >holder\n"
          "while ! [ -e other/.lock ] || flock -n other/.lock true; do sleep 0.1; done\n"
          "until mv -T other taken-over 2>/dev/null; do rm -rf taken-over; done");
    usleep(2500 * 1000);
    e2e_signal(job, SIGTERM);
    usleep(500 * 1000);
    e2e_signal(job, SIGTERM); /* ends the patience */
    e2e_expect_exit(2, e2e_wait(job), __FILE__, __LINE__);
    E2E_SAID("another job is writing to this run");
    E2E_SAID("is saved in ");
    test_shell(output, sizeof output, "ls '%s'/checkpoints '%s'/metrics.jsonl", e2e_path("taken-over"),
               e2e_path("taken-over"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "No such file"));
    shell("kill $(cat holder)");
}

/* ---- No place at the end ---- */

/* However fast the run makes its folder again. */
static void put_file_in_place_of(const char *run) {
    char command[256];
    snprintf(command, sizeof command, "while ! [ -f %s ]; do rm -rf %s; echo words > %s; done 2>/dev/null", run, run,
             run);
    shell(command);
}

/* Told to stop while a file stands where the run's folder was; `quoted`: that for a shell. */
static void hinder(struct e2e_job job, const char *run, const char *quoted) {
    CU_ASSERT(e2e_wait_for_step(run, 2000));
    put_file_in_place_of(quoted);
    usleep(1500 * 1000);
    e2e_signal(job, SIGTERM);
    usleep(1000 * 1000);
}

/* The run's folder has become a file. The command of the message brings the weights back. */
static void saved_elsewhere(void) {
    char command[4096];
    write_endless();
    struct e2e_job job = e2e_start(0, "train endless.yaml --run 'gone $(x)'");
    hinder(job, "gone $(x)", "'gone $(x)'");
    e2e_signal(job, SIGTERM);
    e2e_expect_exit(2, e2e_wait(job), __FILE__, __LINE__);
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    CU_ASSERT_EQUAL(e2e_count("it is tried again for 60 s"), 1);
    CU_ASSERT(e2e_count("warning: ") <= 3); /* that, when it began, and once more if it was well for a moment */
    const char *mkdir_mv = strstr(e2e_output, "mkdir -p "), *end = strstr(e2e_output, " and start again with --resume");
    CU_ASSERT_FATAL(mkdir_mv && end && mkdir_mv < end);
    snprintf(command, sizeof command, "rm 'gone $(x)'; %.*s", (int)(end - mkdir_mv), mkdir_mv);
    shell(command);
    E2E_EXIT(0, 0, "ckpt verify 'gone $(x)'");
    compare_with_untouched("gone $(x)");
    int step = e2e_newest_step("gone $(x)");
    E2E_EXIT(0, 0, "train endless.yaml --run 'gone $(x)' --resume --steps %d", step + 3);
    CU_ASSERT_EQUAL(e2e_newest_step("gone $(x)"), step + 3);
}

/* What hinders goes away while the end waits: then all is in its place, and no copy is left. */
static void patience_is_rewarded(void) {
    char output[256];
    write_endless();
    struct e2e_job job = e2e_start(0, "train endless.yaml --run patient --set name=patient");
    hinder(job, "patient", "patient");
    shell("rm patient");
    e2e_expect_exit(75, e2e_wait(job), __FILE__, __LINE__);
    CU_ASSERT_EQUAL(e2e_error_lines(), 0);
    compare_with_untouched("patient");
    test_shell(output, sizeof output, "ls '%s'/convoy-patient-*", e2e_home());
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "No such file"));
}

/* ---- No file handles ---- */

static void no_handles(void) {
    write_endless();
    struct e2e_job job = e2e_start(0, "train endless.yaml --run handles");
    CU_ASSERT(e2e_wait_for_step("handles", 2000));
    const struct rlimit none = {5, 5}; /* 0 to 2, job.txt, the data */
    CU_ASSERT_EQUAL(prlimit(job.pid, RLIMIT_NOFILE, &none, NULL), 0);
    usleep(1500 * 1000);
    stop_and_check(job, 75, 1);
    E2E_SAID("Too many open files");
    compare_with_untouched("handles");
}

/* ---- A full disk ---- */

static char small[1100];

/* A file system of its own in home/small. */
static bool mount_small(const char *size) {
    char how[64];
    e2e_home();
    snprintf(small, sizeof small, "%s", e2e_path("small"));
    snprintf(how, sizeof how, "size=%s", size);
    mkdir(small, 0777);
    if (mount("tmpfs", small, "tmpfs", 0, how) == 0) return true;
    fprintf(stderr, "(left out: no tmpfs can be mounted here) ");
    return false;
}

static void unmount_small(void) {
    CU_ASSERT_EQUAL(umount(small), 0);
}

/* Full by what others wrote, then not any more: every line of the metrics is there. */
static void full_disk_for_a_while(void) {
    static char metrics[1 << 22];
    if (!mount_small("4m")) return;
    write_endless();
    struct e2e_job job = e2e_start(0, "train endless.yaml --run small/full");
    CU_ASSERT(e2e_wait_for_step("small/full", 2000));
    shell("dd if=/dev/zero of=small/fill bs=1k count=9999 2>/dev/null");
    usleep(1500 * 1000);
    shell("rm small/fill");
    usleep(2000 * 1000);
    e2e_signal(job, SIGTERM);
    e2e_expect_exit(75, e2e_wait(job), __FILE__, __LINE__);
    CU_ASSERT_EQUAL(e2e_count("written as soon as it can be"), 1);
    CU_ASSERT(e2e_count("warning: ") <= 2); /* and that old checkpoints made room */
    E2E_SAID(" can be written again: all is saved up to step ");
    e2e_read(e2e_path("small/full/metrics.jsonl"), metrics, sizeof metrics);
    int expected = 200, step, wrong = 0;
    for (const char *p = metrics; (p = strstr(p, "{\"kind\":\"step\",\"step\":")); p++, expected += 200)
        wrong += sscanf(p, "{\"kind\":\"step\",\"step\":%d", &step) != 1 || step != expected;
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(expected > 2000);
    compare_with_untouched("small/full");
    unmount_small();
}

/* Old checkpoints hold the room that new ones need. */
static void old_ones_make_room(void) {
    if (!mount_small("400k")) return;
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 2,
             "train tiny.yaml --run small/room --threads 1 --set checkpoint.every='1 step' --set checkpoint.keep=50");
    CU_ASSERT_EQUAL(e2e_newest_step("small/room"), 18);
    CU_ASSERT_EQUAL(e2e_count("warning: "), 1);
    E2E_SAID("the disk is full: old checkpoints make room for new ones");
    E2E_EXIT(0, 0, "ckpt verify small/room");
    shell("dd if=/dev/zero of=small/fill bs=1k count=9999 2>/dev/null"); /* to the last byte */
    E2E_EXIT(0, 0, "train tiny.yaml --run small/room --resume --set checkpoint.keep=1 --set train.epochs=4");
    CU_ASSERT_EQUAL(e2e_newest_step("small/room"), 24);
    E2E_EXIT(0, 0, "train tiny.yaml --run room --set train.epochs=4");
    E2E_EXIT(0, 0, "ckpt diff small/room room");
    unmount_small();
}

/* Not even one would fit: said before the first step, and nothing is left behind that looks like a run. */
static void no_room_at_the_start(void) {
    const char *wide = "--set 'model={input: [12, 12, 1], layers: [flatten, dense: 600, {dense: 4}]}'";
    if (!mount_small("400k")) return;
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(2, 2, "train tiny.yaml --run small/room %s --threads 1", wide);
    E2E_SAID("small/room/checkpoints: a checkpoint of this network takes up to ");
    E2E_SAID("MiB are free there; free some space");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    E2E_EXIT(0, 2, "train tiny.yaml --run small/room --threads 1"); /* a smaller one */
    unmount_small();
}

static const struct test_case cases[] = {
    {"no room at the start", no_room_at_the_start},
    {"deleted folders are made again", deleted_folders_are_made_again},
    {"a folder that is moved away is made again", moved_folder_is_made_again},
    {"a deleted metrics.jsonl is made again", deleted_metrics_are_made_again},
    {"a folder that another job has taken over is left alone", another_job_is_there},
    {"no place at the end: saved elsewhere, and brought back", saved_elsewhere},
    {"no place at the end, for a while", patience_is_rewarded},
    {"no file handles", no_handles},
    {"a full disk, for a while", full_disk_for_a_while},
    {"old checkpoints make room for new ones", old_ones_make_room},
    {0},
};
const struct test_suite suite_e2e_disk = {"e2e_disk", cases, NULL};
