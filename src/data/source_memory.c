/* Samples in the caller's memory. */
#include <string.h>

#include "core/hash.h"
#include "core/memory.h"
#include "data/source_part.h"

struct memory_source {
    struct cvy_source base;
    struct cvy_source_owned owned;
    const unsigned char *x, *y;
};

static cvy_status memory_read(struct cvy_source *source, const int64_t *indices, int n, void *x, void *y) {
    const struct memory_source *s = (const struct memory_source *)source;
    size_t size = cvy_dataset_sample_bytes(&source->info), target = cvy_target_bytes(source->info.target);
    for (int i = 0; i < n; i++) {
        memcpy((unsigned char *)x + (size_t)i * size, s->x + (size_t)indices[i] * size, size);
        if (y) memcpy((unsigned char *)y + (size_t)i * target, s->y + (size_t)indices[i] * target, target);
        CVY_TRY(cvy_source_check_finite(&source->info, "data in memory", indices[i],
                                        (unsigned char *)x + (size_t)i * size,
                                        y ? (unsigned char *)y + (size_t)i * target : NULL));
    }
    return CVY_OK;
}

static void memory_destroy(struct cvy_source *source) {
    cvy_source_release(&((struct memory_source *)source)->owned);
    cvy_free(source);
}

static const struct cvy_source_kind memory_kind = {"memory", memory_read, memory_destroy, NULL, NULL};

cvy_status cvy_source_memory(const struct cvy_dataset_info *info, const void *x, const void *y,
                             struct cvy_source **out) {
    struct memory_source *s;
    CVY_TRY(CVY_NEW(&s, 1, data));
    s->base = (struct cvy_source){.kind = &memory_kind, .info = *info};
    s->x = x;
    s->y = y;
    *out = &s->base;
    cvy_status status = cvy_source_complete(&s->owned, &s->base.info);
    if (cvy_target_is_class(s->base.info.target)) s->base.info.labels = y;
    if (status == CVY_OK) status = cvy_source_check_classes(&s->base.info, "data in memory", 0, info->count, y);
    if (status == CVY_OK && info->digest == 0) {
        uint64_t targets = cvy_hash(y, (size_t)info->count * cvy_target_bytes(s->base.info.target), 0);
        s->base.info.digest = cvy_hash(x, (size_t)info->count * cvy_dataset_sample_bytes(info), targets);
    }
    if (status != CVY_OK) cvy_source_destroy(out);
    return status;
}
