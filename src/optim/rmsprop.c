/* RMSProp (Hinton 2012), centred (Graves 2013) and with momentum where wanted, as in PyTorch. */
#include <stddef.h>

#include "kernels/update.h"
#include "optim/optimizer.h"

struct rmsprop {
    double alpha, eps, weight_decay, momentum;
    bool centered;
};

static const struct cvy_key keys[] = {
    {"alpha", CVY_KEY_REAL, offsetof(struct rmsprop, alpha), "0.99", 0, 0.9999999, NULL,
     "of the running mean of squares"},
    {"eps", CVY_KEY_REAL, offsetof(struct rmsprop, eps), "1e-8", CVY_EPS_RANGE, NULL, "added to the root"},
    {"weight_decay", CVY_KEY_REAL, offsetof(struct rmsprop, weight_decay), "0", 0, 1, NULL,
     "times the weights, added to the gradient"},
    {"momentum", CVY_KEY_REAL, offsetof(struct rmsprop, momentum), "0", 0, 1, NULL, "of the steps"},
    {"centered", CVY_KEY_BOOL, offsetof(struct rmsprop, centered), "false", CVY_KEY_ANY, NULL,
     "the variance instead of the mean square"},
    CVY_KEY_END};

static double least(const void *state) {
    return ((const struct rmsprop *)state)->eps;
}

/* "square", then those that are wanted. */
static int slots(const void *state, const char *names[CVY_MAX_SLOTS]) {
    const struct rmsprop *s = state;
    int count = 0;
    names[count++] = "square";
    if (s->centered) names[count++] = "mean";
    if (s->momentum > 0) names[count++] = "momentum";
    return count;
}

static void update(const struct cvy_compute *compute, const void *state, const struct cvy_update *u) {
    const struct rmsprop *s = state;
    const struct cvy_rmsprop how = {.grad_scale = u->grad_scale,
                                    .weight_decay = u->decay ? s->weight_decay : 0,
                                    .alpha = s->alpha,
                                    .eps = s->eps,
                                    .momentum = s->momentum,
                                    .lr = u->lr};
    float *mean = s->centered ? u->slot[1] : NULL;
    float *speed = s->momentum > 0 ? u->slot[s->centered ? 2 : 1] : NULL;
    cvy_rmsprop_update(compute, &how,
                       &(struct cvy_update_vectors){u->w, u->g, {u->slot[0], mean, speed}, (int64_t)u->count});
}

const struct cvy_optimizer_kind cvy_optimizer_rmsprop = {
    .name = "rmsprop",
    .purpose = "gradients divided by the root of their mean square (Tieleman & Hinton 2012)",
    .keys = keys,
    .state_size = sizeof(struct rmsprop),
    .least = least,
    .slots = slots,
    .update = update,
};
