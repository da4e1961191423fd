/* Shapes and whole numbers: what the rest of the code asks them instead of working it out. */
#include "core/ints.h"
#include "core/shape.h"
#include "test.h"

static void axes_agree_with_one_another(void) {
    const struct cvy_shape s = {5, 7, 3};
    int64_t sizes[CVY_AXES], count = 1;
    cvy_shape_sizes(s, sizes);
    for (int axis = CVY_AXES - 1; axis >= 0; axis--) {
        CU_ASSERT_EQUAL(cvy_shape_stride(s, axis), count);
        CU_ASSERT_EQUAL(cvy_shape_axis(s, axis), sizes[axis]);
        count *= sizes[axis];
    }
    CU_ASSERT_EQUAL(cvy_shape_count(s), count);
    CU_ASSERT_EQUAL(cvy_shape_pixels(s) * s.c, count);
    CU_ASSERT_EQUAL(cvy_shape_pixels(s), cvy_shape_stride(s, 0) / s.c * sizes[0]);
    CU_ASSERT(cvy_shape_equal(cvy_shape_of(sizes), s));
    CU_ASSERT_STRING_EQUAL(CVY_SHAPE_TEXT(s), "5×7×3");
    CU_ASSERT_STRING_EQUAL(CVY_SPACE_TEXT(s), "5×7");
}

static void space_is_apart_from_channels(void) {
    const struct cvy_shape a = {5, 7, 3}, b = {5, 7, 1}, c = {4, 7, 3};
    struct cvy_shape d = a;
    CU_ASSERT(cvy_shape_same_space(a, b) && !cvy_shape_equal(a, b) && !cvy_shape_same_space(a, c));
    CU_ASSERT(cvy_shape_equal(cvy_shape_in_space_of(b, c), (struct cvy_shape){4, 7, 1}));
    *cvy_shape_size(&d, CVY_CHANNEL_AXIS) = 1;
    CU_ASSERT(cvy_shape_equal(d, b));
    CU_ASSERT_EQUAL(cvy_shape_pixels(cvy_shape_flat(9)), 1);
    CU_ASSERT_STRING_EQUAL(cvy_axis_name(CVY_CHANNEL_AXIS), "channels");
}

static void whole_numbers_are_rounded_up(void) {
    for (int64_t b = 1; b < 9; b++)
        for (int64_t a = 0; a < 40; a++) {
            const int64_t parts = cvy_ceil_div(a, b), up = cvy_round_up(a, b);
            CU_ASSERT(parts * b >= a && (parts - 1) * b < a);
            CU_ASSERT(up % b == 0 && up >= a && up - a < b);
            CU_ASSERT_EQUAL(cvy_clamp(a, b, 20), cvy_min(cvy_max(a, b), 20));
        }
}

static const struct test_case cases[] = {{"axes agree with one another", axes_agree_with_one_another},
                                         {"space is apart from channels", space_is_apart_from_channels},
                                         {"whole numbers are rounded up", whole_numbers_are_rounded_up},
                                         {0}};
const struct test_suite suite_shape = {"shape", cases, NULL};
