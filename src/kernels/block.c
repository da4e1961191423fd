/* A task is a row of the block; a row whose pixels are neighbours on both sides is copied in one go. */
#include "kernels/block.h"

#include <string.h>

#include "kernels/table.h"

enum { TASK_FLOATS = 1 << 13 };

struct block {
    const struct cvy_kernel_table *table;
    struct cvy_shape size;
    int rows, tasks; /* of all images */
    const float *from;
    float *to;
    struct cvy_strides from_strides, to_strides;
    bool accumulate;
};

static void copy_run(const struct block *b, const float *from, float *to, int64_t count) {
    if (b->accumulate)
        b->table->add(to, from, count);
    else
        memcpy(to, from, (size_t)count * sizeof *to);
}

static void copy_row(const struct block *b, int row) {
    const struct cvy_strides *f = &b->from_strides, *t = &b->to_strides;
    const int image = row / b->size.h, y = row % b->size.h;
    const float *from = b->from + image * f->image + y * f->row;
    float *to = b->to + image * t->image + y * t->row;
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

void cvy_block_copy(const struct cvy_compute *compute, int n, struct cvy_shape size, const float *from,
                    struct cvy_strides from_strides, float *to, struct cvy_strides to_strides, bool accumulate) {
    struct block b = {.table = compute->table,
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
