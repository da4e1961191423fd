/* What end-to-end tests share: a tiny data set, a tiny experiment, calls of the real program. */
#ifndef CVY_TESTS_E2E_H
#define CVY_TESTS_E2E_H

#include <stdint.h>
#include <sys/types.h>

#include "test.h"

/* A folder that holds train.h5 (90 samples), test.h5 (40), both 12×12×1 with classes c0 … c3, and the IDX files that
 * they were packed from (train-x.idx, train-y.idx, test-x.idx, test-y.idx). Each suite has its own, made at its first
 * call. */
const char *e2e_home(void);
/* home/name; one of a few buffers in turn. */
const char *e2e_path(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The experiment that the tests vary: 6 steps an epoch, the last one short; dropout and augmentation are in it. */
extern const char e2e_experiment[];
/* Writes home/NAME: the experiment with every `from` replaced by `to` (NULL: as it is). Fails when `from` is not in
 * it. */
void e2e_write_experiment(const char *name, const char *from, const char *to);
void e2e_write(const char *name, const void *bytes, size_t size);
void e2e_write_idx(const char *name, int magic, int count, int rows, int cols, const unsigned char *items, size_t size);

/* Runs `convoy ARGUMENTS` in home, on `ranks` ranks (0: without mpirun); gives its exit code. Its stdout and stderr are
 * in e2e_output. After a minute it is killed (code 124 or 137). */
int e2e_convoy(int ranks, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
extern char e2e_stdout[65536]; /* the first alone: libraries may complain on stderr, where /sys is missing */
extern char e2e_output[65536];
bool e2e_said(const char *words);
int e2e_count(const char *words); /* how often */
int e2e_error_lines(void);        /* lines that start with "convoy: error: " */

/* The call must end with this code; else its output is shown. */
#define E2E_EXIT(code, ranks, ...) e2e_expect_exit((code), e2e_convoy((ranks), __VA_ARGS__), __FILE__, __LINE__)
void e2e_expect_exit(int expected, int found, const char *file, int line);
/* e2e_output must hold the words. */
#define E2E_SAID(words) e2e_expect_said((words), __FILE__, __LINE__)
void e2e_expect_said(const char *words, const char *file, int line);

/* The same in the background. */
struct e2e_job {
    pid_t pid;     /* of the program, or of mpirun */
    bool launched; /* by mpirun: the ranks are its children */
};
struct e2e_job e2e_start(int ranks, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Any command, in home; its first process is what it is. */
struct e2e_job e2e_start_command(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* To one rank (the first child of mpirun that is found). */
void e2e_signal_rank(struct e2e_job job, int number);
void e2e_signal(struct e2e_job job, int number); /* to mpirun where there is one */
int e2e_wait(struct e2e_job job);                /* exit code, 128+N for signal N; output in e2e_output */

/* Newest step among home/RUN/checkpoints, −1 where there is none. */
int e2e_newest_step(const char *run);
/* Waits until that is at least `step`; false after 20 s. */
bool e2e_wait_for_step(const char *run, int step);
/* Of an experiment that logs every step: in home/RUN/metrics.jsonl each from 1 to `last` is there exactly once, in
 * order. And lines of it that hold the words. */
void e2e_expect_one_run(const char *run, int last);
int e2e_count_metrics(const char *run, const char *words);
/* The file's text, cut at room. */
void e2e_read(const char *path, char *out, size_t room);
/* The number behind "key": in a JSON text; NaN where there is none. */
double e2e_json_number(const char *json, const char *key);

#endif
