/* The best so far of a figure, and how long ago. */
#include <math.h>

#include "test.h"
#include "train/metric.h"
#include "train/standing.h"

static const struct {
    bool more;
    double min_delta, values[8];
    int64_t step, waited; /* after all of them, at steps 10, 20, … */
} cases_[] = {
    {false, 0, {4, 3, 2, 1, 1, 1, 2, 1}, 40, 4},
    {true, 0, {4, 3, 2, 1, 1, 1, 2, 1}, 10, 7},
    {true, 0.5, {1, 1.4, 1.5, 1.6, 2, 2.1, 2.2, 0}, 70, 1},
    {false, 1, {-1, -2, -2.5, -3.5, -3.6, -5, -5, -5.5}, 60, 2},
    {true, 0, {20, INFINITY, 30, INFINITY, 30, 30, 30, 30}, 20, 6},
};

static void best_so_far(void) {
    for (size_t i = 0; i < sizeof cases_ / sizeof *cases_; i++) {
        struct cvy_standing s = {0}, again;
        double numbers[CVY_STANDING_NUMBERS];
        for (int k = 0; k < 8; k++) {
            const bool better =
                cvy_standing_take(&s, cases_[i].values[k], cases_[i].more, cases_[i].min_delta, 10 * (k + 1));
            CU_ASSERT(better == (s.step == 10 * (k + 1)) && s.seen == k + 1);
            cvy_standing_save(&s, numbers); /* a checkpoint after each changes nothing */
            CU_ASSERT(cvy_standing_load(numbers, &again));
            s = again;
        }
        CU_ASSERT(s.step == cases_[i].step && s.waited == cases_[i].waited);
        CU_ASSERT_EQUAL(s.value, cases_[i].values[s.step / 10 - 1]);
    }
}

static void no_such_numbers(void) {
    static const double wrong[][CVY_STANDING_NUMBERS] = {
        {1, -1, 1, 1}, {1, 1.5, 1, 1}, {1, 1, 1e300, 1}, {1, 1, 1, NAN}};
    struct cvy_standing s;
    for (int i = 0; i < 4; i++) CU_ASSERT_FALSE(cvy_standing_load(wrong[i], &s));
}

/* Which figures there are, and which way is better. */
static void names(void) {
    const struct cvy_metric few = {CVY_MEASURE_CLASSES, {1, 1, 4}, 4, 1},
                            many = {CVY_MEASURE_CLASSES, {1, 1, 10}, 10, 1},
                            map = {CVY_MEASURE_VALUES, {8, 8, 1}, 0, 1}, labels = {CVY_MEASURE_LABELS, {1, 1, 3}, 3, 1};
    char text[64];
    bool more;
    CU_ASSERT_STRING_EQUAL(cvy_metric_names(&few, text), "loss and top1");
    CU_ASSERT_STRING_EQUAL(cvy_metric_names(&many, text), "loss, top1 and top5");
    CU_ASSERT_STRING_EQUAL(cvy_metric_names(&map, text), "loss, mae, rmse and psnr");
    CU_ASSERT_STRING_EQUAL(cvy_metric_names(&labels, text), "loss and exact");
    CU_ASSERT(cvy_metric_known(&few, "loss", &more) && !more);
    CU_ASSERT(cvy_metric_known(&few, "top1", &more) && more);
    CU_ASSERT(cvy_metric_known(&map, "psnr", &more) && more);
    CU_ASSERT(cvy_metric_known(&map, "mae", &more) && !more);
    CU_ASSERT_FALSE(cvy_metric_known(&few, "top5", &more) || cvy_metric_known(&map, "top1", &more));
}

static const struct test_case cases[] = {
    {"the best so far, and how long ago", best_so_far},
    {"numbers that are none", no_such_numbers},
    {"which figures there are", names},
    {0},
};
const struct test_suite suite_standing = {"standing", cases, NULL};
