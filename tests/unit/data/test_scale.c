/* data/scale and data/probe: which ranges are the same scale, converted or refused; what a selection tells apart; and
 * statistics of a set that brings none, which are those that packing it computes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/pack.h"
#include "data/probe.h"
#include "hdf5_help.h"
#include "io/path.h"
#include "test.h"
#include "unit/data/range_help.h"

/* ---- Scales ---- */

static void scales(void) {
    static const struct {
        struct cvy_range trained, given;
        double factor; /* REFUSED: none is certain */
    } cases[] = {
        /* pictures in other containers */
        {BYTES(0, 255), BYTES(3, 250), 1},
        {BYTES(0, 255), BYTES(0, 1), 1},
        {BYTES(0, 255), NUMBERS(0, 1), 255},
        {BYTES(0, 255), NUMBERS(0.1, 0.9), 255},
        {BYTES(0, 255), WHOLE(0, 255), 1},
        {BYTES(0, 255), NUMBERS(0, 140.5), 1},
        {NUMBERS(0, 1), BYTES(0, 255), 1.0 / 255},
        {NUMBERS(0, 1), WHOLE(0, 255), 1.0 / 255},
        {NUMBERS(0, 1), NUMBERS(0, 254.7), 1.0 / 255},
        {NUMBERS(0, 1), NUMBERS(0.2, 0.8), 1},
        {NUMBERS(0, 1), WHOLE(0, 1), 1},
        {NUMBERS(0, 1), NUMBERS(-0.02, 1.05), 1}, /* an interpolation's overshoot */
        {WHOLE(0, 255), BYTES(0, 255), 1},
        {WHOLE(0, 255), NUMBERS(0, 1), 255},
        {BYTES(0, 255), NUMBERS(-0.02, 1.02), 255},
        {WHOLE(0, 255), NUMBERS(-0.02, 1.02), 255},
        {NUMBERS(-0.02, 1.02), BYTES(0, 255), 1.0 / 255},
        {NUMBERS(-0.02, 1.02), NUMBERS(0.1, 0.9), 1},
        /* not certain, or certainly another scale */
        {BYTES(0, 255), WHOLE(0, 1), REFUSED},
        {BYTES(0, 255), NUMBERS(-1, 1), REFUSED},
        {BYTES(0, 255), WHOLE(0, 65535), REFUSED},
        {BYTES(0, 255), WHOLE(-128, 127), REFUSED},
        {NUMBERS(0, 1), BYTES(0, 1), REFUSED},
        {NUMBERS(0, 1), NUMBERS(-1, 1), REFUSED},
        {NUMBERS(0, 1), NUMBERS(-2.1, 2.6), REFUSED},
        {NUMBERS(0, 1), WHOLE(0, 65535), REFUSED},
        {NUMBERS(-1, 1), NUMBERS(0, 1), REFUSED},
        {NUMBERS(-2.1, 2.6), BYTES(0, 255), REFUSED},
        {WHOLE(0, 65535), BYTES(0, 255), REFUSED},
        {WHOLE(0, 65535), NUMBERS(0, 1), REFUSED},
        {WHOLE(0, 65535), WHOLE(0, 4095), REFUSED},
        {WHOLE(-128, 127), BYTES(0, 255), REFUSED},
        {WHOLE(-128, 127), NUMBERS(0, 1), REFUSED},
        {BYTES(0, 255), NUMBERS(0, 100), REFUSED}, /* per cent */
        {WHOLE(0, 255), NUMBERS(0, 100), REFUSED},
        {NUMBERS(-1, 1), NUMBERS(-0.02, 1.02), REFUSED},
        {NUMBERS(-0.02, 1.02), NUMBERS(-1, 1), REFUSED},
        {NUMBERS(0, 100), NUMBERS(-1, 1), REFUSED},
        {WHOLE(0, 65535), NUMBERS(0, 100), REFUSED},
        {WHOLE(-128, 127), NUMBERS(-1, 1), REFUSED},
        {WHOLE(-128, 127), NUMBERS(0, 100), REFUSED},
        {BYTES(0, 1), BYTES(0, 255), REFUSED},
        {WHOLE(0, 1), BYTES(0, 255), REFUSED},
        /* the same in other units */
        {NUMBERS(0, 51780), NUMBERS(0, 51.78), REFUSED},
        {NUMBERS(-820, 990), NUMBERS(-0.82, 0.99), REFUSED},
        {NUMBERS(-820, 990), NUMBERS(0, 0), 1},
        {NUMBERS(-820, 990), NUMBERS(-30, 22), 1},
        /* measured values, which are no pictures */
        {WHOLE(0, 65535), WHOLE(12, 60000), 1},
        {WHOLE(-128, 127), WHOLE(-90, 120), 1},
        {NUMBERS(-3.2, 3.4), NUMBERS(-5.1, 4.4), 1},
        {NUMBERS(-3.2, 3.4), NUMBERS(0.2, 2.9), 1},
        {NUMBERS(0, 1.2), NUMBERS(0.01, 0.99), 1},
        {NUMBERS(0, 37.5), NUMBERS(0, 3750), REFUSED},
        {NUMBERS(270, 310), NUMBERS(250, 260), 1},
        {NUMBERS(11.1, 26.9), NUMBERS(-17, -2.3), 1},
        {NUMBERS(0.1, 31), NUMBERS(-20, 13), 1},
        {NUMBERS(-0.08, 0.4), NUMBERS(-0.5, 0.8), 1},
        {NUMBERS(216, 349), WHOLE(283, 283), 1},
        {WHOLE(-10, 2996), WHOLE(0, 399), 1},
        {WHOLE(-200, 299), WHOLE(-1000, 2997), 1},
        {NUMBERS(270, 310), NUMBERS(-3, 37), REFUSED}, /* kelvin, degrees Celsius */
        {NUMBERS(-3, 37), NUMBERS(270, 310), REFUSED},
        {NUMBERS(270, 310), NUMBERS(100000, 102000), REFUSED},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        double factor = REFUSED;
        const bool certain = cvy_scale_between(&cases[i].trained, &cases[i].given, &factor);
        const bool as_told = certain ? factor == cases[i].factor : cases[i].factor == REFUSED;
        if (!as_told) fprintf(stderr, "\n    case %zu: %s, factor %g", i, certain ? "certain" : "refused", factor);
        CU_ASSERT(as_told);
    }
}

/* Between an offset and another sign no factor leads. */
static void factors(void) {
    static const struct {
        struct cvy_range trained, given;
        bool there;
    } cases[] = {
        {BYTES(0, 255), WHOLE(0, 1), true},          {BYTES(0, 255), NUMBERS(0, 76.5), true},
        {BYTES(60, 219), WHOLE(15420, 56283), true}, {NUMBERS(-3, 11), NUMBERS(-48, 176), true},
        {NUMBERS(0, 1), BYTES(0, 1), true},          {BYTES(0, 255), NUMBERS(-1, 1), false},
        {BYTES(0, 255), WHOLE(-128, 127), false},    {WHOLE(-128, 127), BYTES(0, 255), false},
        {NUMBERS(-1, 1), BYTES(0, 255), false},      {NUMBERS(-2.1, 2.6), BYTES(0, 255), false},
        {NUMBERS(-3, 11), NUMBERS(17, 31), false},   {NUMBERS(270, 310), NUMBERS(-3, 37), false},
        {NUMBERS(270, 310), NUMBERS(0, 0), false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const bool there = cvy_scale_has_factor(&cases[i].trained, &cases[i].given);
        if (there != cases[i].there) fprintf(stderr, "\n    case %zu: %s", i, there ? "a factor" : "no factor");
        CU_ASSERT_EQUAL(there, cases[i].there);
    }
}

static void ranges(void) {
    const unsigned char bytes[] = {7, 3, 200};
    const float reals[] = {0.5F, -2, 7};
    struct cvy_range range = cvy_range_of(CVY_U8);
    cvy_range_widen(&range, CVY_U8, bytes, 3);
    CU_ASSERT(range.low == 3 && range.high == 200 && range.whole && range.bytes);
    range = cvy_range_of(CVY_F32);
    cvy_range_widen(&range, CVY_F32, reals + 1, 2);
    CU_ASSERT(range.low == -2 && range.high == 7 && range.whole && !range.bytes);
    cvy_range_widen(&range, CVY_F32, reals, 1);
    CU_ASSERT(range.low == -2 && range.high == 7 && !range.whole);
}

/* ---- Probes ---- */

enum { SAMPLES = 1000, FLOATS = 12, CLASSES = 5 };

struct set {
    float x[SAMPLES * FLOATS], targets[SAMPLES * 2];
    int32_t y[SAMPLES];
};

static void fill(struct set *s) {
    for (int i = 0; i < SAMPLES * FLOATS; i++) s->x[i] = (float)(i * 37 % 1009) / 64 - 5;
    for (int i = 0; i < SAMPLES; i++) s->y[i] = i % CLASSES;
    for (int i = 0; i < SAMPLES * 2; i++) s->targets[i] = (float)i;
}

static struct cvy_probe probe(const struct set *s, bool values) {
    const struct cvy_dataset_info info = {.count = SAMPLES,
                                          .shape = {2, 2, 3},
                                          .x_type = CVY_F32,
                                          .target = {values ? CVY_F32 : CVY_I32, {1, 1, values ? 2 : 1}},
                                          .classes = values ? 2 : CLASSES};
    struct cvy_source *source;
    struct cvy_probe out = {0};
    TEST_OK(cvy_source_memory(&info, s->x, values ? (const void *)s->targets : s->y, &source));
    TEST_OK(cvy_source_probe(source, &out));
    cvy_source_destroy(&source);
    return out;
}

/* Both ends and the middle of the set are looked at, every single class, and nothing that is not changed differs. */
static void probes(void) {
    static struct set a, b;
    fill(&a);
    const struct cvy_probe before = probe(&a, false), dense = probe(&a, true);
    CU_ASSERT(before.range.low == -5 && !before.range.whole && before.inputs == dense.inputs);
    for (int which = 0; which < 3; which++) {
        fill(&b);
        const int sample = which == 0 ? 0 : which == 1 ? SAMPLES - 1 : (SAMPLES - 4) * 3 / 7;
        b.x[sample * FLOATS + 5] += 1;
        const struct cvy_probe after = probe(&b, false);
        CU_ASSERT(after.inputs != before.inputs && after.targets == before.targets);
    }
    fill(&b);
    b.y[345] = (b.y[345] + 1) % CLASSES;
    CU_ASSERT(probe(&b, false).targets != before.targets && probe(&b, false).inputs == before.inputs);
    b.targets[1] = 7;
    CU_ASSERT(probe(&b, true).targets != dense.targets && probe(&b, true).inputs == dense.inputs);
}

/* A user's file measured in place, and the statistics that its packed copy carries. */
static void measured(void) {
    static struct set s;
    char path[CVY_PATH_MAX], packed[CVY_PATH_MAX];
    const char *folder = test_folder();
    const hsize_t x[4] = {SAMPLES, 2, 2, 3}, y = SAMPLES;
    struct cvy_dataset *user, *ours;
    struct cvy_source *source;
    double mean[3], std[3];
    struct cvy_measured found;
    fill(&s);
    TEST_OK(cvy_path_join(folder, "user.h5", path));
    TEST_OK(cvy_path_join(folder, "packed.h5", packed));
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_IEEE_F64LE, H5T_NATIVE_FLOAT, 4, x, s.x);
    hdf5_put(file, "/y", H5T_STD_I32LE, H5T_NATIVE_INT32, 1, &y, s.y);
    H5Fclose(file);
    TEST_OK(cvy_pack_hdf5(&(struct cvy_dataset_spec){.file = path}, packed, &(struct cvy_pack_options){0}));
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = path}, &user));
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = packed}, &ours));
    CU_ASSERT(!cvy_dataset_info(user)->packed && cvy_dataset_info(ours)->packed);
    CU_ASSERT_STRING_EQUAL(cvy_dataset_info(user)->stored, "float64");
    CU_ASSERT_STRING_EQUAL(cvy_dataset_info(ours)->stored, "float32");
    TEST_OK(cvy_source_borrow(user, &source));
    TEST_OK(cvy_source_measure(source, &(struct cvy_work){.stop = NULL}, mean, std, &found));
    CU_ASSERT_EQUAL(found.part, SAMPLES);
    CU_ASSERT(memcmp(mean, cvy_dataset_info(ours)->mean, sizeof mean) == 0);
    CU_ASSERT(memcmp(std, cvy_dataset_info(ours)->std, sizeof std) == 0);
    CU_ASSERT(found.range.low == -5 && fabs(found.range.high - (1008.0 / 64 - 5)) < 1e-6);
    cvy_source_destroy(&source);
    cvy_dataset_close(&user);
    cvy_dataset_close(&ours);
}

/* Channels of any size, and of small differences beside a large mean, have their own standard deviation. */
static void small_spreads(void) {
    enum { N = 4000 };
    static const double sizes[] = {1e-12, 1e-6, 1, 1e6}, means[] = {0, 1e5};
    for (size_t s = 0; s < COUNT(sizes); s++)
        for (size_t m = 0; m < COUNT(means); m++) {
            static float x[N];
            double sum = 0, squares = 0, mean, std;
            struct cvy_source *source;
            struct cvy_measured found;
            int32_t y[N] = {0};
            if (means[m] > 0 && sizes[s] < 1) continue; /* less than a float32 there tells apart */
            for (int i = 0; i < N; i++) x[i] = (float)(means[m] + sizes[s] * (i * 37 % 1009) / 1009);
            for (int i = 0; i < N; i++) sum += x[i];
            for (int i = 0; i < N; i++) squares += (x[i] - sum / N) * (x[i] - sum / N);
            const struct cvy_dataset_info info = {.count = N, .shape = {1, 1, 1}, .x_type = CVY_F32, .classes = 1};
            TEST_OK(cvy_source_memory(&info, x, y, &source));
            TEST_OK(cvy_source_measure(source, &(struct cvy_work){.stop = NULL}, &mean, &std, &found));
            CU_ASSERT(fabs(mean - sum / N) <= 1e-9 * (fabs(mean) + sizes[s]));
            CU_ASSERT(fabs(std - sqrt(squares / N)) < 1e-6 * std);
            cvy_source_destroy(&source);
        }
}

static const struct test_case cases[] = {
    {"ranges", ranges},
    {"the same scale, converted, or refused", scales},
    {"where a factor leads", factors},
    {"a selection tells sets apart", probes},
    {"statistics in place are those of packing", measured},
    {"small spreads", small_spreads},
    {0},
};
const struct test_suite suite_data_scale = {.name = "data_scale", .cases = cases};
