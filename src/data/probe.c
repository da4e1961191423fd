#include "data/probe.h"

#include "core/ints.h"
#include "core/hash.h"
#include "core/memory.h"
#include "io/dataset/dataset_tally.h"

/* Samples that are read at once. */
struct block {
    int64_t *ids, room;
    void *x, *y; /* y: NULL unless targets are dense */
};

static void destroy_block(struct block *b) {
    cvy_free(b->ids);
    cvy_free(b->x);
    cvy_free(b->y);
}

static cvy_status create_block(const struct cvy_dataset_info *info, int64_t room, bool targets, struct block *out) {
    *out = (struct block){.room = room};
    cvy_status status = CVY_NEW(&out->ids, room, data);
    if (status == CVY_OK) status = cvy_alloc((size_t)room * cvy_dataset_sample_bytes(info), CVY_TAG_data, &out->x);
    if (status == CVY_OK && targets)
        status = cvy_alloc((size_t)room * cvy_target_bytes(info->target), CVY_TAG_data, &out->y);
    if (status != CVY_OK) destroy_block(out);
    return status;
}

static cvy_status read_block(struct cvy_source *source, struct block *b, int64_t first, int64_t count) {
    for (int64_t i = 0; i < count; i++) b->ids[i] = first + i;
    return source->kind->read(source, b->ids, (int)count, b->x, b->y);
}

/* ---- The selection ---- */

enum { PLACES = 8, NEIGHBOURS = 4 };

/* But for what does not count. */
static void look_at_values(const struct cvy_dataset_info *info, const float *y, int64_t count, struct cvy_range *out) {
    const int64_t all = count * cvy_shape_count(info->target.shape), most = info->ignores ? 1 : all;
    for (int64_t i = 0; i < all; i += most)
        if (!info->ignores || y[i] != (float)info->ignored) cvy_range_widen(out, CVY_F32, y + i, most);
}

static void look_at(const struct cvy_dataset_info *info, const struct block *b, int64_t count, struct cvy_probe *out) {
    const int64_t values = count * cvy_shape_count(info->shape);
    out->inputs = cvy_hash(b->x, (size_t)count * cvy_dataset_sample_bytes(info), out->inputs);
    if (b->y) out->targets = cvy_hash(b->y, (size_t)count * cvy_target_bytes(info->target), out->targets);
    if (b->y && info->target.type == CVY_F32) look_at_values(info, b->y, count, &out->values);
    cvy_range_widen(&out->range, info->x_type, b->x, values);
}

cvy_status cvy_source_probe(struct cvy_source *source, struct cvy_probe *out) {
    const struct cvy_dataset_info *info = &source->info;
    const int64_t neighbours = info->count < NEIGHBOURS ? info->count : NEIGHBOURS;
    const int places = info->count > neighbours ? PLACES : 1;
    struct block b;
    *out = (struct cvy_probe){.range = cvy_range_of(info->x_type), .values = cvy_range_of(CVY_F32)};
    if (info->labels) out->targets = cvy_hash(info->labels, (size_t)info->count * sizeof *info->labels, 0);
    CVY_TRY(create_block(info, neighbours, info->labels == NULL && cvy_shape_count(info->target.shape) > 0, &b));
    cvy_status status = CVY_OK;
    for (int p = 0; p < places && status == CVY_OK; p++) {
        const int64_t last = info->count - neighbours;
        status = read_block(source, &b, last * p / (PLACES - 1), neighbours);
        if (status == CVY_OK) look_at(info, &b, neighbours, out);
    }
    destroy_block(&b);
    return status;
}

/* ---- All targets ---- */

enum { BLOCK_BYTES = 1 << 20 };
#define MEASURED_BYTES ((int64_t)1 << 30) /* of more than this, a part is looked at: of so many blocks, one */

static int64_t one_of(int64_t bytes) {
    return cvy_ceil_div(bytes, MEASURED_BYTES);
}

cvy_status cvy_source_probe_targets(struct cvy_source *source, struct cvy_probe *out) {
    const struct cvy_dataset_info *info = &source->info;
    if (info->packed || !cvy_dataset_dense(info) || source->kind->read_targets == NULL) return CVY_OK;
    const size_t size = cvy_target_bytes(info->target);
    const int64_t fits = (int64_t)(BLOCK_BYTES / size), block = fits > 0 ? fits : 1;
    const int64_t step = block * one_of(info->count * (int64_t)size);
    void *y;
    cvy_status status = cvy_alloc((size_t)block * size, CVY_TAG_data, &y);
    for (int64_t first = 0; first < info->count && status == CVY_OK; first += step) {
        const int64_t left = info->count - first, now = left < block ? left : block;
        status = source->kind->read_targets(source, first, now, y);
        if (status == CVY_OK) out->targets = cvy_hash(y, (size_t)now * size, out->targets);
    }
    cvy_free(y);
    return status;
}

/* ---- Statistics ---- */

/* Whole chunks, about a MiB. */
static int64_t block_of(const struct cvy_dataset_info *info) {
    const int64_t fits = (int64_t)(BLOCK_BYTES / cvy_dataset_sample_bytes(info)) / info->chunk * info->chunk;
    const int64_t block = fits > info->chunk ? fits : info->chunk;
    return block < info->count ? block : info->count;
}

static cvy_status measure(struct cvy_source *source, struct block *b, struct cvy_tally *tally) {
    const struct cvy_dataset_info *info = &source->info;
    const int64_t step = b->room * one_of(info->count * (int64_t)cvy_dataset_sample_bytes(info));
    for (int64_t first = 0; first < info->count; first += step) {
        const int64_t left = info->count - first, now = left < b->room ? left : b->room;
        CVY_TRY(read_block(source, b, first, now));
        cvy_tally_add(tally, now, b->x, NULL);
    }
    return CVY_OK;
}

cvy_status cvy_source_measure(struct cvy_source *source, double *mean, double *std, struct cvy_measured *out) {
    const struct cvy_dataset_info *info = &source->info;
    const struct cvy_dataset_plan plan = {.shape = info->shape, .x_type = info->x_type, .target = info->target};
    struct cvy_tally *tally;
    struct block b;
    CVY_TRY(cvy_tally_create(&plan, &tally));
    cvy_status status = create_block(info, block_of(info), false, &b);
    if (status == CVY_OK) {
        status = measure(source, &b, tally);
        destroy_block(&b);
    }
    if (status == CVY_OK) cvy_tally_stats(tally, mean, std);
    *out = (struct cvy_measured){cvy_tally_count(tally), cvy_tally_range(tally), cvy_tally_digest(tally)};
    cvy_tally_destroy(&tally);
    return status;
}
