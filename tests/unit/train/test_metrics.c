/* train/metrics: lines wait where they cannot be written, none is torn, and what a checkpoint takes along is bounded.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/file.h"
#include "test.h"
#include "train/record/metrics.h"

static const char *file_name(void) {
    static char path[600];
    snprintf(path, sizeof path, "%s/metrics.jsonl", test_folder());
    return path;
}

static cvy_status line(struct cvy_metrics *metrics, int64_t step) {
    cvy_json_text(cvy_metrics_begin(metrics, "step", step), "text", "forty bytes or so, to be some length");
    return cvy_metrics_end(metrics);
}

/* Whether the file has the lines of these steps, each whole and once. */
static bool has_steps(const char *path, int64_t first, int64_t last) {
    struct cvy_buf text = {0};
    TEST_OK(cvy_file_read(path, 1 << 26, &text));
    const char *at = cvy_buf_text(&text);
    bool good = true;
    for (int64_t step = first; step <= last; step++) {
        char expected[128];
        snprintf(expected, sizeof expected,
                 "{\"kind\":\"step\",\"step\":%lld,\"text\":\"forty bytes or so, to be some length\"}\n",
                 (long long)step);
        good &= strncmp(at, expected, strlen(expected)) == 0;
        if (good) at += strlen(expected);
    }
    good &= *at == '\0';
    cvy_buf_destroy(&text);
    return good;
}

/* A limit on file size stands for a full disk; it ends in the middle of a line. */
static void lines_wait(void) {
    const char *path = file_name();
    struct cvy_metrics *metrics = NULL;
    struct rlimit before;
    TEST_OK(cvy_metrics_open(path, NULL, -1, &metrics));
    for (int64_t step = 1; step <= 10; step++) TEST_OK(line(metrics, step));
    CU_ASSERT(has_steps(path, 1, 10));
    getrlimit(RLIMIT_FSIZE, &before);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    const struct rlimit small = {(rlim_t)cvy_file_size(path) + 100, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    TEST_OK(line(metrics, 11));
    for (int64_t step = 12; step <= 500; step++) CU_ASSERT_EQUAL(line(metrics, step), CVY_ERR_INTERNAL);
    CU_ASSERT(strstr(cvy_error_message(), path) && strstr(cvy_error_message(), "File too large"));
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    TEST_OK(cvy_metrics_flush(metrics));
    CU_ASSERT(has_steps(path, 1, 500));
    CU_ASSERT_EQUAL(cvy_metrics_lost(metrics), 0);
    cvy_metrics_close(&metrics);
}

/* However long the run. */
static void tail_is_bounded(void) {
    const char *path = file_name();
    struct cvy_metrics *metrics = NULL;
    size_t longest = 0;
    TEST_OK(cvy_metrics_open(path, NULL, -1, &metrics));
    for (int64_t step = 1; step <= 5000; step++) {
        TEST_OK(line(metrics, step));
        const size_t size = strlen(cvy_metrics_tail(metrics));
        if (size > longest) longest = size;
    }
    CU_ASSERT(longest <= CVY_METRICS_TAIL && longest > CVY_METRICS_TAIL - 200);
    char last[64];
    snprintf(last, sizeof last, "{\"kind\":\"step\",\"step\":%d,", 5000);
    CU_ASSERT_EQUAL(strncmp(cvy_metrics_tail(metrics), "{\"kind\"", 7), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(cvy_metrics_tail(metrics), last));
    cvy_metrics_close(&metrics);
    /* The next session has it from the file. */
    TEST_OK(cvy_metrics_open(path, NULL, 4000, &metrics));
    CU_ASSERT(has_steps(path, 1, 4000));
    CU_ASSERT(strlen(cvy_metrics_tail(metrics)) <= CVY_METRICS_TAIL &&
              strstr(cvy_metrics_tail(metrics), "\"step\":4000,"));
    cvy_metrics_close(&metrics);
}

/* Where there is no room for a second copy, what is too much is dropped in place; and nothing is copied for nothing. */
static void dropped_in_place(void) {
    const char *path = file_name();
    struct cvy_metrics *metrics = NULL;
    struct rlimit before;
    TEST_OK(cvy_metrics_open(path, NULL, -1, &metrics));
    for (int64_t step = 1; step <= 300; step++) TEST_OK(line(metrics, step));
    cvy_metrics_close(&metrics);
    TEST_OK(cvy_metrics_open(path, NULL, 200, &metrics));
    CU_ASSERT(has_steps(path, 1, 200));
    cvy_metrics_close(&metrics);
    getrlimit(RLIMIT_FSIZE, &before);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    const struct rlimit none = {0, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &none); /* not even an overwrite: the old lines stay */
    cvy_status status = cvy_metrics_open(path, NULL, 100, &metrics);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    CU_ASSERT_EQUAL(status, CVY_ERR_USAGE);
    CU_ASSERT(has_steps(path, 1, 200));
}

/* Deleted while it is open: made again, with the last lines, those that wait among them. */
static void deleted(void) {
    const char *path = file_name();
    struct cvy_metrics *metrics = NULL;
    TEST_OK(cvy_metrics_open(path, NULL, -1, &metrics));
    for (int64_t step = 1; step <= 20; step++) TEST_OK(line(metrics, step));
    unlink(path);
    TEST_OK(line(metrics, 21));
    CU_ASSERT(has_steps(path, 1, 21));
    cvy_metrics_rest(metrics);
    TEST_OK(line(metrics, 22));
    CU_ASSERT(has_steps(path, 1, 22));
    cvy_metrics_close(&metrics);
}

static const struct test_case cases[] = {
    {"lines wait until they can be written, and none is torn", lines_wait},
    {"what a checkpoint takes along is bounded", tail_is_bounded},
    {"later lines are dropped on resume", dropped_in_place},
    {"a deleted file is made again", deleted},
    {0},
};
const struct test_suite suite_metrics = {"metrics", cases, NULL};
