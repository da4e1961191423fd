/* Private to the convolution of bf16. */
#ifndef CVY_KERNELS_CONV_BF16_PARTS_H
#define CVY_KERNELS_CONV_BF16_PARTS_H

#include "kernels/bf16_table.h"
#include "kernels/conv_bf16.h"
#include "kernels/conv_parts.h"

/* The epilogue of a part of y that begins at channel `column` and `offset` numbers into y. */
static inline struct cvy_epilogue cvy_bf16_epilogue_at(const struct cvy_epilogue *e, int column, ptrdiff_t offset) {
    struct cvy_epilogue part = cvy_epilogue_at(e, column, 0);
    if (e->residual) part.residual = (const void *)((const cvy_bf16 *)(const void *)e->residual + offset);
    return part;
}

/* y[pixels][k] (+)= x[pixels][c] · w, c in pairs. */
void cvy_bf16_point_pass(const struct cvy_compute *compute, int pixels, int c, int k, const cvy_pair *x,
                         const cvy_pair *w, const struct cvy_epilogue *epilogue, cvy_bf16 *y, bool accumulate);

/* The correlation of conv_parts.h: g->in.c counts pairs, the strides of y count bf16. Scratch is in pairs. */
size_t cvy_bf16_direct_scratch(const struct cvy_direct *g);
void cvy_bf16_direct_pass(const struct cvy_compute *compute, const struct cvy_direct *g, const cvy_pair *x,
                          const cvy_pair *w, const struct cvy_epilogue *epilogue, cvy_bf16 *y, cvy_pair *scratch);

size_t cvy_bf16_weights_workspace(const struct cvy_conv *g, int threads); /* floats */

#endif
