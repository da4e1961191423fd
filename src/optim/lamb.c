/* LAMB, layer-wise adaptive moments (You et al. 2019, algorithm 2, φ the identity): with m and v Adam's moments,
 *   u = (m / (1 − β1^t)) / (√(v / (1 − β2^t)) + ε) + λ·w;  w −= η·(‖w‖ / ‖u‖)·u
 * Biases and normalisation parameters, and layers whose norms are zero, take 1 for the ratio. */
#include <math.h>
#include <stddef.h>

#include "kernels/update.h"
#include "optim/optimizer.h"

struct lamb {
    double beta1, beta2, eps, weight_decay;
};

static const struct cvy_key keys[] = {
    {"beta1", CVY_KEY_REAL, offsetof(struct lamb, beta1), "0.9", 0, 0.9999999, NULL, "of the running mean"},
    {"beta2", CVY_KEY_REAL, offsetof(struct lamb, beta2), "0.999", 0, 0.9999999, NULL,
     "of the running mean of squares"},
    {"eps", CVY_KEY_REAL, offsetof(struct lamb, eps), "1e-6", CVY_EPS_RANGE, NULL, "added to the root"},
    {"weight_decay", CVY_KEY_REAL, offsetof(struct lamb, weight_decay), "0.01", 0, 1, NULL,
     "times the weights, decoupled"},
    CVY_KEY_END};

enum { MEAN, SQUARE };

static double least(const void *state) {
    return ((const struct lamb *)state)->eps;
}

static int slots(const void *state, const char *names[CVY_MAX_SLOTS]) {
    (void)state;
    names[MEAN] = "mean";
    names[SQUARE] = "square";
    return 2;
}

static void update(const struct cvy_compute *compute, const void *state, const struct cvy_update *u) {
    const struct lamb *s = state;
    struct cvy_lamb how = {.grad_scale = u->grad_scale,
                           .weight_decay = u->decay ? s->weight_decay : 0,
                           .beta1 = s->beta1,
                           .beta2 = s->beta2,
                           .eps = s->eps,
                           .mean = 1 / (1 - pow(s->beta1, (double)u->step)),
                           .root = 1 / sqrt(1 - pow(s->beta2, (double)u->step)),
                           .rate = u->lr};
    const struct cvy_update_vectors of = {u->w, u->g, {u->slot[MEAN], u->slot[SQUARE]}, (int64_t)u->count};
    struct cvy_lamb_norms norms = cvy_lamb_moments(compute, &how, &of);
    if (u->adapt && norms.w > 0 && norms.u > 0) how.rate *= norms.w / norms.u;
    cvy_lamb_apply(compute, &how, &of);
}

const struct cvy_optimizer_kind cvy_optimizer_lamb = {
    .name = "lamb",
    .purpose = "Adam whose step is scaled to each layer's norm (You et al. 2020), for large batches",
    .keys = keys,
    .state_size = sizeof(struct lamb),
    .per_param = true,
    .least = least,
    .slots = slots,
    .update = update,
};
