/* The reference for users leaves nothing out: every layer and loss of the table is in it, every kind says what it is
 * for, and every setting what it means. */
#include <stdio.h>
#include <string.h>

#include "convoy/reference.h"
#include "ops/ops.h"
#include "test.h"

static bool told(const char *text) {
    return text && text[0];
}

static void all_is_told(void) {
    struct cvy_topic_facts topic;
    struct cvy_kind_facts kind;
    struct cvy_setting_facts setting;
    int topics = 0;
    for (; cvy_reference_topic(topics, &topic); topics++) {
        int k = 0;
        CU_ASSERT(told(topic.name) && told(topic.purpose));
        for (; cvy_reference_kind(topics, k, &kind); k++) {
            bool good = told(kind.name) && told(kind.purpose), short_found = kind.shorthand == NULL;
            if (!good) fprintf(stderr, "\n    %s %s: .purpose is missing", topic.name, kind.name);
            CU_ASSERT(good);
            for (int i = 0; cvy_reference_setting(topics, k, i, &setting); i++) {
                if (!told(setting.help))
                    fprintf(stderr, "\n    %s %s: %s has no help", topic.name, kind.name, setting.name);
                CU_ASSERT(told(setting.help));
                short_found |= kind.shorthand && strcmp(kind.shorthand, setting.name) == 0;
            }
            CU_ASSERT(short_found);
        }
        CU_ASSERT(k > 1);
    }
    CU_ASSERT(topics >= 9);
}

static int count_kinds(const char *name, const char *in) {
    struct cvy_topic_facts topic;
    struct cvy_kind_facts kind;
    int count = 0;
    for (int t = 0; cvy_reference_topic(t, &topic); t++)
        for (int k = 0; cvy_reference_kind(t, k, &kind); k++)
            count += strcmp(topic.name, in) == 0 && strcmp(kind.name, name) == 0;
    return count;
}

static void every_op_is_in_it(void) {
    static const char *const names[] = {
#define NAME(name) #name,
        CVY_OPS(NAME)};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CU_ASSERT_EQUAL(count_kinds(names[i], "layers") + count_kinds(names[i], "losses"), 1);
    CU_ASSERT_EQUAL(count_kinds("huber", "losses"), 1);
    CU_ASSERT_EQUAL(count_kinds("huber", "layers"), 0);
}

static void beyond_the_end(void) {
    struct cvy_topic_facts topic;
    struct cvy_kind_facts kind;
    struct cvy_setting_facts setting;
    CU_ASSERT_FALSE(cvy_reference_topic(-1, &topic) || cvy_reference_topic(1000, &topic));
    CU_ASSERT_FALSE(cvy_reference_kind(0, 1000, &kind) || cvy_reference_kind(1000, 0, &kind));
    CU_ASSERT_FALSE(cvy_reference_setting(0, 0, 1000, &setting) || cvy_reference_setting(0, 1000, 0, &setting));
}

static const struct test_case cases[] = {
    {"every kind and every setting says what it is", all_is_told},
    {"every layer and loss is in it", every_op_is_in_it},
    {"nothing beyond the end", beyond_the_end},
    {0},
};
const struct test_suite suite_reference = {"reference", cases, NULL};
