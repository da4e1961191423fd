/* A task is some rows; a row whose pixels are neighbours on both sides is copied in one go. */
#include "kernels/strided.h"

#include <string.h>

#include "kernels/simd/tensor.h"

enum { TASK_FLOATS = 1 << 13 };

struct copy {
    const struct cvy_tensor_loops *loops;
    enum cvy_dtype type;
    struct cvy_shape size;
    int rows, tasks; /* of all images */
    struct cvy_view from, to;
    bool accumulate;
};

/* Of `count` numbers, the first ones at these places. */
static void copy_run(const struct copy *s, ptrdiff_t from, ptrdiff_t to, int64_t count) {
    const void *source = cvy_element(s->from.data, s->type, from);
    void *target = cvy_element(s->to.data, s->type, to);
    if (s->accumulate)
        s->loops->add(target, source, count);
    else
        memcpy(target, source, (size_t)count * cvy_dtype_bytes(s->type));
}

static void copy_row(const struct copy *s, int row) {
    const struct cvy_view *f = &s->from, *t = &s->to;
    const int image = row / s->size.h, y = row % s->size.h;
    const ptrdiff_t from = image * f->image + y * f->row, to = image * t->image + y * t->row;
    if (f->pixel == s->size.c && t->pixel == s->size.c) {
        copy_run(s, from, to, (int64_t)s->size.w * s->size.c);
        return;
    }
    for (int x = 0; x < s->size.w; x++) copy_run(s, from + x * f->pixel, to + x * t->pixel, s->size.c);
}

static void task(void *arg, int t, int thread) {
    (void)thread;
    const struct copy *s = arg;
    const int begin = (int)((int64_t)s->rows * t / s->tasks), end = (int)((int64_t)s->rows * (t + 1) / s->tasks);
    for (int row = begin; row < end; row++) copy_row(s, row);
}

void cvy_strided_copy(const struct cvy_compute *compute, enum cvy_dtype type, int n, struct cvy_shape size,
                      struct cvy_view from, struct cvy_view to, bool accumulate) {
    struct copy s = {compute->tensor[type], type, size, n * size.h, 0, from, to, accumulate};
    const int64_t floats = (int64_t)n * cvy_shape_count(size);
    s.tasks = floats / TASK_FLOATS < s.rows ? (int)(floats / TASK_FLOATS) + 1 : s.rows;
    cvy_parallel(compute->pool, s.tasks, task, &s);
}
