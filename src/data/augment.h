/* From raw samples to the network's input: normalisation, and random changes keyed by (seed, epoch, sample).
 *
 * The geometric augmentations (flip, pad_crop) compose to one integer map from output to input pixels, so that a sample
 * is read and normalised in one pass whatever their number. Pixels from outside are 0 after normalisation, the mean. */
#ifndef CVY_DATA_AUGMENT_H
#define CVY_DATA_AUGMENT_H

#include <stdint.h>

#include "core/tree/node.h"
#include "core/tree/schema.h"
#include "core/tensor.h"

struct cvy_augment;

/* What every sample goes through. */
struct cvy_augment_spec {
    const struct cvy_node *list; /* `[{pad_crop: 2}, flip]`; NULL or null: normalisation only */
    uint64_t seed;
    struct cvy_shape shape;
    enum cvy_dtype x_type;    /* CVY_U8 or CVY_F32 */
    const double *mean, *std; /* [shape.c], copied; NULL: 0 and 1 */
    struct cvy_target target; /* maps go the way of the inputs */
    const double *outside;    /* [target.shape.c], copied: what a map has beyond its borders; NULL: nothing fits */
};

/* Checks a list alone; findings name the place and the nearest name. */
void cvy_augment_check(const struct cvy_node *list, struct cvy_findings *findings);
bool cvy_augmentations_list(int index, struct cvy_listing *out);
/* CVY_ERR_USAGE with all findings when the list is wrong, or does what the targets cannot follow. */
cvy_status cvy_augment_create(const struct cvy_augment_spec *spec, struct cvy_augment **out);
void cvy_augment_destroy(struct cvy_augment **augment);

/* One sample: x [h][w][c] raw → out [h][w][c], (x − mean)/std after the augmentations drawn for (epoch, id). */
void cvy_augment_apply(const struct cvy_augment *augment, uint32_t epoch, int64_t id, const void *x, float *out);
/* The sample's target: a map moves as the input does, all else stays; y and out [h][w][c], not the same. */
void cvy_augment_target(const struct cvy_augment *augment, uint32_t epoch, int64_t id, const void *y, void *out);
/* Whether cvy_augment_target has anything to do. */
bool cvy_augment_moves_targets(const struct cvy_augment *augment);
/* The input without the augmentations (evaluation). */
void cvy_augment_normalize(const struct cvy_augment *augment, const void *x, float *out);

#endif
