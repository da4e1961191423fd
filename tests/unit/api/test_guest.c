/* The library as a guest in somebody's process: whatever that has set for itself is there after each call, does not
 * change results, and is what its own functions are called in; contexts and predictors do not meet. */
#define _GNU_SOURCE
#include <cblas.h>
#include <dirent.h>
#include <fenv.h>
#include <hdf5.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "convoy.h"
#include "core/buf.h"
#include "core/inside.h"
#include "core/memory.h"
#include "unit/kernels/kernels_help.h"
#include "test.h"

enum { SIZE = 12, CHANNELS = 16, FLOATS = SIZE * SIZE * CHANNELS, SAMPLES = 24, CLASSES = 3, SHOWN = 4 };

static const char text[] =
    "name: guest\n"
    "model: {input: [12, 12, 16], layers: [{conv: {filters: 16, kernel: 3, padding: same}}, relu, {conv: {filters: 16, "
    "kernel: 5, padding: same}}, relu, {maxpool: 4}, flatten, {dense: 3}]}\n"
    "train: {epochs: 2, batch: 8, leaf: 4, learning_rate: 0.01, winograd: %s, precision: %s}\n";

/* ---- what a program has set ---- */

struct host {
    int rounding, traps, flags, blas;
    bool denormals;
    locale_t locale;
    sigset_t signals;
};

static struct host host_now(void) {
    volatile float tiny = 1e-40f, half = 0.5f;
    fexcept_t flags;
    fegetexceptflag(&flags, FE_ALL_EXCEPT);
    struct host h = {.flags = fetestexcept(FE_ALL_EXCEPT)};
    h.denormals = tiny * half != 0;
    fesetexceptflag(&flags, FE_ALL_EXCEPT);
    h.rounding = fegetround();
    h.traps = fegetexcept();
    h.blas = openblas_get_num_threads();
    h.locale = uselocale((locale_t)0);
    pthread_sigmask(SIG_SETMASK, NULL, &h.signals);
    return h;
}

static bool host_same(const struct host *a, const struct host *b) {
    for (int i = 1; i < NSIG; i++)
        if (sigismember(&a->signals, i) != sigismember(&b->signals, i)) return false;
    return a->rounding == b->rounding && a->traps == b->traps && a->flags == b->flags && a->denormals == b->denormals &&
           a->locale == b->locale && a->blas == b->blas;
}

/* What a simulation may have set: rounds up, traps, keeps denormals, blocks a signal, uses BLAS on all processors, and
 * writes numbers with a comma where the machine has such a language. */
static locale_t unusual_locale;
static struct host make_unusual(void) {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &one, NULL);
    fesetenv(FE_DFL_ENV);
    fesetround(FE_UPWARD);
    feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW);
    openblas_set_num_threads(2);
    unusual_locale = newlocale(LC_NUMERIC_MASK, "de_DE.UTF-8", (locale_t)0);
    if (unusual_locale == NULL) unusual_locale = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
    if (unusual_locale) uselocale(unusual_locale);
    return host_now();
}

static void make_usual(void) {
    sigset_t one;
    cvy_thread_settle();
    openblas_set_num_threads(1);
    if (unusual_locale) freelocale(unusual_locale);
    unusual_locale = NULL;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR2);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
}

#define EXPECT_HOST(call)                                                                                              \
    do {                                                                                                               \
        feclearexcept(FE_ALL_EXCEPT);                                                                                  \
        const struct host was_ = host_now();                                                                           \
        const int status_ = (int)(call);                                                                               \
        const struct host is_ = host_now();                                                                            \
        if (status_ != 0) test_show(#call, status_);                                                                   \
        CU_ASSERT_EQUAL(status_, 0);                                                                                   \
        if (!host_same(&was_, &is_)) fprintf(stderr, "\n    changed by %s", #call);                                    \
        CU_ASSERT(host_same(&was_, &is_));                                                                             \
    } while (0)

/* ---- data and runs ---- */

static float samples[SAMPLES][FLOATS];
static int32_t labels[SAMPLES];

struct given {
    struct host host;   /* what calls are to be in, but for signals, which go to the program's own threads */
    atomic_int strange; /* calls that were in something else */
};

static int give(void *arg, int64_t index, void *x, void *y) {
    struct given *given = arg;
    const struct host now = host_now();
    const bool same = now.rounding == given->host.rounding && now.traps == given->host.traps &&
                      now.denormals == given->host.denormals && now.locale == given->host.locale;
    if (!same) atomic_fetch_add(&given->strange, 1);
    memcpy(x, samples[index], sizeof samples[index]);
    if (y) memcpy(y, &labels[index], sizeof labels[index]);
    return 0;
}

static struct cvy_data_source source_of(struct given *given) {
    for (int i = 0; i < SAMPLES * FLOATS; i++) samples[i / FLOATS][i % FLOATS] = (float)(i * 37 % 101 - 50) / 64;
    for (int i = 0; i < SAMPLES; i++) labels[i] = i % CLASSES;
    return (struct cvy_data_source){.size = sizeof(struct cvy_data_source),
                                    .samples = SAMPLES,
                                    .height = SIZE,
                                    .width = SIZE,
                                    .channels = CHANNELS,
                                    .classes = CLASSES,
                                    .give = give,
                                    .arg = given};
}

static struct cvy_context *context_new(int threads) {
    struct cvy_context *ctx = NULL;
    TEST_OK(cvy_context_create(&CVY_INIT(cvy_context_options, .threads = threads, .log_level = CVY_LOG_ERROR), &ctx));
    return ctx;
}

static const char *experiment(const char *name, const char *winograd, const char *precision) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s.yaml", test_folder(), name);
    test_write(path, text, winograd, precision);
    return path;
}

static cvy_status train(struct cvy_context *ctx, const char *experiment, const char *run, struct given *given) {
    const struct cvy_data_source source = source_of(given);
    struct cvy_train_summary summary = cvy_train_summary_default();
    return cvy_train(
        ctx,
        &CVY_INIT(cvy_train_options, .experiment = experiment, .run_folder = run, .train = &source, .test = &source),
        &summary);
}

static const char *run_new(const char *winograd, const char *precision) {
    static char runs[8][1024];
    static int next;
    char *run = runs[next++ % 8];
    struct given given = {.host = host_now()};
    struct cvy_context *ctx = context_new(2);
    snprintf(run, sizeof runs[0], "%s/run%d", test_folder(), next);
    TEST_OK(train(ctx, experiment("made", winograd, precision), run, &given));
    cvy_context_destroy(&ctx);
    return run;
}

/* ---- the house ---- */

static cvy_status evaluate(struct cvy_context *ctx, const char *run, struct given *given) {
    const struct cvy_data_source source = source_of(given);
    struct cvy_eval_result result = cvy_eval_result_default();
    const cvy_status status = cvy_eval(ctx, &CVY_INIT(cvy_eval_options, .from = run, .source = &source), &result);
    cvy_eval_result_destroy(&result);
    return status;
}

static cvy_status describe(struct cvy_context *ctx, const char *path) {
    struct cvy_model_facts facts = cvy_model_facts_default();
    const cvy_status status = cvy_describe(ctx, &CVY_INIT(cvy_describe_options, .path = path), &facts);
    cvy_model_facts_destroy(&facts);
    return status;
}

static cvy_status bench(struct cvy_context *ctx, const char *path) {
    struct cvy_bench_result result = cvy_bench_result_default();
    const cvy_status status =
        cvy_bench(ctx, &CVY_INIT(cvy_bench_options, .model = path, .batch = 8, .seconds = 0.01), &result);
    cvy_bench_result_destroy(&result);
    return status;
}

static cvy_status look_at(const char *run) {
    struct cvy_checkpoint_list list = cvy_checkpoint_list_default();
    const cvy_status status = cvy_checkpoint_list_read(run, &list);
    cvy_checkpoint_list_destroy(&list);
    return status == CVY_OK ? cvy_checkpoint_verify(run) : status;
}

/* Scores as a data set of somebody else's: packed, looked at, cut in two. */
static void data_in_unusual(struct cvy_context *ctx, const char *file) {
    char packed[1200], first[1200], rest[1200];
    int64_t good;
    struct cvy_data_info info[3] = {cvy_data_info_default(), cvy_data_info_default(), cvy_data_info_default()};
    const struct cvy_data_form form = {.size = sizeof form, .x = "/scores", .y = "/y"};
    snprintf(packed, sizeof packed, "%s-packed.h5", file);
    snprintf(first, sizeof first, "%s-first.h5", file);
    snprintf(rest, sizeof rest, "%s-rest.h5", file);
    EXPECT_HOST(cvy_data_info_read(file, &form, &info[0]));
    cvy_data_info_destroy(&info[0]);
    EXPECT_HOST(cvy_data_pack(ctx,
                              &CVY_INIT(cvy_data_pack_options, .format = "hdf5", .inputs = &file, .input_count = 1,
                                        .output = packed, .form = &form),
                              &info[0]));
    EXPECT_HOST(cvy_data_verify(packed, NULL, &good));
    EXPECT_HOST(cvy_data_split(
        ctx, &CVY_INIT(cvy_data_split_options, .input = packed, .first = first, .rest = rest, .samples = 1), &info[1],
        &info[2]));
    CU_ASSERT(info[0].samples == SHOWN && info[1].samples == 1 && info[2].samples == SHOWN - 1);
    for (int i = 0; i < 3; i++) cvy_data_info_destroy(&info[i]);
}

/* Calls that cannot succeed leave as much. */
static void failures_in_unusual(struct cvy_context *ctx) {
    struct cvy_train_summary summary = cvy_train_summary_default();
    struct cvy_predictor *p;
    EXPECT_HOST(cvy_train(ctx, NULL, &summary) != CVY_ERR_USAGE);
    EXPECT_HOST(cvy_train(ctx, &CVY_INIT(cvy_train_options, .experiment = "nowhere.yaml"), &summary) == CVY_OK);
    EXPECT_HOST(cvy_predictor_create(ctx, "nowhere", &p) == CVY_OK);
    EXPECT_HOST(cvy_checkpoint_verify("nowhere") == CVY_OK);
}

static void calls_in_unusual(const char *isa, const char *run) {
    struct cvy_context *ctx = NULL;
    struct cvy_predictor *p = NULL;
    struct cvy_predictions *file = NULL;
    float y[SHOWN * CLASSES];
    char path[1024], out[1100];
    snprintf(path, sizeof path, "%s", experiment("unusual", "true", "fp32"));
    snprintf(out, sizeof out, "%s-%s-outputs.h5", run, isa);
    struct given given = {.host = make_unusual()};
    const struct cvy_context_options options = {.size = sizeof options, .threads = 2, .log_level = CVY_LOG_ERROR};
    EXPECT_HOST(cvy_context_create(&options, &ctx));
    EXPECT_HOST(train(ctx, path, run, &given));
    EXPECT_HOST(evaluate(ctx, run, &given));
    EXPECT_HOST(describe(ctx, path));
    EXPECT_HOST(bench(ctx, path));
    EXPECT_HOST(cvy_predictor_create(ctx, run, &p));
    EXPECT_HOST(cvy_predictor_run(p, samples[0], SHOWN, y));
    EXPECT_HOST(cvy_predictions_create(p, &CVY_INIT(cvy_predictions_options, .path = out), &file));
    for (int i = 0; i < SHOWN; i++) EXPECT_HOST(cvy_predictions_add(file, "one", y + i * CLASSES));
    EXPECT_HOST(cvy_predictions_finish(&file));
    data_in_unusual(ctx, out);
    failures_in_unusual(ctx);
    EXPECT_HOST(look_at(run));
    EXPECT_HOST((cvy_predictor_destroy(&p), 0));
    EXPECT_HOST((cvy_context_destroy(&ctx), 0));
    make_usual();
    CU_ASSERT_EQUAL(given.strange, 0);
}

/* At the best level, and at that of BLAS: nothing is changed, and the run has the bits of one in a plain process. */
static void house_as_it_was(void) {
    static const char *const levels[] = {"portable", NULL};
    char *before = getenv("CONVOY_ISA") ? strdup(getenv("CONVOY_ISA")) : NULL;
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        char run[1024];
        struct cvy_checkpoint_diff diff = cvy_checkpoint_diff_default();
        if (levels[i]) setenv("CONVOY_ISA", levels[i], 1);
        if (levels[i] == NULL && before == NULL) unsetenv("CONVOY_ISA");
        if (levels[i] == NULL && before) setenv("CONVOY_ISA", before, 1);
        snprintf(run, sizeof run, "%s/unusual%zu", test_folder(), i);
        calls_in_unusual(levels[i] ? levels[i] : "best", run);
        TEST_OK(cvy_checkpoint_diff_read(run, run_new("true", "fp32"), &diff));
        CU_ASSERT(diff.identical);
        cvy_checkpoint_diff_destroy(&diff);
    }
    free(before);
}

/* JSON and figures have points whatever the program's language is. */
static void numbers_have_points(void) {
    struct cvy_buf json = {0};
    char out[CVY_FIGURES_TEXT];
    const struct cvy_figures figures = {.count = 1, .items = {{"loss", "loss", "", 0.25}}};
    make_unusual();
    cvy_json_real(&json, NULL, 0.5);
    cvy_figures_text(&figures, out);
    make_usual();
    CU_ASSERT_STRING_EQUAL(cvy_buf_text(&json), "0.5");
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "0.25"));
    cvy_buf_destroy(&json);
}

/* ---- predictors ---- */

struct shown {
    float y[SHOWN * CLASSES];
};

static struct shown show(struct cvy_predictor *p) {
    struct shown shown;
    TEST_OK(cvy_predictor_run(p, samples[0], SHOWN, shown.y));
    return shown;
}

static bool shown_same(const struct shown *a, const struct shown *b) {
    return floats_same(a->y, b->y, SHOWN * CLASSES);
}

/* Of a run by Winograd's algorithm and one by direct sums in one context: each has its own outputs, whichever was made
 * last, and while the other's kind is trained or described. */
static void predictors_apart(void) {
    static const char *const precisions[] = {"fp32", "bf16"};
    for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++) {
        const char *runs[2] = {run_new("false", precisions[i]), run_new("true", precisions[i])};
        struct cvy_context *ctx = context_new(1);
        struct cvy_predictor *p[2];
        struct shown alone[2];
        struct given given = {.host = host_now()};
        for (int k = 0; k < 2; k++) {
            TEST_OK(cvy_predictor_create(ctx, runs[k], &p[0]));
            alone[k] = show(p[0]);
            cvy_predictor_destroy(&p[0]);
        }
        for (int k = 0; k < 2; k++) {
            char run[1100];
            TEST_OK(cvy_predictor_create(ctx, runs[k], &p[k]));
            TEST_OK(cvy_predictor_create(ctx, runs[1 - k], &p[1 - k]));
            for (int j = 0; j < 4; j++) {
                const struct shown now = show(p[j % 2]);
                CU_ASSERT(shown_same(&now, &alone[j % 2]));
            }
            snprintf(run, sizeof run, "%s-beside%d", runs[k], k);
            TEST_OK(train(ctx, experiment("beside", k ? "true" : "false", "fp32"), run, &given));
            for (int j = 0; j < 2; j++) {
                const struct shown now = show(p[j]);
                CU_ASSERT(shown_same(&now, &alone[j]));
            }
            cvy_predictor_destroy(&p[0]);
            cvy_predictor_destroy(&p[1]);
        }
        cvy_context_destroy(&ctx);
    }
}

/* The same weights, by the other algorithm: were the setting lost, the test above would show nothing. */
static void algorithms_differ(void) {
    const char *runs[2] = {run_new("false", "fp32"), run_new("true", "fp32")};
    struct cvy_checkpoint_diff diff = cvy_checkpoint_diff_default();
    TEST_OK(cvy_checkpoint_diff_read(runs[0], runs[1], &diff));
    CU_ASSERT(!diff.identical);
    cvy_checkpoint_diff_destroy(&diff);
}

struct task {
    struct cvy_predictor *p;
    struct shown shown;
    bool unusual;
};

static void *show_there(void *arg) {
    struct task *task = arg;
    if (task->unusual) {
        fesetenv(FE_DFL_ENV);
        fesetround(FE_DOWNWARD);
    }
    for (int i = 0; i < 20; i++) task->shown = show(task->p);
    return NULL;
}

/* Made here, used in one thread after the other, destroyed in another; and two contexts that work at once. */
static void other_threads(void) {
    const char *run = run_new("true", "fp32");
    struct cvy_context *ctx[2] = {context_new(2), context_new(2)};
    struct task tasks[2] = {{.unusual = true}, {0}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) TEST_OK(cvy_predictor_create(ctx[i], run, &tasks[i].p));
    const struct shown here = show(tasks[0].p);
    for (int i = 0; i < 2; i++) CU_ASSERT_EQUAL(pthread_create(&threads[i], NULL, show_there, &tasks[i]), 0);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT(shown_same(&here, &tasks[i].shown));
        cvy_predictor_destroy(&tasks[i].p);
        cvy_context_destroy(&ctx[i]);
    }
}

/* A wish to stop ends one training, and not those after it. */
static void one_stop(void) {
    struct given given = {.host = host_now()};
    struct cvy_context *ctx = context_new(1);
    char run[1024];
    snprintf(run, sizeof run, "%s/stopped", test_folder());
    cvy_request_stop(ctx);
    CU_ASSERT_EQUAL(train(ctx, experiment("stopped", "true", "fp32"), run, &given), CVY_STOPPED);
    strcat(run, "2");
    TEST_OK(train(ctx, experiment("stopped", "true", "fp32"), run, &given));
    cvy_context_destroy(&ctx);
}

/* ---- what HDF5 says ---- */

static int printed;
static herr_t print_own(hid_t stack, void *arg) {
    (void)stack;
    (void)arg;
    printed++;
    return 0;
}

/* The program has HDF5's errors printed its own way: ours are not, its own are, before and after. */
static void hdf5_as_it_was(void) {
    H5E_auto2_t before, after;
    void *before_data, *after_data;
    int64_t good;
    const char *broken = experiment("broken", "true", "fp32"); /* no HDF5 file */
    H5Eget_auto2(H5E_DEFAULT, &before, &before_data);
    H5Eset_auto2(H5E_DEFAULT, print_own, &printed);
    CU_ASSERT_EQUAL(cvy_data_verify(broken, NULL, &good), CVY_ERR_DATA);
    CU_ASSERT_EQUAL(printed, 0);
    H5Eget_auto2(H5E_DEFAULT, &after, &after_data);
    CU_ASSERT(after == print_own && after_data == &printed);
    CU_ASSERT(H5Fopen(broken, H5F_ACC_RDONLY, H5P_DEFAULT) < 0);
    CU_ASSERT_EQUAL(printed, 1);
    H5Eset_auto2(H5E_DEFAULT, before, before_data);
}

/* ---- lives ---- */

static int entries(const char *folder) {
    int count = 0;
    DIR *dir = opendir(folder);
    while (dir && readdir(dir)) count++;
    if (dir) closedir(dir);
    return count;
}

static void *destroy_there(void *arg) {
    cvy_context_destroy((struct cvy_context **)arg);
    return NULL;
}

static void many_lives(void) {
    struct cvy_context *ctx = context_new(3);
    cvy_context_destroy(&ctx); /* what comes once a process has come */
    const int threads = entries("/proc/self/task"), files = entries("/proc/self/fd");
    const size_t live = cvy_memory_live_total();
    for (int i = 0; i < 1000; i++) {
        pthread_t other;
        ctx = context_new(1 + i % 3);
        if (i % 100) {
            cvy_context_destroy(&ctx);
            continue;
        }
        CU_ASSERT_EQUAL(pthread_create(&other, NULL, destroy_there, &ctx), 0);
        pthread_join(other, NULL);
    }
    CU_ASSERT_EQUAL(entries("/proc/self/task"), threads);
    CU_ASSERT_EQUAL(entries("/proc/self/fd"), files);
    CU_ASSERT_EQUAL(cvy_memory_live_total(), live);
}

/* A child that the program makes after the last context is gone is a process like any other. */
static void child_after(void) {
    const char *run = run_new("true", "fp32");
    struct cvy_context *ctx = context_new(2);
    struct cvy_predictor *p;
    TEST_OK(cvy_predictor_create(ctx, run, &p));
    const struct shown here = show(p);
    cvy_predictor_destroy(&p);
    cvy_context_destroy(&ctx);
    const pid_t child = fork();
    if (child == 0) {
        ctx = context_new(2);
        if (cvy_predictor_create(ctx, run, &p) != CVY_OK) _exit(2);
        const struct shown there = show(p);
        cvy_predictor_destroy(&p);
        cvy_context_destroy(&ctx);
        _exit(!shown_same(&here, &there));
    }
    int status = -1;
    alarm(60);
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    alarm(0);
    CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static const struct test_case cases[] = {
    {"every call leaves the thread as it was, and has the same bits", house_as_it_was},
    {"numbers have points in every language", numbers_have_points},
    {"the two algorithms differ in bits", algorithms_differ},
    {"two predictors and a training do not meet", predictors_apart},
    {"other threads, and two contexts at once", other_threads},
    {"a wish to stop ends one training", one_stop},
    {"HDF5's printing is the program's", hdf5_as_it_was},
    {"a thousand contexts leave nothing", many_lives},
    {"a child after the last context", child_after},
    {0},
};
const struct test_suite suite_guest = {"guest", cases, NULL};
