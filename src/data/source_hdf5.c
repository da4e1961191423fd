/* The HDF5 source: the whole set in memory where it fits, filled chunk by chunk at first touch; else read by ranges.
 * Single classes are held by the data set itself; dense targets go along with the samples. */
#include <string.h>

#include "core/ints.h"
#include "core/memory.h"
#include "data/source.h"

struct hdf5_source {
    struct cvy_source base;
    struct cvy_dataset *ds;
    bool borrowed;
    size_t x_size, y_size; /* of a sample; y_size 0 unless targets are dense */
    unsigned char *x_held; /* [count] samples, or NULL: not held */
    unsigned char *y_held; /* [count] dense targets, likewise */
    unsigned char *filled; /* a flag for each chunk */
};

static unsigned char *at(unsigned char *array, int64_t index, size_t size) {
    return array ? array + (size_t)index * size : NULL;
}

static cvy_status touch(struct hdf5_source *s, int64_t index) {
    const struct cvy_dataset_info *info = &s->base.info;
    int64_t chunk = index / info->chunk, first = chunk * info->chunk, left = info->count - first;
    if (s->filled[chunk]) return CVY_OK;
    CVY_TRY(cvy_dataset_read(s->ds, first, left < info->chunk ? left : info->chunk, at(s->x_held, first, s->x_size),
                             at(s->y_held, first, s->y_size)));
    s->filled[chunk] = 1;
    return CVY_OK;
}

/* x, and y unless it is NULL. */
static cvy_status read_held(struct hdf5_source *s, const int64_t *indices, int n, unsigned char *x, unsigned char *y) {
    for (int i = 0; i < n; i++) {
        CVY_TRY(touch(s, indices[i]));
        memcpy(at(x, i, s->x_size), at(s->x_held, indices[i], s->x_size), s->x_size);
        if (y) memcpy(at(y, i, s->y_size), at(s->y_held, indices[i], s->y_size), s->y_size);
    }
    return CVY_OK;
}

/* Samples that follow one another are read together. */
static cvy_status read_ranges(struct hdf5_source *s, const int64_t *indices, int n, unsigned char *x,
                              unsigned char *y) {
    for (int i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && indices[end] == indices[end - 1] + 1;) end++;
        CVY_TRY(cvy_dataset_read(s->ds, indices[i], end - i, at(x, i, s->x_size), at(y, i, s->y_size)));
    }
    return CVY_OK;
}

static cvy_status hdf5_read(struct cvy_source *source, const int64_t *indices, int n, void *x, void *y) {
    struct hdf5_source *s = (struct hdf5_source *)source;
    const int32_t *labels = cvy_dataset_info(s->ds)->labels;
    for (int i = 0; y && labels && i < n; i++) ((int32_t *)y)[i] = labels[indices[i]];
    unsigned char *dense = s->y_size ? y : NULL;
    return s->x_held ? read_held(s, indices, n, x, dense) : read_ranges(s, indices, n, x, dense);
}

static void hdf5_destroy(struct cvy_source *source) {
    struct hdf5_source *s = (struct hdf5_source *)source;
    if (!s->borrowed) cvy_dataset_close(&s->ds);
    cvy_free(s->x_held);
    cvy_free(s->y_held);
    cvy_free(s->filled);
    cvy_free(s);
}

static cvy_status hdf5_read_targets(struct cvy_source *source, int64_t first, int64_t count, void *y) {
    return cvy_dataset_read(((struct hdf5_source *)source)->ds, first, count, NULL, y);
}

/* What was held already is read again. */
static void hdf5_scale_targets(struct cvy_source *source, double scale) {
    struct hdf5_source *s = (struct hdf5_source *)source;
    cvy_dataset_scale_targets(s->ds, scale);
    source->info.y_scale = scale;
    if (s->filled) memset(s->filled, 0, (size_t)cvy_ceil_div(source->info.count, source->info.chunk));
}

static const struct cvy_source_kind hdf5_kind = {"hdf5", hdf5_read, hdf5_destroy, hdf5_read_targets,
                                                 hdf5_scale_targets};

static cvy_status hold(struct hdf5_source *s) {
    const struct cvy_dataset_info *info = &s->base.info;
    CVY_TRY(CVY_NEW(&s->filled, cvy_ceil_div(info->count, info->chunk), data));
    if (s->y_size) CVY_TRY(CVY_NEW(&s->y_held, (size_t)info->count * s->y_size, data));
    return CVY_NEW(&s->x_held, (size_t)info->count * s->x_size, data);
}

static cvy_status create(struct cvy_dataset *ds, struct hdf5_source **out) {
    CVY_TRY(CVY_NEW(out, 1, data));
    struct hdf5_source *s = *out;
    s->base = (struct cvy_source){.kind = &hdf5_kind, .info = *cvy_dataset_info(ds)};
    s->ds = ds;
    s->x_size = cvy_dataset_sample_bytes(&s->base.info);
    s->y_size = cvy_dataset_dense(&s->base.info) ? cvy_target_bytes(s->base.info.target) : 0;
    return CVY_OK;
}

cvy_status cvy_source_borrow(struct cvy_dataset *ds, struct cvy_source **out) {
    struct hdf5_source *s;
    CVY_TRY(create(ds, &s));
    s->borrowed = true;
    *out = &s->base;
    return CVY_OK;
}

cvy_status cvy_source_hdf5(struct cvy_dataset **ds, int64_t budget, struct cvy_source **out) {
    struct hdf5_source *s;
    cvy_status status = create(*ds, &s);
    if (status != CVY_OK) {
        cvy_dataset_close(ds);
        return status;
    }
    *ds = NULL;
    *out = &s->base;
    status = s->base.info.bytes <= budget ? hold(s) : cvy_dataset_reserve(s->ds);
    if (status != CVY_OK) cvy_source_destroy(out);
    return status;
}
