/* LARS, layer-wise adaptive rate scaling (You, Gitman & Ginsburg 2017, algorithm 1): with η the trust coefficient, β
 * the weight decay and γ the learning rate, λ = η·‖w‖ / (‖g‖ + β·‖w‖);  v = μ·v + γ·λ·(g + β·w);  w −= v Biases and
 * normalisation parameters, and layers whose norms are zero, take λ = 1. */
#include <math.h>
#include <stddef.h>

#include "kernels/update.h"
#include "optim/optimizer.h"

struct lars {
    double momentum, weight_decay, trust_coefficient;
};

static const struct cvy_key keys[] = {
    {"momentum", CVY_KEY_REAL, offsetof(struct lars, momentum), "0.9", 0, 1, NULL, "of the steps"},
    {"weight_decay", CVY_KEY_REAL, offsetof(struct lars, weight_decay), "0.0005", 0, 1, NULL,
     "times the weights, added to the gradient"},
    {"trust_coefficient", CVY_KEY_REAL, offsetof(struct lars, trust_coefficient), "0.001", 0, 1e9, NULL,
     "times the ratio of norms"},
    CVY_KEY_END};

static int slots(const void *state, const char *names[CVY_MAX_SLOTS]) {
    (void)state;
    names[0] = "momentum";
    return 1;
}

static double local_rate(const struct cvy_compute *compute, const struct lars *s, const struct cvy_update *u,
                         double decay) {
    if (!u->adapt) return 1;
    double w = sqrt(cvy_vec_sum_squares(compute, u->w, (int64_t)u->count));
    double g = u->grad_scale * sqrt(cvy_vec_sum_squares(compute, u->g, (int64_t)u->count));
    double below = g + decay * w;
    return w > 0 && below > 0 ? s->trust_coefficient * w / below : 1;
}

static void update(const struct cvy_compute *compute, const void *state, const struct cvy_update *u) {
    const struct lars *s = state;
    double decay = u->decay ? s->weight_decay : 0;
    const struct cvy_lars how = {.grad_scale = u->grad_scale,
                                 .weight_decay = decay,
                                 .momentum = s->momentum,
                                 .rate = u->lr * local_rate(compute, s, u, decay)};
    cvy_lars_update(compute, &how, &(struct cvy_update_vectors){u->w, u->g, {u->slot[0]}, (int64_t)u->count});
}

const struct cvy_optimizer_kind cvy_optimizer_lars = {
    .name = "lars",
    .purpose = "momentum whose rate follows the norms of each layer (You et al. 2017), for large batches",
    .keys = keys,
    .state_size = sizeof(struct lars),
    .per_param = true,
    .slots = slots,
    .update = update,
};
