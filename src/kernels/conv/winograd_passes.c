/* The passes of a convolution by Winograd's algorithm. */
#include "kernels/conv/parts.h"
#include "kernels/conv/winograd.h"

static void run(const struct cvy_pass_call *c, const struct cvy_winograd *g) {
    cvy_winograd_pass(c->compute, g, c->from, c->with, c->epilogue, c->to, c->ws);
}

struct cvy_winograd cvy_winograd_y(const struct cvy_conv *g, enum cvy_dtype type) {
    return (struct cvy_winograd){type, g->n, g->r, g->in, g->out, g->pad_top, g->pad_left, false};
}

size_t cvy_winograd_forward_floats(const struct cvy_conv *g, int threads) {
    const struct cvy_winograd pass = cvy_winograd_y(g, CVY_F32);
    return cvy_winograd_workspace(&pass, threads);
}

void cvy_winograd_forward(const struct cvy_pass_call *c) {
    const struct cvy_winograd pass = cvy_winograd_y(c->g, c->type);
    run(c, &pass);
}

/* dx is a convolution of dy with the flipped weights, padded to what forward left out. */
static struct cvy_winograd dx_of(const struct cvy_conv *g, enum cvy_dtype type, bool accumulate) {
    return (struct cvy_winograd){type,      g->n, g->r, g->out, g->in, g->r - 1 - g->pad_top, g->s - 1 - g->pad_left,
                                 accumulate};
}

size_t cvy_winograd_data_floats(const struct cvy_conv *g, int threads) {
    const struct cvy_winograd pass = dx_of(g, CVY_F32, false);
    return cvy_winograd_workspace(&pass, threads);
}

void cvy_winograd_data(const struct cvy_pass_call *c) {
    const struct cvy_winograd pass = dx_of(c->g, c->type, c->accumulate);
    run(c, &pass);
}

size_t cvy_winograd_weights_floats(const struct cvy_conv *g, int threads) {
    return cvy_winograd_weights_workspace(g, threads);
}

void cvy_winograd_gradient(const struct cvy_pass_call *c) {
    cvy_winograd_weights(c->compute, c->type, c->g, c->from, c->with, c->to, c->dbias, c->ws);
}
