/* Who is called slow: windows of steps, medians, and nobody twice. */
#include "test.h"
#include "train/record/straggler.h"

enum { RANKS = 4, WINDOW = CVY_STRAGGLER_STEPS, ALL = CVY_STRAGGLER_STEPS * CVY_STRAGGLER_WINDOWS };

/* Steps in which `rank` takes `times` as long as the others; returns in how many somebody was to be named. */
static int run(struct cvy_straggler *s, int steps, int rank, double times) {
    int named = 0;
    for (int i = 0; i < steps; i++) {
        double compute[RANKS];
        for (int r = 0; r < RANKS; r++) compute[r] = 0.16 * (r == rank ? times : 1);
        named += cvy_straggler_step(s, compute);
    }
    return named;
}

static void persistent_one_is_named_once(void) {
    struct cvy_straggler s;
    TEST_OK(cvy_straggler_create(RANKS, &s));
    CU_ASSERT_EQUAL(run(&s, ALL - 1, 2, 1.5), 0);
    CU_ASSERT_EQUAL(run(&s, 1, 2, 1.5), 1);
    CU_ASSERT_EQUAL(s.rank, 2);
    CU_ASSERT_DOUBLE_EQUAL(s.slow, 0.24, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(s.usual, 0.16, 1e-12);
    CU_ASSERT_EQUAL(run(&s, 10 * ALL, 2, 1.5), 0);
    CU_ASSERT_EQUAL(run(&s, WINDOW, 2, 1), 0); /* well again */
    CU_ASSERT_EQUAL(run(&s, ALL, 2, 1.5), 0);  /* known */
    CU_ASSERT_EQUAL(run(&s, ALL, 1, 1.5), 1);
    cvy_straggler_destroy(&s);
}

static void others_are_not_named(void) {
    struct cvy_straggler s;
    TEST_OK(cvy_straggler_create(RANKS, &s));
    CU_ASSERT_EQUAL(run(&s, 2 * ALL, 1, 1.2), 0);                                   /* a little */
    for (int i = 0; i < 12; i++) CU_ASSERT_EQUAL(run(&s, WINDOW, i % RANKS, 2), 0); /* now this one, now that one */
    CU_ASSERT_EQUAL(run(&s, 1, 3, 100), 0); /* one step alone: a checkpoint, say */
    CU_ASSERT_EQUAL(run(&s, 2 * ALL, 3, 1), 0);
    cvy_straggler_destroy(&s);
}

/* Steps of microseconds differ by chance. */
static void short_steps_take_many(void) {
    struct cvy_straggler s;
    const double compute[RANKS] = {20e-6, 30e-6, 20e-6, 20e-6};
    int named = 0;
    TEST_OK(cvy_straggler_create(RANKS, &s));
    for (int i = 0; i < 250000; i++) named += cvy_straggler_step(&s, compute);
    CU_ASSERT_EQUAL(named, 0);
    for (int i = 0; i < 100000; i++) named += cvy_straggler_step(&s, compute);
    CU_ASSERT_EQUAL(named, 1);
    cvy_straggler_destroy(&s);
}

static const struct test_case cases[] = {
    {"one that is slow for long is named once", persistent_one_is_named_once},
    {"others are not", others_are_not_named},
    {"short steps take many", short_steps_take_many},
    {0},
};
const struct test_suite suite_straggler = {"straggler", cases, NULL};
