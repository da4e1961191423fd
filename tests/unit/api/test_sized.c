/* Structs that can grow (convoy/sized.h): shorter ones of older programs work, longer ones of newer programs work as
 * long as nothing is set that is not known here, and one that was never initialised is refused by its name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convoy.h"
#include "test.h"

static struct cvy_context *ctx;

static const char *model_file(void) {
    static char path[1024];
    snprintf(path, sizeof path, "%s/sized.yaml", test_folder());
    test_write(path, "name: sized\nmodel: {input: [4, 4, 1], layers: [{dense: 2}]}\n"
                     "train: {epochs: 1, batch: 2, learning_rate: 0.1}\n");
    return path;
}

static bool says(const char *words) {
    if (strstr(cvy_error_message(), words)) return true;
    fprintf(stderr, "\n    expected \"%s\" in: %s", words, cvy_error_message());
    return false;
}

/* ---- Every function that takes options, and every one that gives a result ---- */

static cvy_status create_context(const void *options) {
    struct cvy_context *other;
    cvy_status status = cvy_context_create(options, &other);
    cvy_context_destroy(&other);
    return status;
}
static cvy_status train(const void *options) {
    struct cvy_train_summary out = cvy_train_summary_default();
    return cvy_train(ctx, options, &out);
}
static cvy_status train_on(const void *source) {
    char run[1024];
    snprintf(run, sizeof run, "%s/sized-run", test_folder());
    struct cvy_train_summary out = cvy_train_summary_default();
    return cvy_train(
        ctx,
        &CVY_INIT(cvy_train_options, .experiment = model_file(), .train = source, .run_folder = run, .dry_run = true),
        &out);
}
static cvy_status evaluate(const void *options) {
    struct cvy_eval_result out = cvy_eval_result_default();
    return cvy_eval(ctx, options, &out);
}
static cvy_status describe(const void *options) {
    struct cvy_model_facts out = cvy_model_facts_default();
    cvy_status status = cvy_describe(ctx, options, &out);
    cvy_model_facts_destroy(&out);
    return status;
}
static cvy_status bench(const void *options) {
    struct cvy_bench_result out = cvy_bench_result_default();
    cvy_status status = cvy_bench(ctx, options, &out);
    cvy_bench_result_destroy(&out);
    return status;
}
static cvy_status plan(const void *options) {
    struct cvy_plan_facts out = cvy_plan_facts_default();
    cvy_status status = cvy_plan(ctx, options, &out);
    cvy_plan_facts_destroy(&out);
    return status;
}
static cvy_status bench_network(const void *options) {
    struct cvy_network_facts out = cvy_network_facts_default();
    return cvy_bench_network(ctx, options, &out);
}
static cvy_status read_info(const void *form) {
    struct cvy_data_info out = cvy_data_info_default();
    return cvy_data_info_read("nowhere.h5", form, &out);
}
static cvy_status pack(const void *options) {
    struct cvy_data_info out = cvy_data_info_default();
    return cvy_data_pack(ctx, options, &out);
}
static cvy_status split(const void *options) {
    struct cvy_data_info first = cvy_data_info_default(), rest = cvy_data_info_default();
    return cvy_data_split(ctx, options, &first, &rest);
}
static cvy_status predictions(const void *options) {
    static const char unread[1024];
    struct cvy_predictions *out;
    return cvy_predictions_create((const void *)unread, options, &out); /* options are looked at first */
}

/* Options of newer headers: as of today, and something behind. */
enum { BEHIND = 24, ROOM = 1024 };

#define OPTIONS(type, call)                                                                                            \
    { "struct " #type, sizeof(struct type), call }
static const struct {
    const char *name;
    size_t size;
    cvy_status (*call)(const void *options);
} takers[] = {
    OPTIONS(cvy_context_options, create_context),
    OPTIONS(cvy_train_options, train),
    OPTIONS(cvy_data_source, train_on),
    OPTIONS(cvy_eval_options, evaluate),
    OPTIONS(cvy_describe_options, describe),
    OPTIONS(cvy_bench_options, bench),
    OPTIONS(cvy_plan_options, plan),
    OPTIONS(cvy_bench_network_options, bench_network),
    OPTIONS(cvy_data_form, read_info),
    OPTIONS(cvy_data_pack_options, pack),
    OPTIONS(cvy_data_split_options, split),
    OPTIONS(cvy_predictions_options, predictions),
};

/* The last byte of the future is the one that is set. */
static void options_of_newer_programs(void) {
    for (size_t i = 0; i < COUNT(takers); i++) {
        _Alignas(16) char options[ROOM] = {0};
        const size_t size = takers[i].size + BEHIND;
        memcpy(options, &size, sizeof size);
        if (takers[i].call(options) != CVY_OK) CU_ASSERT_PTR_NULL(strstr(cvy_error_message(), " is set"));
        options[size - 1] = 1;
        CU_ASSERT_EQUAL(takers[i].call(options), CVY_ERR_USAGE);
        CU_ASSERT(says(takers[i].name) && says(" is set, of which this library (convoy ") && says(cvy_version()));
    }
}

/* Zero is the first version's size; what was not initialised has any other. */
static void options_without_a_size(void) {
    for (size_t i = 0; i < COUNT(takers); i++) {
        _Alignas(16) char options[ROOM] = {0};
        if (takers[i].call(options) != CVY_OK) CU_ASSERT_PTR_NULL(strstr(cvy_error_message(), "its size is"));
        memset(options, 0x5a, sizeof options); /* what a stack may hold */
        CU_ASSERT_EQUAL(takers[i].call(options), CVY_ERR_USAGE);
        CU_ASSERT(says(takers[i].name));
    }
}

/* As a program of before `set` was there would have them: a block of just that size, so that a sanitizer sees more. */
static void options_of_older_programs(void) {
    const size_t size = offsetof(struct cvy_describe_options, set);
    const struct cvy_describe_options now = {.size = size, .path = model_file()};
    void *options = malloc(size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(options);
    memcpy(options, &now, size);
    TEST_OK(describe(options));
    free(options);
    CU_ASSERT_EQUAL(describe(NULL), CVY_ERR_USAGE); /* all defaults, and there is one that has to be given */
    CU_ASSERT(says("struct cvy_describe_options: its member path is not set"));
    TEST_OK(create_context(NULL));
}

static void results_of_older_programs(void) {
    struct cvy_model_facts facts = cvy_model_facts_default();
    struct cvy_setting_facts setting;
    memset(&setting, 0x7f, sizeof setting);
    setting.size = offsetof(struct cvy_setting_facts, fallback);
    CU_ASSERT(cvy_reference_setting(0, 0, 0, &setting));
    CU_ASSERT_EQUAL(setting.size, offsetof(struct cvy_setting_facts, fallback));
    CU_ASSERT(setting.name[0] && setting.help[0]);
    CU_ASSERT_EQUAL(setting.type[0], 0x7f); /* not ours to write */
    CU_ASSERT_EQUAL(*(const unsigned char *)&setting.fallback, 0x7f);
    TEST_OK(cvy_describe(ctx, &CVY_INIT(cvy_describe_options, .path = model_file()), &facts));
    CU_ASSERT_EQUAL(facts.size, sizeof facts);
    CU_ASSERT_EQUAL_FATAL(facts.layer_count, 1);
    CU_ASSERT_EQUAL(facts.layers[0]->params, 34);
    cvy_model_facts_destroy(&facts);
    CU_ASSERT(facts.size == sizeof facts && facts.layers == NULL && facts.layer_count == 0);
}

/* All of it is theirs: what we do not know is zero. */
static void results_of_newer_programs(void) {
    struct {
        struct cvy_model_facts now;
        char behind[BEHIND];
    } facts;
    memset(&facts, 0x7f, sizeof facts);
    facts.now.size = sizeof facts;
    TEST_OK(cvy_describe(ctx, &CVY_INIT(cvy_describe_options, .path = model_file()), &facts.now));
    for (int i = 0; i < BEHIND; i++) CU_ASSERT_EQUAL(facts.behind[i], 0);
    cvy_model_facts_destroy(&facts.now);
}

static void results_without_a_size(void) {
    struct cvy_model_facts facts = {0}, unset;
    struct cvy_topic_facts topic = {0};
    struct cvy_data_info info = {0};
    TEST_OK(cvy_describe(ctx, &(struct cvy_describe_options){.path = model_file()}, &facts));
    CU_ASSERT(facts.size == sizeof facts && facts.layer_count == 1);
    cvy_model_facts_destroy(&facts);
    CU_ASSERT(cvy_reference_topic(0, &topic) && topic.name && topic.name[0]);
    cvy_data_info_destroy(&info); /* never filled */
    memset(&unset, 0x5a, sizeof unset);
    CU_ASSERT_EQUAL(cvy_describe(ctx, &CVY_INIT(cvy_describe_options, .path = model_file()), &unset), CVY_ERR_USAGE);
    CU_ASSERT(says("struct cvy_model_facts: its size is ") && says("_default()"));
}

static void begin(void) {
    TEST_OK(cvy_context_create(&CVY_INIT(cvy_context_options, .threads = 1, .log_level = CVY_LOG_ERROR), &ctx));
}
static void end(void) {
    cvy_context_destroy(&ctx);
}

static const struct test_case cases[] = {
    {"a context", begin},
    {"options of newer programs", options_of_newer_programs},
    {"options without a size, or of none", options_without_a_size},
    {"options of older programs", options_of_older_programs},
    {"results of older programs", results_of_older_programs},
    {"results of newer programs", results_of_newer_programs},
    {"results without a size, or of none", results_without_a_size},
    {"no context", end},
    {0},
};
const struct test_suite suite_sized = {"sized", cases, NULL};
