/* Flat vectors, cut into tasks of a fixed size. */
#include "kernels/elementwise.h"

#include "core/ints.h"

#include <string.h>

#include "kernels/simd/table.h"

enum { TASK_FLOATS = 1 << 13 };

/* The arguments of all loops here; each uses its own. */
struct flat {
    const struct cvy_kernel_table *table;
    const struct cvy_tensor_loops *tensor;
    enum cvy_dtype type; /* of a, b and out, where the loop is one of `values` */
    int64_t count;
    struct cvy_act act;
    const void *a, *b;
    void *out;
    float *v;
    float factor;
    bool accumulate;
    const struct cvy_tensor *x; /* of several tensors */
    int inputs, skip;
    const struct cvy_sgd *sgd;
};

static int64_t begin_of(int task) {
    return (int64_t)task * TASK_FLOATS;
}
static int64_t count_of(const struct flat *f, int task) {
    int64_t left = f->count - begin_of(task);
    return left < TASK_FLOATS ? left : TASK_FLOATS;
}

/* Its numbers; NULL for an array that there is not. */
static void *at(const struct flat *f, const void *data, int task) {
    return data ? cvy_element(data, f->type, begin_of(task)) : NULL;
}

static void run(const struct cvy_compute *compute, cvy_task_fn *fn, struct flat *f) {
    f->table = compute->table;
    f->tensor = compute->tensor[f->type];
    cvy_parallel(compute->pool, (int)cvy_ceil_div(f->count, TASK_FLOATS), fn, f);
}

static void act_forward(void *arg, int t, int thread) {
    (void)thread;
    const struct flat *f = arg;
    f->tensor->act_forward[f->act.kind](&f->act, at(f, f->a, t), at(f, f->out, t), count_of(f, t));
}

static void act_backward(void *arg, int t, int thread) {
    (void)thread;
    const struct flat *f = arg;
    f->tensor->act_backward[f->act.kind](&f->act, at(f, f->a, t), at(f, f->b, t), at(f, f->out, t), count_of(f, t),
                                         f->accumulate);
}

static void add(void *arg, int t, int thread) {
    (void)thread;
    const struct flat *f = arg;
    f->tensor->add(at(f, f->out, t), at(f, f->a, t), count_of(f, t));
}

static void scale(void *arg, int t, int thread) {
    (void)thread;
    const struct flat *f = arg;
    f->table->scale(at(f, f->out, t), f->factor, count_of(f, t));
}

static void zero(void *arg, int t, int thread) {
    (void)thread;
    const struct flat *f = arg;
    memset(at(f, f->out, t), 0, (size_t)count_of(f, t) * cvy_dtype_bytes(f->type));
}

static void fill(void *arg, int t, int thread) {
    (void)thread;
    const struct flat *f = arg;
    f->tensor->fill(at(f, f->out, t), f->factor, count_of(f, t));
}

static void sum_of(void *arg, int t, int thread) {
    (void)thread;
    const struct flat *f = arg;
    f->tensor->sum_of(f->x, f->inputs, begin_of(t), at(f, f->out, t), count_of(f, t));
}

static void product_of(void *arg, int t, int thread) {
    (void)thread;
    const struct flat *f = arg;
    f->tensor->product_of(f->x, f->inputs, f->skip, at(f, f->b, t), begin_of(t), at(f, f->out, t), count_of(f, t),
                          f->accumulate);
}

static void sgd(void *arg, int t, int thread) {
    (void)thread;
    const struct flat *f = arg;
    f->table->sgd(at(f, f->out, t), at(f, f->a, t), at(f, f->v, t), count_of(f, t), f->sgd);
}

void cvy_act_forward(const struct cvy_compute *compute, enum cvy_dtype type, struct cvy_act act, const void *x, void *y,
                     int64_t count) {
    run(compute, act_forward, &(struct flat){.type = type, .act = act, .a = x, .out = y, .count = count});
}

void cvy_act_backward(const struct cvy_compute *compute, enum cvy_dtype type, struct cvy_act act, const void *from,
                      const void *dy, void *dx, int64_t count, bool accumulate) {
    run(compute, act_backward,
        &(struct flat){
            .type = type, .act = act, .a = from, .b = dy, .out = dx, .count = count, .accumulate = accumulate});
}

void cvy_tensor_add(const struct cvy_compute *compute, enum cvy_dtype type, void *dst, const void *a, int64_t count) {
    run(compute, add, &(struct flat){.type = type, .a = a, .out = dst, .count = count});
}

void cvy_vec_add(const struct cvy_compute *compute, float *dst, const float *a, int64_t count) {
    cvy_tensor_add(compute, CVY_F32, dst, a, count);
}

void cvy_vec_add_serial(const struct cvy_compute *compute, float *dst, const float *a, int64_t count) {
    compute->table->add(dst, a, count);
}

void cvy_vec_scale(const struct cvy_compute *compute, float *dst, float factor, int64_t count) {
    run(compute, scale, &(struct flat){.out = dst, .factor = factor, .count = count});
}

void cvy_tensor_fill(const struct cvy_compute *compute, enum cvy_dtype type, void *dst, float value, int64_t count) {
    run(compute, value == 0 ? zero : fill, &(struct flat){.type = type, .out = dst, .factor = value, .count = count});
}

static void combine(const struct cvy_compute *compute, cvy_task_fn *fn, const struct cvy_tensor *x, struct flat *f) {
    f->x = x;
    f->type = x->dtype;
    f->count = x->n * cvy_shape_count(x->shape);
    run(compute, fn, f);
}

void cvy_sum_of(const struct cvy_compute *compute, const struct cvy_tensor *x, int inputs, void *y) {
    combine(compute, sum_of, x, &(struct flat){.inputs = inputs, .out = y});
}

void cvy_product_of(const struct cvy_compute *compute, const struct cvy_tensor *x, int inputs, void *y) {
    combine(compute, product_of, x, &(struct flat){.inputs = inputs, .skip = -1, .out = y});
}

void cvy_product_of_backward(const struct cvy_compute *compute, const struct cvy_tensor *x, int inputs, int k,
                             const void *dy, void *dx, bool accumulate) {
    combine(compute, product_of, x,
            &(struct flat){.inputs = inputs, .skip = k, .b = dy, .out = dx, .accumulate = accumulate});
}

void cvy_sgd_update(const struct cvy_compute *compute, const struct cvy_sgd *how, float *w, const float *g, float *v,
                    int64_t count) {
    run(compute, sgd, &(struct flat){.out = w, .a = g, .v = v, .count = count, .sgd = how});
}
