/* Every layer and loss once more, as its formula says it, in double: plain loops that share no line with src/ops or
 * src/kernels. Settings are read from the YAML node, so that reading them is tested too. */
#ifndef CVY_TESTS_OPS_REFERENCE_H
#define CVY_TESTS_OPS_REFERENCE_H

#include <stdint.h>

#include "core/tree/node.h"
#include "core/tensor.h"

struct op_math {
    const struct cvy_node *body; /* the layer's settings: a map, a single value, or NULL */
    int n, inputs;
    struct cvy_shape in, out;    /* in: of the first input */
    const struct cvy_shape *ins; /* [inputs] */
    const double *x[4];          /* [n][ins], as many as the op has inputs */
    const double *param[4];      /* logical order */
    const double *buffer[2];     /* running statistics, read when evaluating */
    bool evaluate;
    const int32_t *labels; /* losses */
    const double *drawn;   /* random ops: [n][out] what each element is multiplied by, or what is added */
};

/* Linear in x (or affine), and in its weight where the bias is zero. Random ops, which do nothing in evaluation: their
 * output for ones is what they multiply by, or their output for zeros is what they add. */
enum op_traits { OP_LINEAR = 1, OP_FACTORS = 2, OP_ADDENDS = 4, OP_WIDE = 8 /* tried with inputs up to ±8 */ };

struct op_reference {
    const char *name;
    int traits;
    int terms;                        /* added for one output element: 0: one, 1: a window, 2: a window · c */
    void (*shape)(struct op_math *m); /* in → out; NULL: the same */
    void (*forward)(const struct op_math *m, double *y); /* a loss: y[0], summed over the samples */
};

const struct op_reference *op_reference_find(const char *name); /* NULL: there is none */
/* A number of the layer's settings; axis 0 (height) or 1 (width). `shorthand`: the key that a single value sets. */
double op_setting(const struct op_math *m, const char *key, const char *shorthand, int axis, double fallback);

#endif
