#include "unit/kernels/kernels_help.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "test.h"

float *floats_new(size_t count) {
    float *block = malloc((count + 1) * sizeof *block);
    if (block == NULL) abort();
    for (size_t i = 0; i <= count; i++) block[i] = NAN;
    return block + 1;
}

void floats_free(float *floats) {
    if (floats) free(floats - 1);
}

void floats_random(float *out, size_t count, uint32_t seed) {
    struct cvy_rng rng = cvy_rng_at((struct cvy_stream){{seed, 7}}, 0, 0);
    for (size_t i = 0; i < count; i++) out[i] = 2 * cvy_rng_uniform(&rng) - 1;
}

double floats_error(const float *a, const double *b, size_t count) {
    double difference = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        if (isnan(a[i]) && !isnan(b[i])) return INFINITY;
        difference = fmax(difference, fabs(a[i] - b[i]));
        size = fmax(size, fabs(b[i]));
    }
    return difference == 0 ? 0 : difference / size;
}

bool floats_same(const float *a, const float *b, size_t count) {
    return memcmp(a, b, count * sizeof *a) == 0;
}

double sum_tolerance(double terms) {
    return 5e-7 + 1e-7 * sqrt(terms);
}

void each_level(int threads, void (*fn)(const struct cvy_compute *compute, void *arg), void *arg) {
    for (int isa = 0; isa < CVY_ISA_COUNT; isa++) {
        struct cvy_compute *compute;
        if (!cvy_isa_available((enum cvy_isa)isa) || cvy_isa_fp32((enum cvy_isa)isa) != (enum cvy_isa)isa) continue;
        TEST_OK(cvy_compute_create(threads, (enum cvy_isa)isa, &compute));
        fn(compute, arg);
        cvy_compute_destroy(&compute);
    }
}
