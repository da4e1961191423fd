/* A program's own functions: log lines, progress, and each step, in the place of stderr. */
#define _GNU_SOURCE
#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convoy.h"
#include "core/inside.h"
#include "test.h"

enum { SAMPLES = 64, STEPS = 8, EPOCHS = 3 };

static float x[SAMPLES][4];
static int32_t y[SAMPLES];

/* All that was heard, and whether it was said in what this program has set. */
struct heard {
    int lines[CVY_LOG_DEBUG + 1], progress, steps;
    bool shows, strange;
    char last[512], all[16384];
    int64_t done, total, stop_at;
    struct cvy_step step;
    int rounding;
};

static void check_place(struct heard *heard) {
    heard->strange |= fegetround() != heard->rounding;
}

static void on_log(void *user, cvy_log_level level, const char *text) {
    struct heard *heard = user;
    check_place(heard);
    heard->lines[level]++;
    snprintf(heard->last, sizeof heard->last, "%s", text);
    const size_t used = strlen(heard->all);
    snprintf(heard->all + used, sizeof heard->all - used, "%s\n", text);
}

static bool on_progress(void *user, const char *what, int64_t done, int64_t total) {
    struct heard *heard = user;
    check_place(heard);
    heard->progress++;
    heard->done = done;
    heard->total = total;
    snprintf(heard->last, sizeof heard->last, "%s", what);
    return heard->shows;
}

static bool on_step(void *user, const struct cvy_step *step) {
    struct heard *heard = user;
    check_place(heard);
    heard->steps++;
    heard->step = *step;
    CU_ASSERT_EQUAL(step->step, heard->steps);
    return step->step == heard->stop_at;
}

static const char *experiment(void) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/callbacks.yaml", test_folder());
    FILE *file = fopen(path, "w");
    if (file == NULL) abort();
    fprintf(file,
            "name: callbacks\nmodel: {input: [2, 2, 1], layers: [{dense: 2}]}\n"
            "train: {epochs: %d, batch: %d, learning_rate: 0.25}\nlog: {every: 1 step}\n",
            EPOCHS, SAMPLES / STEPS);
    fclose(file);
    return path;
}

/* Of the run's log.txt. */
static int lines_of_log(const char *run, const char *words) {
    char path[1100], line[4096];
    int count = 0;
    snprintf(path, sizeof path, "%s/log.txt", run);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) count += strstr(line, words) != NULL;
    if (file) fclose(file);
    return count;
}

static cvy_status train(const char *name, struct heard *heard, cvy_log_level level, char run[1024]) {
    const struct cvy_context_options options = {.size = sizeof options,
                                                .threads = 1,
                                                .log_level = level,
                                                .on_log = on_log,
                                                .on_progress = on_progress,
                                                .user = heard};
    const struct cvy_data_source data = {
        .size = sizeof data, .samples = SAMPLES, .height = 2, .width = 2, .channels = 1, .classes = 2, .x = x, .y = y};
    struct cvy_train_summary summary = cvy_train_summary_default();
    struct cvy_context *ctx;
    for (int i = 0; i < SAMPLES; i++) {
        y[i] = i % 2;
        for (int k = 0; k < 4; k++) x[i][k] = (float)((i * 7 + k * 3) % 5 - 2 + y[i]);
    }
    snprintf(run, 1024, "%s/%s", test_folder(), name);
    TEST_OK(cvy_context_create(&options, &ctx));
    fesetround(FE_UPWARD);
    heard->rounding = FE_UPWARD;
    const struct cvy_train_options how = {.size = sizeof how,
                                          .experiment = experiment(),
                                          .run_folder = run,
                                          .train = &data,
                                          .test = &data,
                                          .on_step = on_step,
                                          .user = heard};
    const cvy_status status = cvy_train(ctx, &how, &summary);
    fesetround(FE_TONEAREST);
    CU_ASSERT_EQUAL(summary.step, heard->steps);
    cvy_context_destroy(&ctx);
    CU_ASSERT_FALSE(heard->strange);
    return status;
}

/* Every step's line comes as one of the log where progress is not shown; all of it is in log.txt. */
static void lines_are_heard(void) {
    struct heard heard = {.shows = false};
    char run[1024];
    TEST_OK(train("heard", &heard, CVY_LOG_INFO, run));
    CU_ASSERT_EQUAL(heard.steps, EPOCHS * STEPS);
    CU_ASSERT(heard.lines[CVY_LOG_INFO] >= EPOCHS * STEPS + EPOCHS);
    CU_ASSERT_EQUAL(heard.lines[CVY_LOG_DEBUG], 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(heard.all, "epoch 3/3  test loss"));
    CU_ASSERT_EQUAL(lines_of_log(run, "  step "), EPOCHS * STEPS);
}

static void progress_is_heard(void) {
    struct heard heard = {.shows = true};
    char run[1024];
    TEST_OK(train("shown", &heard, CVY_LOG_INFO, run));
    CU_ASSERT(heard.progress >= EPOCHS * STEPS);
    CU_ASSERT_EQUAL(heard.total, EPOCHS * SAMPLES);
    CU_ASSERT(heard.done > 0 && heard.done <= heard.total);
    CU_ASSERT_PTR_NULL(strstr(heard.all, "  step ")); /* it was shown */
    CU_ASSERT_EQUAL(lines_of_log(run, "  step "), EPOCHS * STEPS);
}

static void levels_are_kept(void) {
    struct heard quiet = {.shows = true}, loud = {.shows = true};
    char run[1024];
    TEST_OK(train("quiet", &quiet, CVY_LOG_ERROR, run));
    CU_ASSERT(quiet.all[0] == '\0' && quiet.progress == 0);
    TEST_OK(train("loud", &loud, CVY_LOG_DEBUG, run));
    CU_ASSERT(loud.lines[CVY_LOG_DEBUG] > 0);
}

/* What a step is told to have been, and a stop as cvy_request_stop has it: a checkpoint, and a run to go on from. */
static void steps_are_told_and_stopped(void) {
    struct heard heard = {.stop_at = 10};
    struct cvy_checkpoint_list list = cvy_checkpoint_list_default();
    char run[1024];
    CU_ASSERT_EQUAL(train("asked", &heard, CVY_LOG_ERROR, run), CVY_STOPPED);
    CU_ASSERT_EQUAL(heard.steps, 11); /* the wish goes round with the next step */
    CU_ASSERT_DOUBLE_EQUAL(heard.step.epoch, (double)heard.steps / STEPS, 1e-12);
    CU_ASSERT_EQUAL(heard.step.epochs, EPOCHS);
    CU_ASSERT_EQUAL(heard.step.samples, SAMPLES / STEPS);
    CU_ASSERT_EQUAL(heard.step.learning_rate, 0.25);
    CU_ASSERT(isfinite(heard.step.loss) && heard.step.loss > 0 && heard.step.samples_per_s > 0);
    TEST_OK(cvy_checkpoint_list_read(run, &list));
    CU_ASSERT_EQUAL_FATAL(list.count > 0, true);
    CU_ASSERT_EQUAL(list.items[list.count - 1]->step, 11);
    cvy_checkpoint_list_destroy(&list);
}

static const struct test_case cases[] = {
    {"lines of the log", lines_are_heard},
    {"progress", progress_is_heard},
    {"levels", levels_are_kept},
    {"each step, and a stop", steps_are_told_and_stopped},
    {0},
};
const struct test_suite suite_callbacks = {"callbacks", cases, NULL};
