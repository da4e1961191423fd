/* A task is a row of the block; a row whose pixels are neighbours on both sides is copied in one go. */
#include "kernels/block.h"

#include <string.h>

#include "kernels/simd/values.h"

enum { TASK_FLOATS = 1 << 13 };

struct block {
    const struct cvy_value_loops *loops;
    enum cvy_dtype type;
    struct cvy_shape size;
    int rows, tasks; /* of all images */
    const void *from;
    void *to;
    struct cvy_strides from_strides, to_strides;
    bool accumulate;
};

/* Of `count` numbers, the first ones at these places. */
static void copy_run(const struct block *b, ptrdiff_t from, ptrdiff_t to, int64_t count) {
    const void *source = cvy_element(b->from, b->type, from);
    void *target = cvy_element(b->to, b->type, to);
    if (b->accumulate)
        b->loops->add(target, source, count);
    else
        memcpy(target, source, (size_t)count * cvy_dtype_bytes(b->type));
}

static void copy_row(const struct block *b, int row) {
    const struct cvy_strides *f = &b->from_strides, *t = &b->to_strides;
    const int image = row / b->size.h, y = row % b->size.h;
    const ptrdiff_t from = image * f->image + y * f->row, to = image * t->image + y * t->row;
    if (f->pixel == b->size.c && t->pixel == b->size.c) {
        copy_run(b, from, to, (int64_t)b->size.w * b->size.c);
        return;
    }
    for (int x = 0; x < b->size.w; x++) copy_run(b, from + x * f->pixel, to + x * t->pixel, b->size.c);
}

static void task(void *arg, int t, int thread) {
    (void)thread;
    const struct block *b = arg;
    const int begin = (int)((int64_t)b->rows * t / b->tasks), end = (int)((int64_t)b->rows * (t + 1) / b->tasks);
    for (int row = begin; row < end; row++) copy_row(b, row);
}

void cvy_block_copy(const struct cvy_compute *compute, enum cvy_dtype type, int n, struct cvy_shape size,
                    const void *from, struct cvy_strides from_strides, void *to, struct cvy_strides to_strides,
                    bool accumulate) {
    struct block b = {.loops = compute->values[type],
                      .type = type,
                      .size = size,
                      .rows = n * size.h,
                      .from = from,
                      .to = to,
                      .from_strides = from_strides,
                      .to_strides = to_strides,
                      .accumulate = accumulate};
    const int64_t floats = (int64_t)n * cvy_shape_count(size);
    b.tasks = floats / TASK_FLOATS < b.rows ? (int)(floats / TASK_FLOATS) + 1 : b.rows;
    cvy_parallel(compute->pool, b.tasks, task, &b);
}
