/* Shapes of convolutions, and what each pass should give for them, by plain loops in double. */
#ifndef CVY_TESTS_CONV_HELP_H
#define CVY_TESTS_CONV_HELP_H

#include "kernels/conv/algorithm.h"
#include "kernels/conv/plan.h"
#include "unit/kernels/kernels_help.h"

struct shape {
    int n, h, w, c, k, r, s, sh, sw, top, bottom, left, right, dh, dw, groups;
};
extern const struct shape conv_shapes[];
extern const int conv_shape_count;
struct cvy_conv conv_of(const struct shape *shape);

/* Inputs and expected results of one shape. */
struct fixture {
    struct cvy_conv g;
    size_t x_count, y_count, w_count, b_count;
    float *x, *dy, *w, *bias, *before;
    double *y, *dx, *dw, *db;
};
struct fixture fixture_inputs(const struct shape *shape); /* without results */
struct fixture fixture_new(const struct shape *shape);
/* Of operands that bf16 holds exactly. */
struct fixture fixture_rounded(const struct shape *shape);
void fixture_free(struct fixture *f);
double *zeros(size_t count);
/* Whether stored weight i is in a lane beyond k. */
bool is_padding(const struct fixture *f, size_t i);

/* A plan of all passes in fp32 with the memory it wants, whose workspace holds NaN. */
struct planned {
    struct cvy_conv_plan plan;
    float *copies;
    void *ws;
};
struct planned planned_new(const struct cvy_compute *compute, const struct cvy_conv *g);
/* Of weights that stay as they are. */
struct planned planned_fixed(const struct cvy_compute *compute, const struct cvy_conv *g);
struct cvy_conv_weights planned_weights(const struct planned *p, const float *w);
void planned_poison(struct planned *p); /* NaN in the workspace again */
void planned_free(struct planned *p);

#endif
