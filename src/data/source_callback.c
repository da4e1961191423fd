/* Samples from a function of the program's. */
#include "core/inside.h"
#include "core/memory.h"
#include "data/source_part.h"

struct callback_source {
    struct cvy_source base;
    struct cvy_source_owned owned;
    cvy_source_fn *fn;
    void *arg;
    struct cvy_outside outside; /* what the program was in as it called us; so is fn, whichever thread calls it */
};

static int call(const struct callback_source *s, int64_t index, void *x, void *y) {
    struct cvy_outside ours;
    cvy_go_outside(&s->outside, &ours);
    const int failed = s->fn(s->arg, index, x, y);
    cvy_leave(&ours);
    return failed;
}

static cvy_status callback_read(struct cvy_source *source, const int64_t *indices, int n, void *x, void *y) {
    const struct callback_source *s = (const struct callback_source *)source;
    size_t size = cvy_dataset_sample_bytes(&source->info), target = cvy_target_bytes(source->info.target);
    for (int i = 0; i < n; i++) {
        void *one = y ? (unsigned char *)y + (size_t)i * target : NULL;
        int failed = call(s, indices[i], (unsigned char *)x + (size_t)i * size, one);
        CVY_CHECK(failed == 0, CVY_ERR_DATA, "the program's data source failed with %d at sample %lld", failed,
                  (long long)indices[i]);
        if (one) CVY_TRY(cvy_source_check_classes(&source->info, "the program's data source", indices[i], 1, one));
        CVY_TRY(cvy_source_check_finite(&source->info, "the program's data source", indices[i],
                                        (unsigned char *)x + (size_t)i * size, one));
    }
    return CVY_OK;
}

static void callback_destroy(struct cvy_source *source) {
    cvy_source_release(&((struct callback_source *)source)->owned);
    cvy_free(source);
}

static const struct cvy_source_kind callback_kind = {"callback", callback_read, callback_destroy, NULL, NULL};

cvy_status cvy_source_callback(const struct cvy_dataset_info *info, cvy_source_fn *fn, void *arg,
                               struct cvy_source **out) {
    struct callback_source *s;
    CVY_TRY(CVY_NEW(&s, 1, data));
    s->base = (struct cvy_source){.kind = &callback_kind, .info = *info};
    s->fn = fn;
    s->arg = arg;
    s->outside = cvy_outside_now();
    *out = &s->base;
    cvy_status status = cvy_source_complete(&s->owned, &s->base.info);
    if (status != CVY_OK) cvy_source_destroy(out);
    return status;
}
