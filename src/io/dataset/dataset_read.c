#include <inttypes.h>
#include <math.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/floats.h"
#include "core/hash.h"
#include "core/memory.h"
#include "core/text.h"
#include "io/dataset/dataset_part.h"
#include "io/file.h"

/* ---- Ranges ---- */

/* Opening has seen that all are one-hot. */
static cvy_status read_one_hot(const struct cvy_dataset *ds, struct cvy_dataset_part *part, int64_t first,
                               int64_t count, int32_t *y) {
    const int64_t size = cvy_shape_count(ds->info.target.shape);
    for (int64_t n = 0; n < count; n++) {
        CVY_TRY(cvy_rows_read(&part->y, first + n, 1, ds->scratch));
        for (int64_t i = 0; i < size; i++)
            y[n * size + i] = cvy_largest(ds->scratch + i * ds->y_channels, ds->y_channels);
    }
    return CVY_OK;
}

/* The part that holds a sample: the last that begins at or before it. */
static struct cvy_dataset_part *part_of(struct cvy_dataset *ds, int64_t sample) {
    int low = 0, high = ds->part_count;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (ds->parts[middle].first <= sample)
            low = middle;
        else
            high = middle;
    }
    return &ds->parts[low];
}

/* Rows of a part: x and y, either may be NULL. */
static cvy_status read_part(struct cvy_dataset *ds, struct cvy_dataset_part *part, int64_t first, int64_t count,
                            unsigned char *x, unsigned char *y) {
    CVY_TRY(cvy_dataset_part_open(ds, part));
    CVY_TRY(cvy_dataset_part_watch(part));
    if (x) CVY_TRY(cvy_rows_read(&part->x, first, count, x));
    if (y == NULL) return CVY_OK;
    if (ds->y_form == CVY_Y_ONE_HOT) return read_one_hot(ds, part, first, count, (int32_t *)(void *)y);
    return cvy_rows_read(&part->y, first, count, y);
}

static cvy_status read_parts(struct cvy_dataset *ds, int64_t first, int64_t count, unsigned char *x, unsigned char *y) {
    const size_t x_size = cvy_dataset_sample_bytes(&ds->info), y_size = cvy_target_bytes(ds->info.target);
    for (int64_t done = 0; done < count;) {
        struct cvy_dataset_part *part = part_of(ds, first + done);
        int64_t from = first + done - part->first, there = part->count - from;
        int64_t now = there < count - done ? there : count - done;
        CVY_TRY(
            read_part(ds, part, from, now, x ? x + (size_t)done * x_size : NULL, y ? y + (size_t)done * y_size : NULL));
        done += now;
    }
    return cvy_h5_watch_sources(&ds->sources);
}

/* What was read of dense targets: classes in their range, values in their scale. */
static cvy_status finish_targets(const struct cvy_dataset *ds, int64_t first, int64_t count, void *y) {
    const int64_t size = cvy_shape_count(ds->info.target.shape);
    float *values = y;
    int32_t *classes = y;
    for (int64_t i = 0; ds->y_form == CVY_Y_WHOLE_FLOATS && i < count * size; i++) {
        float value;
        memcpy(&value, &values[i], sizeof value);
        classes[i] = (int32_t)value;
    }
    if (ds->info.target.type == CVY_I32) CVY_TRY(cvy_dataset_renumber(ds, first, count, y));
    if (ds->info.target.type == CVY_I32) return cvy_dataset_check_classes(ds, first, count, y);
    for (int64_t i = 0; ds->y_scale != 1 && i < count * size; i++)
        if (!ds->info.ignores || values[i] != (float)ds->info.ignored) values[i] *= ds->y_scale; /* a mark, no value */
    return CVY_OK;
}

cvy_status cvy_dataset_read_raw(struct cvy_dataset *ds, int64_t first, int64_t count, void *x, void *y) {
    CVY_CHECK(first >= 0 && count >= 0 && first <= ds->info.count - count, CVY_ERR_DATA,
              "%s: samples %" PRId64 " to %" PRId64 " wanted, it has %" PRId64, ds->path, first, first + count - 1,
              ds->info.count);
    if (y && ds->labels) memcpy(y, ds->labels + first, (size_t)count * sizeof *ds->labels);
    if (!cvy_dataset_dense(&ds->info)) y = NULL;
    if (x == NULL && y == NULL) return CVY_OK;
    cvy_h5_lock();
    cvy_status status = read_parts(ds, first, count, x, y);
    cvy_h5_unlock();
    return status == CVY_OK && y ? finish_targets(ds, first, count, y) : status;
}

/* ---- Values that are none ---- */

cvy_status cvy_samples_finite(const struct cvy_samples *s, const float *values) {
    if (cvy_all_finite(values, s->count * s->size)) return CVY_OK;
    for (int64_t i = 0; i < s->count * s->size; i++)
        CVY_CHECK(isfinite(values[i]), CVY_ERR_DATA,
                  "%s: sample %" PRId64 " holds %s in %s%s, which is no number to learn from; mend it, or leave that "
                  "sample out",
                  s->set, s->first + i / s->size, isnan(values[i]) ? "NaN" : "infinity", s->name,
                  s->wide && isinf(values[i]) ? " (or more than a float32 holds)" : "");
    return CVY_OK;
}

cvy_status cvy_dataset_read(struct cvy_dataset *ds, int64_t first, int64_t count, void *x, void *y) {
    const struct cvy_dataset_info *info = &ds->info;
    struct cvy_samples samples = {.set = ds->path,
                                  .name = ds->x_name,
                                  .first = first,
                                  .count = count,
                                  .size = cvy_shape_count(info->shape),
                                  .wide = strcmp(info->stored, "float64") == 0};
    CVY_TRY(cvy_dataset_read_raw(ds, first, count, x, y));
    if (x && info->x_type == CVY_F32) CVY_TRY(cvy_samples_finite(&samples, x));
    if (y == NULL || info->target.type != CVY_F32 || !cvy_dataset_dense(info)) return CVY_OK;
    samples.name = ds->y_name;
    samples.size = cvy_shape_count(info->target.shape);
    return cvy_samples_finite(&samples, y);
}

/* ---- Verifying ---- */

struct contents {
    void *x, *y; /* a block of samples; y NULL unless dense */
    XXH64_state_t x_state, y_state;
};

static cvy_status read_block(struct cvy_dataset *ds, int64_t first, int64_t count, struct contents *c) {
    const struct cvy_dataset_info *info = &ds->info;
    CVY_TRY(cvy_dataset_read(ds, first, count, c->x, c->y));
    XXH64_update(&c->x_state, c->x, (size_t)count * cvy_dataset_sample_bytes(info));
    if (c->y) XXH64_update(&c->y_state, c->y, (size_t)count * cvy_target_bytes(info->target));
    return CVY_OK;
}

/* Files of shards are read twice: as files, and as samples. */
static void tell_verified(const struct cvy_dataset *ds, int64_t samples, bool again) {
    const int64_t count = ds->info.count, twice = ds->info.shards > 0;
    cvy_work_tell(&ds->spec.work, (samples + again * count) / (1 + twice), count);
}

static cvy_status read_all(struct cvy_dataset *ds, struct contents *c) {
    const struct cvy_dataset_info *info = &ds->info;
    const size_t x = cvy_dataset_sample_bytes(info), y = cvy_dataset_dense(info) ? cvy_target_bytes(info->target) : 0;
    int64_t block = (int64_t)((1 << 20) / (x + y));
    if (block > info->chunk) block = block / info->chunk * info->chunk;
    if (block < 1) block = 1;
    CVY_TRY(cvy_alloc((size_t)block * x, CVY_TAG_data, &c->x));
    if (y) CVY_TRY(cvy_alloc((size_t)block * y, CVY_TAG_data, &c->y));
    for (int64_t first = 0; first < info->count; first += block) {
        const int64_t left = info->count - first, now = left < block ? left : block;
        CVY_TRY(read_block(ds, first, now, c));
        tell_verified(ds, first + now, ds->info.shards > 0);
    }
    return CVY_OK;
}

static cvy_status check_digest(struct cvy_dataset *ds) {
    struct contents c = {NULL};
    XXH64_reset(&c.x_state, 0);
    XXH64_reset(&c.y_state, 0);
    cvy_status status = read_all(ds, &c);
    cvy_free(c.x);
    cvy_free(c.y);
    if (status != CVY_OK || !ds->own) return status;
    if (ds->labels) XXH64_update(&c.y_state, ds->labels, (size_t)ds->info.count * sizeof *ds->labels);
    uint64_t found = cvy_dataset_digest(&ds->info, XXH64_digest(&c.x_state), XXH64_digest(&c.y_state));
    CVY_CHECK(found == ds->info.digest, CVY_ERR_DATA,
              "%s: damaged: its contents have digest %016" PRIx64 ", it says %016" PRIx64 "; make or copy it again",
              ds->path, found, ds->info.digest);
    return CVY_OK;
}

cvy_status cvy_dataset_verify(struct cvy_dataset *ds) {
    CVY_CHECK(ds->info.unwritten == 0, CVY_ERR_DATA,
              "%s: %lld %s of its data %s never written; it reads as zeros there; if its writer died, make it again; "
              "if zeros are meant, write them",
              ds->path, (long long)ds->info.unwritten, cvy_plural((double)ds->info.unwritten, "chunk", "chunks"),
              cvy_plural((double)ds->info.unwritten, "was", "were"));
    for (int i = 0; i < ds->info.shards; i++) {
        const struct cvy_dataset_part *part = &ds->parts[i];
        uint64_t found;
        CVY_TRY(cvy_work_go_on(&ds->spec.work, ds->path));
        CVY_TRY(cvy_file_hash(part->path, 0, cvy_file_size(part->path), &found));
        CVY_CHECK(found == part->checksum, CVY_ERR_DATA,
                  "%s: damaged: the file has XXH64 %016" PRIx64 ", %s says %016" PRIx64 "; make or copy it again",
                  part->path, found, ds->path, part->checksum);
        tell_verified(ds, part->first + part->count, false);
    }
    return check_digest(ds);
}
