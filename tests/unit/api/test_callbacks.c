/* A program's own functions: log lines, progress, and each step, in the place of stderr. */
#define _GNU_SOURCE
#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "convoy.h"
#include "core/inside.h"
#include "hdf5_help.h"
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
    test_write(path,
               "name: callbacks\nmodel: {input: [2, 2, 1], layers: [{dense: 2}]}\n"
               "train: {epochs: %d, batch: %d, learning_rate: 0.25}\nlog: {every: 1 step}\n",
               EPOCHS, SAMPLES / STEPS);
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
    CU_ASSERT(heard.steps == 11 || heard.steps == 10); /* the wish goes round with the next step, if that was read */
    CU_ASSERT_DOUBLE_EQUAL(heard.step.epoch, (double)heard.steps / STEPS, 1e-12);
    CU_ASSERT_EQUAL(heard.step.epochs, EPOCHS);
    CU_ASSERT_EQUAL(heard.step.samples, SAMPLES / STEPS);
    CU_ASSERT_EQUAL(heard.step.learning_rate, 0.25);
    CU_ASSERT(isfinite(heard.step.loss) && heard.step.loss > 0 && heard.step.samples_per_s > 0);
    TEST_OK(cvy_checkpoint_list_read(run, &list));
    CU_ASSERT_EQUAL_FATAL(list.count > 0, true);
    CU_ASSERT_EQUAL(list.items[list.count - 1]->step, heard.steps);
    cvy_checkpoint_list_destroy(&list);
}

/* ---- Data sets ---- */

enum { PICTURES = 3000 };

/* Of PICTURES pictures of 4×4, and their labels: IDX files in `folder`. */
static void write_idx(const char *folder, char images[1100], char labels[1100]) {
    const unsigned char heads[2][16] = {{0, 0, 8, 3, 0, 0, PICTURES >> 8, PICTURES & 255, 0, 0, 0, 4, 0, 0, 0, 4},
                                        {0, 0, 8, 1, 0, 0, PICTURES >> 8, PICTURES & 255}};
    char *const paths[2] = {images, labels};
    for (int f = 0; f < 2; f++) {
        snprintf(paths[f], 1100, "%s/%s.idx", folder, f ? "labels" : "images");
        FILE *file = fopen(paths[f], "wb");
        if (file == NULL) abort();
        fwrite(heads[f], 1, f ? 8 : 16, file);
        for (int i = 0; i < PICTURES * (f ? 1 : 16); i++) fputc(f ? i % 3 : i % 251, file);
        fclose(file);
    }
}

static struct cvy_context *listen(struct heard *heard) {
    const struct cvy_context_options options = {.size = sizeof options,
                                                .threads = 1,
                                                .log_level = CVY_LOG_INFO,
                                                .on_log = on_log,
                                                .on_progress = on_progress,
                                                .user = heard};
    struct cvy_context *ctx = NULL;
    heard->rounding = fegetround();
    TEST_OK(cvy_context_create(&options, &ctx));
    return ctx;
}

/* What was heard of one piece of work, and forgotten then. */
static void check_heard(struct heard *heard, const char *doing) {
    CU_ASSERT(heard->progress > 0 && !heard->strange);
    CU_ASSERT_EQUAL(strncmp(heard->last, doing, strlen(doing)), 0);
    CU_ASSERT(heard->done > 0 && heard->done <= heard->total);
    CU_ASSERT_EQUAL(heard->total, PICTURES);
    heard->progress = 0;
}

static void work_on_data_is_heard(void) {
    struct heard heard = {.shows = true};
    char folder[1024], images[1100], labels[1100], packed[1100], first[1100], rest[1100];
    struct cvy_data_info info[2] = {cvy_data_info_default(), cvy_data_info_default()};
    int64_t samples;
    snprintf(folder, sizeof folder, "%s", test_folder());
    write_idx(folder, images, labels);
    snprintf(packed, sizeof packed, "%s/packed.h5", folder);
    snprintf(first, sizeof first, "%s/first.h5", folder);
    snprintf(rest, sizeof rest, "%s/rest.h5", folder);
    struct cvy_context *ctx = listen(&heard);
    const char *const inputs[2] = {images, labels};
    const struct cvy_data_pack_options pack = {
        .size = sizeof pack, .format = "idx", .inputs = inputs, .input_count = 2, .output = packed};
    TEST_OK(cvy_data_pack(ctx, &pack, &info[0]));
    check_heard(&heard, "packing: ");
    cvy_data_info_destroy(&info[0]);
    TEST_OK(cvy_data_verify_in(ctx, packed, NULL, &samples));
    CU_ASSERT_EQUAL(samples, PICTURES);
    check_heard(&heard, "verifying: ");
    const struct cvy_data_split_options split = {
        .size = sizeof split, .input = packed, .first = first, .rest = rest, .samples = 100};
    TEST_OK(cvy_data_split(ctx, &split, &info[0], &info[1]));
    check_heard(&heard, "splitting: ");
    for (int i = 0; i < 2; i++) cvy_data_info_destroy(&info[i]);
    cvy_request_stop(ctx);
    CU_ASSERT_EQUAL(cvy_data_verify_in(ctx, packed, NULL, &samples), CVY_STOPPED);
    TEST_OK(cvy_data_verify_in(ctx, packed, NULL, &samples)); /* the wish was heeded */
    cvy_context_destroy(&ctx);
}

/* ---- A stop before the first step ---- */

/* Hears that samples are measured: takes a second and more, or wants no more. */
struct measured {
    struct cvy_context *ctx;
    bool asks;
    char warning[512];
};

static bool on_measuring(void *user, const char *what, int64_t done, int64_t total) {
    struct measured *m = user;
    (void)done, (void)total;
    if (strncmp(what, "measuring: ", 11) != 0) return true;
    if (m->asks)
        cvy_request_stop(m->ctx);
    else
        usleep(1100 * 1000);
    return true;
}

static void keep_warning(void *user, cvy_log_level level, const char *text) {
    struct measured *m = user;
    if (level == CVY_LOG_WARN) snprintf(m->warning, sizeof m->warning, "%s", text);
}

/* Somebody else's file, whose samples have to be measured: zeros that were never written, at no cost on disk. */
static void write_large(const char *path) {
    enum { MANY = 30000, SIDE = 64 };
    static unsigned char labels[MANY];
    for (int i = 0; i < MANY; i++) labels[i] = i % 2;
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t chunks = hdf5_chunks(3, (hsize_t[]){64, SIDE, SIDE}, 1);
    hdf5_put_as(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 3, (hsize_t[]){MANY, SIDE, SIDE}, chunks, NULL);
    hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, (hsize_t[]){MANY}, labels);
    H5Fclose(file);
}

static cvy_status train_large(const char *folder, struct measured *m) {
    char path[1100], run[1100];
    struct cvy_train_summary summary = cvy_train_summary_default();
    snprintf(path, sizeof path, "%s/large.yaml", folder);
    snprintf(run, sizeof run, "%s/run", folder);
    test_write(path, "name: large\nmodel: {input: [64, 64, 1], layers: [{dense: 2}]}\ndata: {train: large.h5}\n"
                     "train: {epochs: 1, batch: 64, learning_rate: 0.1}\n");
    const struct cvy_context_options options = {.size = sizeof options,
                                                .threads = 1,
                                                .log_level = CVY_LOG_INFO,
                                                .on_log = keep_warning,
                                                .on_progress = on_measuring,
                                                .user = m};
    const struct cvy_train_options how = {
        .size = sizeof how, .experiment = path, .run_folder = run, .time_limit = m->asks ? 0 : 1, .resume = true};
    TEST_OK(cvy_context_create(&options, &m->ctx));
    const cvy_status status = cvy_train(m->ctx, &how, &summary);
    CU_ASSERT_EQUAL(summary.step, 0);
    cvy_context_destroy(&m->ctx);
    return status;
}

/* A limit that the measuring of the samples does not fit in is an error that says what would, and no stop after which
 * a queue would start the same again. */
static void stops_before_the_first_step(void) {
    char folder[1024], path[1100];
    struct measured late = {.asks = false}, asked = {.asks = true};
    snprintf(folder, sizeof folder, "%s", test_folder());
    snprintf(path, sizeof path, "%s/large.h5", folder);
    write_large(path);
    CU_ASSERT_EQUAL(train_large(folder, &late), CVY_ERR_USAGE);
    CU_ASSERT(test_message_has("the time limit of 0:00:01 came while ") && test_message_has("large.h5 was measured"));
    CU_ASSERT(test_message_has("with a limit well above 0:0"));
    CU_ASSERT_PTR_NULL(strstr(cvy_error_message(), "well above 0:00:01 ")); /* more than the limit was */
    CU_ASSERT_EQUAL(train_large(folder, &asked), CVY_STOPPED);
    CU_ASSERT_PTR_NOT_NULL(strstr(asked.warning, "before the first step"));
}

static const struct test_case cases[] = {
    {"lines of the log", lines_are_heard},
    {"progress", progress_is_heard},
    {"levels", levels_are_kept},
    {"each step, and a stop", steps_are_told_and_stopped},
    {"packing, splitting, verifying", work_on_data_is_heard},
    {"a stop before the first step", stops_before_the_first_step},
    {0},
};
const struct test_suite suite_callbacks = {"callbacks", cases, NULL};
