/* Requests to stop in phases that are short elsewhere: while a run evaluates, and while it saves. (While it starts:
 * test_launched.c; in a step, and while it reads: test_resume.c.) */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "e2e.h"
#include "hdf5_help.h"

/* Zeros that take no room: their chunks were never written. */
static void write_zeros(const char *name, hsize_t count, hsize_t chunk) {
    hid_t file = H5Fcreate(e2e_path("%s", name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put_as(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 3, (hsize_t[]){count, 64, 64},
                hdf5_chunks(3, (hsize_t[]){chunk, 64, 64}, 1), NULL);
    hdf5_put_as(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, (hsize_t[]){count},
                hdf5_chunks(1, (hsize_t[]){chunk}, 1), NULL);
    H5Fclose(file);
}

/* Few samples to train on, and minutes of them to evaluate on; weights of 35 MB, saved after each step. */
static void write_phases(void) {
    e2e_home();
    write_zeros("few.h5", 64, 64);
    write_zeros("many.h5", 4 << 20, 2048);
    static const char text[] =
        "model: {input: [64, 64, 1], layers: [{maxpool: 2}, {dense: 4096}, {dense: 4}]}\n"
        "data: {train: few.h5, test: many.h5}\n"
        "train: {epochs: 100000, batch: 64, leaf: 32, optimizer: {sgd: {momentum: 0.9}}, learning_rate: 0.01}\n"
        "checkpoint: {every: 1 step, keep: 2}\n"
        "log: {every: 1 step}\n";
    e2e_write("phases.yaml", text, strlen(text));
}

static bool has_done_a_step(const char *run) {
    e2e_read(e2e_path("%s/metrics.jsonl", run), e2e_output, sizeof e2e_output);
    return e2e_said("\"kind\":\"step\"");
}

static bool is_written(const char *run) {
    test_shell(e2e_output, sizeof e2e_output, "ls '%s'", e2e_path("%s/checkpoints", run));
    return e2e_said(".tmp");
}

/* By every signal: while the test set is evaluated, for which a resumed run still has to come, and while a checkpoint
 * is written. */
static void evaluation_and_checkpoint_stop(void) {
    static const int numbers[] = {SIGTERM, SIGUSR1, SIGINT, SIGHUP};
    write_phases();
    signal(SIGHUP, SIG_DFL);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        char name[32];
        snprintf(name, sizeof name, "evaluates%zu", i);
        struct e2e_job job = e2e_start(0, "train phases.yaml --run %s --threads 1", name);
        for (int k = 0; k < 20000 && !has_done_a_step(name); k++) usleep(1000);
        e2e_signal(job, numbers[i]);
        e2e_expect_exit(75, e2e_wait(job), __FILE__, __LINE__);
        E2E_SAID("stopped after step 1 ");
        E2E_EXIT(0, 0, "ckpt verify %s/checkpoints/step-00000001.h5", name);
    }
    for (size_t i = 0; i < COUNT(numbers); i++) {
        char name[32];
        snprintf(name, sizeof name, "saves%zu", i);
        struct e2e_job job = e2e_start(0, "train phases.yaml --run %s --threads 1 --set data.test=", name);
        for (int k = 0; k < 20000 && !is_written(name); k++) usleep(1000);
        e2e_signal(job, numbers[i]);
        e2e_expect_exit(75, e2e_wait(job), __FILE__, __LINE__);
        const int step = e2e_newest_step(name);
        E2E_EXIT(0, 0, "train phases.yaml --run %s --resume --steps %d --threads 1 --set data.test=", name, step + 1);
        E2E_EXIT(0, 0, "train phases.yaml --run %s-alone --steps %d --threads 1 --set data.test=", name, step + 1);
        E2E_EXIT(0, 0, "ckpt diff %s %s-alone", name, name);
    }
}

static const struct test_case cases[] = {
    {"by every signal, while it evaluates or saves", evaluation_and_checkpoint_stop},
    {0},
};
const struct test_suite suite_e2e_phases = {"e2e_phases", cases, NULL};
