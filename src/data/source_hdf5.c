/* The HDF5 source: the whole set in memory where it fits, filled chunk by chunk at first touch; else read by ranges. */
#include <string.h>

#include "core/memory.h"
#include "data/source.h"

struct hdf5_source {
    struct cvy_source base;
    struct cvy_dataset *ds;
    unsigned char *held;   /* [count] samples, or NULL: not held */
    unsigned char *filled; /* a flag for each chunk */
};

static cvy_status touch(struct hdf5_source *s, int64_t index) {
    const struct cvy_dataset_info *info = &s->base.info;
    int64_t chunk = index / info->chunk, first = chunk * info->chunk, left = info->count - first;
    if (s->filled[chunk]) return CVY_OK;
    unsigned char *to = s->held + (size_t)first * cvy_dataset_sample_bytes(info);
    CVY_TRY(cvy_dataset_read(s->ds, first, left < info->chunk ? left : info->chunk, to, NULL));
    s->filled[chunk] = 1;
    return CVY_OK;
}

static cvy_status read_held(struct hdf5_source *s, const int64_t *indices, int n, unsigned char *x) {
    size_t size = cvy_dataset_sample_bytes(&s->base.info);
    for (int i = 0; i < n; i++) {
        CVY_TRY(touch(s, indices[i]));
        memcpy(x + (size_t)i * size, s->held + (size_t)indices[i] * size, size);
    }
    return CVY_OK;
}

/* Samples that follow one another are read together. */
static cvy_status read_ranges(struct hdf5_source *s, const int64_t *indices, int n, unsigned char *x) {
    size_t size = cvy_dataset_sample_bytes(&s->base.info);
    for (int i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && indices[end] == indices[end - 1] + 1;) end++;
        CVY_TRY(cvy_dataset_read(s->ds, indices[i], end - i, x + (size_t)i * size, NULL));
    }
    return CVY_OK;
}

static cvy_status hdf5_read(struct cvy_source *source, const int64_t *indices, int n, void *x, int32_t *y) {
    struct hdf5_source *s = (struct hdf5_source *)source;
    const int32_t *labels = cvy_dataset_labels(s->ds);
    for (int i = 0; i < n; i++) y[i] = labels[indices[i]];
    return s->held ? read_held(s, indices, n, x) : read_ranges(s, indices, n, x);
}

static void hdf5_destroy(struct cvy_source *source) {
    struct hdf5_source *s = (struct hdf5_source *)source;
    cvy_dataset_close(&s->ds);
    cvy_free(s->held);
    cvy_free(s->filled);
    cvy_free(s);
}

static const struct cvy_source_kind hdf5_kind = {"hdf5", hdf5_read, hdf5_destroy};

static cvy_status hold(struct hdf5_source *s) {
    const struct cvy_dataset_info *info = &s->base.info;
    CVY_TRY(CVY_NEW(&s->filled, (info->count + info->chunk - 1) / info->chunk, data));
    return CVY_NEW(&s->held, info->bytes, data);
}

cvy_status cvy_source_hdf5(struct cvy_dataset **ds, int64_t budget, struct cvy_source **out) {
    struct hdf5_source *s;
    cvy_status status = CVY_NEW(&s, 1, data);
    if (status != CVY_OK) {
        cvy_dataset_close(ds);
        return status;
    }
    s->base = (struct cvy_source){&hdf5_kind, *cvy_dataset_info(*ds)};
    s->ds = *ds;
    *ds = NULL;
    *out = &s->base;
    if (s->base.info.bytes <= budget) status = hold(s);
    if (status != CVY_OK) cvy_source_destroy(out);
    return status;
}
