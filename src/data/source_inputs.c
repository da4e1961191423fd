/* The source whose targets are its inputs, for networks that learn to give back what they see (autoencoders,
 * denoising). Its targets are of the size and scale that people store images in, 0 to 1, whatever mean and std the
 * network sees. */
#include "core/hash.h"
#include "core/memory.h"
#include "data/source.h"

struct inputs_source {
    struct cvy_source base;
    struct cvy_source *inner;
    float divisor; /* of inputs, to be targets */
};

static cvy_status inputs_read(struct cvy_source *source, const int64_t *indices, int n, void *x, void *y) {
    struct cvy_source *inner = ((struct inputs_source *)source)->inner;
    const int64_t count = n * cvy_shape_count(source->info.shape);
    const unsigned char *bytes = x;
    const float *reals = x;
    const float divisor = ((struct inputs_source *)source)->divisor;
    float *values = y;
    CVY_TRY(inner->kind->read(inner, indices, n, x, NULL));
    for (int64_t i = 0; values && i < count; i++)
        values[i] = (source->info.x_type == CVY_U8 ? (float)bytes[i] : reals[i]) / divisor;
    return CVY_OK;
}

static void inputs_destroy(struct cvy_source *source) {
    cvy_source_destroy(&((struct inputs_source *)source)->inner);
    cvy_free(source);
}

static const struct cvy_source_kind inputs_kind = {"inputs", inputs_read, inputs_destroy, NULL, NULL};

cvy_status cvy_source_inputs(struct cvy_source **inner, struct cvy_source **out) {
    struct inputs_source *s;
    cvy_status status = CVY_NEW(&s, 1, data);
    if (status != CVY_OK) {
        cvy_source_destroy(inner);
        return status;
    }
    s->base = (struct cvy_source){.kind = &inputs_kind, .info = (*inner)->info};
    s->inner = *inner;
    s->divisor = (*inner)->info.x_type == CVY_U8 ? 255 : 1;
    *inner = NULL;
    struct cvy_dataset_info *info = &s->base.info;
    info->labels = NULL;
    info->target = (struct cvy_target){CVY_F32, info->shape};
    info->classes = info->shape.c;
    info->ignores = false;
    info->digest = cvy_hash("inputs", 6, info->digest); /* not the data set of other targets */
    *out = &s->base;
    return CVY_OK;
}

void cvy_source_inputs_rescale(struct cvy_source *source, double factor, double full) {
    if (source->kind == &inputs_kind) ((struct inputs_source *)source)->divisor = (float)(full / factor);
}
