/* AdaGrad (Duchi et al. 2011), as in PyTorch; initial_accumulator_value is added to the sum and not stored in it. */
#include <math.h>
#include <stddef.h>

#include "kernels/update.h"
#include "optim/optimizer.h"

struct adagrad {
    double lr_decay, weight_decay, initial_accumulator_value, eps;
};

static const struct cvy_key keys[] = {
    {"lr_decay", CVY_KEY_REAL, offsetof(struct adagrad, lr_decay), "0", 0, 1e9, NULL,
     "the rate is divided by 1 + this times the steps"},
    {"weight_decay", CVY_KEY_REAL, offsetof(struct adagrad, weight_decay), "0", 0, 1, NULL,
     "times the weights, added to the gradient"},
    {"initial_accumulator_value", CVY_KEY_REAL, offsetof(struct adagrad, initial_accumulator_value), "0", 0, 1e9, NULL,
     "where the sum of squares starts"},
    {"eps", CVY_KEY_REAL, offsetof(struct adagrad, eps), "1e-10", CVY_EPS_RANGE, NULL, "added to the root"},
    CVY_KEY_END};

static double least(const void *state) {
    const struct adagrad *s = state;
    return sqrt(s->initial_accumulator_value) + s->eps;
}

static int slots(const void *state, const char *names[CVY_MAX_SLOTS]) {
    (void)state;
    names[0] = "sum";
    return 1;
}

static void update(const struct cvy_compute *compute, const void *state, const struct cvy_update *u) {
    const struct adagrad *s = state;
    const struct cvy_adagrad how = {.grad_scale = u->grad_scale,
                                    .weight_decay = u->decay ? s->weight_decay : 0,
                                    .initial = s->initial_accumulator_value,
                                    .eps = s->eps,
                                    .lr = u->lr / (1 + (double)(u->step - 1) * s->lr_decay)};
    cvy_adagrad_update(compute, &how, &(struct cvy_update_vectors){u->w, u->g, {u->slot[0]}, (int64_t)u->count});
}

const struct cvy_optimizer_kind cvy_optimizer_adagrad = {
    .name = "adagrad",
    .purpose = "Duchi et al. 2011",
    .keys = keys,
    .state_size = sizeof(struct adagrad),
    .least = least,
    .slots = slots,
    .update = update,
};
