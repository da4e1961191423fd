/* Losses that rose far above where they began, and stayed there. */
#include "test.h"
#include "train/record/rise.h"

static const struct cvy_metric ten = {.measure = CVY_MEASURE_CLASSES, .classes = 10},
                               values = {.measure = CVY_MEASURE_VALUES};

/* Epochs of two steps with these losses, which end with 0; the mean that is told, or 0. */
static double mean_after(const struct cvy_metric *metric, const double *losses, int64_t *step) {
    struct cvy_rise rise = {0};
    for (int i = 0; losses[i] > 0; i++) {
        struct cvy_metric_totals totals = {.samples = 4};
        totals.sums[CVY_VALUE_LOSS] = 4 * losses[i];
        cvy_rise_step(&rise, metric, &totals, i + 1);
        if (i % 2 == 1) cvy_rise_end_epoch(&rise);
    }
    *step = rise.step;
    return rise.mean;
}

static void what_is_far_above(void) {
    static const struct {
        const struct cvy_metric *metric;
        double losses[8], mean;
        int64_t step;
    } cases[] = {
        {&ten, {2.3, 2.1, 1.9, 1.7}, 0, 0},
        {&ten, {2.3, 40, 60, 80}, 70, 2},
        {&ten, {2.3, 60, 2.2, 2.1}, 0, 0},          /* one step, and well again */
        {&ten, {2.3, 60, 2.2, 2.1, 70, 80}, 75, 5}, /* the second time */
        {&ten, {0.001, 0.2, 2, 20}, 0, 0},          /* fine-tuning begins low; 11 is not far above ln(10) */
        {&ten, {0.001, 0.2, 20, 40}, 30, 4},        /* and this is */
        {&ten, {30, 40, 60, 80}, 0, 0},             /* it began high */
        {&values, {0.01, 0.02, 0.5, 0.9}, 0, 0},    /* the first batch was easy */
        {&values, {0.01, 0.02, 3, 5}, 4, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t step;
        CU_ASSERT_DOUBLE_EQUAL(mean_after(cases[i].metric, cases[i].losses, &step), cases[i].mean, 1e-9);
        CU_ASSERT_EQUAL(step, cases[i].step);
    }
}

static const struct test_case cases[] = {{"what is far above", what_is_far_above}, {0}};
const struct test_suite suite_rise = {"rise", cases, NULL};
