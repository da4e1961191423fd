/* Stochastic gradient descent with momentum and Nesterov's variant, weight decay added to the gradient (Sutskever et
 * al. 2013, as in PyTorch): g' = g/n + λw; v = μv + g'; w −= η(g' + μv) with Nesterov, else w −= ηv. */
#include <stddef.h>

#include "kernels/elementwise.h"
#include "optim/optimizer.h"

struct sgd {
    double momentum, weight_decay;
    bool nesterov;
};

static const struct cvy_key keys[] = {
    {"momentum", CVY_KEY_REAL, offsetof(struct sgd, momentum), "0", 0, 1, NULL, "of the steps"},
    {"nesterov", CVY_KEY_BOOL, offsetof(struct sgd, nesterov), "false", CVY_KEY_ANY, NULL,
     "look ahead (Nesterov 1983, as in PyTorch)"},
    {"weight_decay", CVY_KEY_REAL, offsetof(struct sgd, weight_decay), "0", 0, 1, NULL,
     "times the weights, added to the gradient"},
    CVY_KEY_END};

static void check(const void *state, const struct cvy_node *body, struct cvy_findings *findings) {
    const struct sgd *s = state;
    if (s->nesterov && s->momentum == 0)
        cvy_find(findings, cvy_node_get(body, "nesterov"), "nesterov: needs a momentum above 0; 0.9 is usual");
}

static int slots(const void *state, const char *names[CVY_MAX_SLOTS]) {
    names[0] = "momentum";
    return ((const struct sgd *)state)->momentum > 0;
}

static void update(const struct cvy_compute *compute, const void *state, const struct cvy_update *u) {
    const struct sgd *s = state;
    const struct cvy_sgd how = {.lr = (float)u->lr,
                                .momentum = (float)s->momentum,
                                .weight_decay = u->decay ? (float)s->weight_decay : 0,
                                .grad_scale = (float)u->grad_scale,
                                .nesterov = s->nesterov};
    cvy_sgd_update(compute, &how, u->w, u->g, u->slot[0], (int64_t)u->count);
}

const struct cvy_optimizer_kind cvy_optimizer_sgd = {
    .name = "sgd",
    .purpose = "gradient descent, with momentum and Nesterov momentum if wanted",
    .keys = keys,
    .state_size = sizeof(struct sgd),
    .check = check,
    .slots = slots,
    .update = update,
};
