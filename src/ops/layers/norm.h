/* What batch and group normalisation share: their parameters, their scratch, and the maps that kernels/norm.h applies.
 *
 * With μ and 1/σ of each unit and channel (equal within a group), and m values in a group,
 *
 *   y = (x − μ)·γ/σ + β        dx = γ/σ·dy − (x − μ)·B/(σ²·m) − A/(σ·m),   A = Σ γ·dy,  B = Σ γ·dy·x̂ over the group */
#ifndef CVY_OPS_LAYERS_NORM_H
#define CVY_OPS_LAYERS_NORM_H

#include "kernels/norm.h"
#include "ops/op.h"

enum cvy_norm_param { CVY_NORM_WEIGHT, CVY_NORM_BIAS };

#define CVY_NORM_EPS(type)                                                                                             \
    { "eps", CVY_KEY_REAL, offsetof(type, eps), "1e-5", 1e-12, 1, NULL, "added to the variance" }
#define CVY_NORM_AFFINE(type)                                                                                          \
    {                                                                                                                  \
        "affine", CVY_KEY_BOOL, offsetof(type, affine), "true", CVY_KEY_ANY, NULL,                                     \
            "whether a scale and a shift are learnt"                                                                   \
    }

/* "weight" (γ, from 1 or 0) and "bias" (β, from 0). */
void cvy_norm_declare(struct cvy_op *op, const int64_t *dims, int rank, bool zero_init);

/* Views into a workspace. */
struct cvy_norm_scratch {
    double *sums;                         /* [units][2][channels] */
    double *mean, *inverse;               /* [units][channels] μ, 1/σ */
    float *means, *scale, *shift, *slope; /* [units][channels] a map */
    float *gain, *offset;                 /* likewise, forward's scale and shift in backward */
    void *parts;
};
size_t cvy_norm_scratch_bytes(const struct cvy_norm *g);
struct cvy_norm_scratch cvy_norm_scratch_at(const struct cvy_norm *g, void *workspace);

/* From `mean` and scratch->inverse; weight and bias [channels] or NULL. */
struct cvy_norm_map cvy_norm_map_forward(const struct cvy_norm *g, const double *mean, const float *weight,
                                         const float *bias, struct cvy_norm_scratch *scratch);
/* first, second: [units][2][channels] A and B as above, of each channel's group; count: m. */
struct cvy_norm_map cvy_norm_map_backward(const struct cvy_norm *g, const double *mean, const float *weight,
                                          const double *sums, double count, struct cvy_norm_scratch *scratch);

/* Writes `channels` numbers and zeros the padding lanes behind them. */
void cvy_norm_store(const double *from, double factor, int channels, float *to);

#endif
