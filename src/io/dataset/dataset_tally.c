#include "io/dataset/dataset_tally.h"

#include <math.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/memory.h"
#include "io/dataset/dataset_part.h"

struct channel {
    uint64_t sum, squares; /* uint8: of at most 2^48 values */
    /* float32: of differences from the first value, so that small ones beside a large mean are not lost */
    double first, real_sum, real_squares;
    bool varies;
};

struct cvy_tally {
    struct cvy_dataset_info info; /* count, shape, x_type and target */
    struct channel *channels;
    struct cvy_range range;
    XXH64_state_t x, y;
};

cvy_status cvy_tally_create(const struct cvy_dataset_plan *plan, struct cvy_tally **out) {
    CVY_TRY(CVY_NEW(out, 1, data));
    (*out)->info.shape = plan->shape;
    (*out)->info.x_type = plan->x_type;
    (*out)->info.target = plan->target;
    cvy_status status = CVY_NEW(&(*out)->channels, plan->shape.c, data);
    if (status == CVY_OK)
        cvy_tally_reset(*out);
    else
        cvy_tally_destroy(out);
    return status;
}

void cvy_tally_destroy(struct cvy_tally **tally) {
    if (*tally) cvy_free((*tally)->channels);
    CVY_DELETE(tally);
}

void cvy_tally_reset(struct cvy_tally *tally) {
    tally->info.count = 0;
    tally->range = cvy_range_of(tally->info.x_type);
    memset(tally->channels, 0, (size_t)tally->info.shape.c * sizeof *tally->channels);
    XXH64_reset(&tally->x, 0);
    XXH64_reset(&tally->y, 0);
}

static void add_bytes(struct cvy_tally *t, size_t pixels, const unsigned char *x) {
    size_t channels = (size_t)t->info.shape.c;
    for (size_t c = 0; c < channels; c++) {
        uint64_t sum = 0, squares = 0;
        for (size_t p = 0; p < pixels; p++) {
            uint32_t v = x[p * channels + c];
            sum += v;
            squares += v * v;
        }
        t->channels[c].sum += sum;
        t->channels[c].squares += squares;
    }
}

static void add_reals(struct cvy_tally *t, size_t pixels, const float *x) {
    size_t channels = (size_t)t->info.shape.c;
    for (size_t p = 0; p < pixels; p++)
        for (size_t c = 0; c < channels; c++) {
            struct channel *s = &t->channels[c];
            const double v = x[p * channels + c] - s->first;
            s->real_sum += v;
            s->real_squares += v * v;
            s->varies |= v != 0;
        }
}

void cvy_tally_add(struct cvy_tally *t, int64_t count, const void *x, const void *y) {
    size_t pixels = (size_t)(count * cvy_shape_pixels(t->info.shape));
    for (int c = 0; t->info.count == 0 && count > 0 && t->info.x_type == CVY_F32 && c < t->info.shape.c; c++)
        t->channels[c].first = ((const float *)x)[c];
    t->info.count += count;
    cvy_range_widen(&t->range, t->info.x_type, x, count * cvy_shape_count(t->info.shape));
    XXH64_update(&t->x, x, (size_t)count * cvy_dataset_sample_bytes(&t->info));
    if (y) XXH64_update(&t->y, y, (size_t)count * cvy_target_bytes(t->info.target));
    if (t->info.x_type == CVY_U8)
        add_bytes(t, pixels, x);
    else
        add_reals(t, pixels, x);
}

int64_t cvy_tally_count(const struct cvy_tally *tally) {
    return tally->info.count;
}

void cvy_tally_stats(const struct cvy_tally *t, double *mean, double *std) {
    double values = (double)t->info.count * (double)cvy_shape_pixels(t->info.shape);
    for (int c = 0; c < t->info.shape.c; c++) {
        const struct channel *s = &t->channels[c];
        const double bytes = (double)s->sum / values, reals = s->real_sum / values; /* one of the two is zero */
        double variance = ((double)s->squares + s->real_squares) / values - (bytes + reals) * (bytes + reals);
        bool varies = t->info.x_type == CVY_U8 ? variance > 1e-12 * (1 + bytes * bytes) : s->varies && variance > 0;
        mean[c] = bytes + s->first + reals;
        std[c] = varies ? sqrt(variance) : 1;
    }
}

struct cvy_range cvy_tally_range(const struct cvy_tally *t) {
    return t->range;
}

uint64_t cvy_tally_digest(const struct cvy_tally *t) {
    return cvy_dataset_digest(&t->info, XXH64_digest(&t->x), XXH64_digest(&t->y));
}
