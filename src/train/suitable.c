#include "train/suitable.h"

#include <inttypes.h>

#include "core/memory.h"

enum { LOOKED_AT = 1 << 30, BLOCK = 1 << 20 /* bytes at a time */ };

/* Where shapes differ there is another error to come. */
static bool has_a_say(const struct cvy_loss *loss, const struct cvy_target *target) {
    return loss && loss->kind->suits && target->type == CVY_F32 && cvy_shape_equal(target->shape, loss->in);
}

cvy_status cvy_suitable(const struct cvy_loss *loss, const struct cvy_target *target, const char *file, int64_t first,
                        int64_t count, const void *y) {
    const float *values = y;
    char why[CVY_LOSS_WHY];
    if (!has_a_say(loss, target)) return CVY_OK;
    for (int64_t i = 0; i < count; i++, values += cvy_shape_count(target->shape))
        CVY_CHECK(cvy_loss_suits(loss, values, why), CVY_ERR_DATA, "%s: sample %" PRId64 " has %s", file, first + i,
                  why);
    return CVY_OK;
}

static int64_t at_most(int64_t count, int64_t bytes, size_t each) {
    const int64_t most = bytes / (int64_t)each > 0 ? bytes / (int64_t)each : 1;
    return count < most ? count : most;
}

cvy_status cvy_suitable_set(const struct cvy_loss *loss, struct cvy_dataset *ds, const char *file) {
    const struct cvy_dataset_info *info = cvy_dataset_info(ds);
    if (!has_a_say(loss, &info->target)) return CVY_OK;
    const size_t each = cvy_target_bytes(info->target);
    const int64_t count = at_most(info->count, LOOKED_AT, each), block = at_most(count, BLOCK, each);
    unsigned char *y;
    cvy_status status = cvy_alloc((size_t)block * each, CVY_TAG_data, (void **)&y);
    for (int64_t first = 0; status == CVY_OK && first < count; first += block) {
        const int64_t now = at_most(count - first, BLOCK, each);
        status = cvy_dataset_read(ds, first, now, NULL, y);
        if (status == CVY_OK) status = cvy_suitable(loss, &info->target, file, first, now, y);
    }
    cvy_free(y);
    return status;
}

cvy_status cvy_suitable_batch(const void *suiting, const int64_t *ids, int count, const void *y) {
    const struct cvy_suiting *s = suiting;
    const size_t each = cvy_target_bytes(s->target);
    for (int i = 0; has_a_say(s->loss, &s->target) && i < count; i++)
        CVY_TRY(cvy_suitable(s->loss, &s->target, s->file, s->members ? s->members[ids[i]] : ids[i], 1,
                             (const unsigned char *)y + (size_t)i * each));
    return CVY_OK;
}
