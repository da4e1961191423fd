/* Adam (Kingma & Ba 2015) and AdamW, whose weight decay is apart from the gradient (Loshchilov & Hutter 2019), as in
 * PyTorch; amsgrad: Reddi et al. 2018. */
#include <math.h>
#include <stddef.h>

#include "kernels/update.h"
#include "optim/optimizer.h"

struct adam {
    double beta1, beta2, eps, weight_decay;
    bool amsgrad;
};

#define KEYS(decay)                                                                                                    \
    {"beta1", CVY_KEY_REAL, offsetof(struct adam, beta1), "0.9", 0, 0.9999999, NULL, "of the running mean"},           \
        {"beta2",   CVY_KEY_REAL, offsetof(struct adam, beta2),    "0.999", 0,                                         \
         0.9999999, NULL,         "of the running mean of squares"},                                                   \
        {"eps", CVY_KEY_REAL, offsetof(struct adam, eps), "1e-8", CVY_EPS_RANGE, NULL, "added to the root"},           \
        {"weight_decay", CVY_KEY_REAL, offsetof(struct adam, weight_decay), decay, 0, 1, NULL, "times the weights"}, { \
        "amsgrad", CVY_KEY_BOOL, offsetof(struct adam, amsgrad), "false", CVY_KEY_ANY, NULL,                           \
            "the largest mean of squares so far (Reddi et al. 2018)"                                                   \
    }
static const struct cvy_key adam_keys[] = {KEYS("0"), CVY_KEY_END};
static const struct cvy_key adamw_keys[] = {KEYS("0.01"), CVY_KEY_END};

enum { MEAN, SQUARE, MAX_SQUARE };

static double least(const void *state) {
    return ((const struct adam *)state)->eps;
}

static int slots(const void *state, const char *names[CVY_MAX_SLOTS]) {
    names[MEAN] = "mean";
    names[SQUARE] = "square";
    names[MAX_SQUARE] = "max_square";
    return ((const struct adam *)state)->amsgrad ? 3 : 2;
}

/* decay: of the gradient; shrink: of the weights themselves. */
static void update(const struct cvy_compute *compute, const struct adam *s, const struct cvy_update *u, double decay,
                   double shrink) {
    const struct cvy_adam how = {.grad_scale = u->grad_scale,
                                 .weight_decay = decay,
                                 .beta1 = s->beta1,
                                 .beta2 = s->beta2,
                                 .eps = s->eps,
                                 .rate = u->lr / (1 - pow(s->beta1, (double)u->step)),
                                 .root = 1 / sqrt(1 - pow(s->beta2, (double)u->step)),
                                 .keep = 1 - u->lr * shrink};
    const struct cvy_update_vectors of = {
        u->w, u->g, {u->slot[MEAN], u->slot[SQUARE], s->amsgrad ? u->slot[MAX_SQUARE] : NULL}, (int64_t)u->count};
    cvy_adam_update(compute, &how, &of);
}

static void update_adam(const struct cvy_compute *compute, const void *state, const struct cvy_update *u) {
    update(compute, state, u, u->decay ? ((const struct adam *)state)->weight_decay : 0, 0);
}

static void update_adamw(const struct cvy_compute *compute, const void *state, const struct cvy_update *u) {
    update(compute, state, u, 0, u->decay ? ((const struct adam *)state)->weight_decay : 0);
}

const struct cvy_optimizer_kind cvy_optimizer_adam = {
    .name = "adam",
    .purpose = "Kingma & Ba 2015; weight decay is added to the gradient",
    .keys = adam_keys,
    .state_size = sizeof(struct adam),
    .least = least,
    .slots = slots,
    .update = update_adam,
};

const struct cvy_optimizer_kind cvy_optimizer_adamw = {
    .name = "adamw",
    .purpose = "Adam with decoupled weight decay (Loshchilov & Hutter 2019)",
    .keys = adamw_keys,
    .state_size = sizeof(struct adam),
    .least = least,
    .slots = slots,
    .update = update_adamw,
};
