#include "core/ints.h"
#include "core/param.h"

#include <string.h>

#include "core/memory.h"

int64_t cvy_param_count(const struct cvy_param *param) {
    int64_t count = 1;
    for (int d = 0; d < param->rank; d++) count *= param->dims[d];
    return count;
}

int64_t cvy_params_count(const struct cvy_params *params) {
    int64_t count = 0;
    for (int i = 0; i < params->count; i++) count += cvy_param_count(&params->items[i]);
    return count;
}

bool cvy_params_learn(const struct cvy_params *params) {
    for (int i = 0; i < params->count; i++)
        if (params->items[i].lr_factor != 0) return true;
    return false;
}

static int64_t columns(const struct cvy_param *param) {
    return param->dims[param->rank - 1];
}

size_t cvy_param_stored(const struct cvy_param *param) {
    size_t rows = param->panels ? (size_t)(cvy_param_count(param) / columns(param)) : 1;
    size_t cols = param->panels ? (size_t)columns(param) : (size_t)cvy_param_count(param);
    return rows * cvy_round_up(cols, CVY_PANEL);
}

cvy_status cvy_params_add(struct cvy_params *params, const struct cvy_param *like, int *index) {
    CVY_TRY(CVY_GROW(&params->items, params->count, &params->room, general));
    struct cvy_param *param = &params->items[params->count];
    *param = *like;
    param->stored = cvy_param_stored(param);
    param->offset = params->stored;
    params->stored += param->stored;
    *index = params->count++;
    return CVY_OK;
}

void cvy_params_destroy(struct cvy_params *params) {
    cvy_free(params->items);
    *params = (struct cvy_params){0};
}

size_t cvy_param_place(const struct cvy_param *param, int64_t index) {
    int64_t cols = columns(param), rows = cvy_param_count(param) / cols, row = index / cols, col = index % cols;
    return (size_t)(param->panels ? (col / CVY_PANEL * rows + row) * CVY_PANEL + col % CVY_PANEL : index);
}

/* Rows of 16 columns, panel by panel: what is read lies together, what is written stays in cache. */
void cvy_param_slices(const struct cvy_param *param, const float *stored, int64_t first, int64_t count,
                      float *logical) {
    const int64_t cols = columns(param), rows = cvy_param_count(param) / cols;
    const int64_t slice = cvy_param_count(param) / param->dims[0];
    if (!param->panels) {
        memcpy(logical, stored + first * slice, (size_t)(count * slice) * sizeof *logical);
        return;
    }
    const int64_t from = first * slice / cols, end = (first + count) * slice / cols;
    for (int64_t col = 0; col < cols; col += CVY_PANEL) {
        const size_t width = (size_t)(cols - col < CVY_PANEL ? cols - col : CVY_PANEL);
        for (int64_t row = from; row < end; row++)
            memcpy(logical + (row - from) * cols + col, stored + col * rows + row * CVY_PANEL, width * sizeof *logical);
    }
}

void cvy_param_to_logical(const struct cvy_param *param, const float *stored, float *logical) {
    cvy_param_slices(param, stored, 0, param->dims[0], logical);
}

void cvy_param_from_logical(const struct cvy_param *param, const float *logical, float *stored) {
    const int64_t cols = columns(param), rows = cvy_param_count(param) / cols;
    memset(stored, 0, param->stored * sizeof *stored);
    for (int64_t row = 0; row < rows && param->panels; row++)
        for (int64_t col = 0; col < cols; col++)
            stored[(col / CVY_PANEL * rows + row) * CVY_PANEL + col % CVY_PANEL] = logical[row * cols + col];
    if (!param->panels) memcpy(stored, logical, (size_t)cvy_param_count(param) * sizeof *logical);
}

/* Taps of the kernel of a convolution's weight HWIO. */
static int64_t kernel_area(const struct cvy_param *param) {
    return param->rank == 4 ? param->dims[0] * param->dims[1] : 1;
}

static cvy_status fill_orthogonal(const struct cvy_param *param, const struct cvy_init *init, struct cvy_stream stream,
                                  struct cvy_init_shape shape, float *stored) {
    float *logical;
    CVY_TRY(CVY_NEW(&logical, shape.rows * shape.cols, general));
    cvy_status status = cvy_init_orthogonal(init, stream, shape, logical);
    if (status == CVY_OK) cvy_param_from_logical(param, logical, stored);
    cvy_free(logical);
    return status;
}

struct fill {
    const struct cvy_param *param;
    struct cvy_init init;
    struct cvy_stream stream;
    struct cvy_init_shape shape;
    float *stored;
};

enum { TASK_VALUES = 1 << 16, STRETCH = 256 };

/* Up to STRETCH values of one row, from logical index `first` on. */
static void fill_stretch(const struct fill *f, int64_t first, int64_t count) {
    const struct cvy_param *param = f->param;
    float values[STRETCH] = {0};
    if (param->given) { /* the same kernel from every input to every output channel */
        const int64_t slice = param->dims[2] * param->dims[3];
        for (int64_t i = 0; i < count; i++) values[i] = param->given[(first + i) / slice];
    } else {
        cvy_init_range(&f->init, f->stream, f->shape, first, count, values);
    }
    const int64_t column = first % f->shape.cols, panel = f->shape.rows * CVY_PANEL;
    float *row = f->stored + (param->panels ? first / f->shape.cols * CVY_PANEL : first - column);
    for (int64_t i = column; i < column + count; i++)
        row[param->panels ? i / CVY_PANEL * panel + i % CVY_PANEL : i] = values[i - column];
}

static void fill_task(void *arg, int t, int thread) {
    (void)thread;
    const struct fill *f = arg;
    const int64_t count = f->shape.rows * f->shape.cols, rest = count - (int64_t)t * TASK_VALUES;
    const int64_t end = count - rest + (rest < TASK_VALUES ? rest : TASK_VALUES);
    for (int64_t i = count - rest, n; i < end; i += n) {
        const int64_t of_row = f->shape.cols - i % f->shape.cols;
        n = of_row < STRETCH ? of_row : STRETCH;
        if (n > end - i) n = end - i;
        fill_stretch(f, i, n);
    }
}

cvy_status cvy_param_init(const struct cvy_param *param, uint64_t seed, struct cvy_pool *pool, float *stored) {
    const int64_t count = cvy_param_count(param), cols = columns(param);
    struct fill f = {.param = param,
                     .init = {param->init, param->init_how},
                     .stream = cvy_stream_make(seed, param->name),
                     .shape = {count / cols, cols, kernel_area(param)},
                     .stored = stored};
    if (!param->given && param->init == CVY_INIT_ORTHOGONAL)
        return fill_orthogonal(param, &f.init, f.stream, f.shape, stored);
    if (param->stored > (size_t)count) memset(stored, 0, param->stored * sizeof *stored); /* the padding */
    const int tasks = (int)cvy_ceil_div(count, TASK_VALUES);
    if (pool)
        cvy_parallel(pool, tasks, fill_task, &f);
    else
        for (int t = 0; t < tasks; t++) fill_task(&f, t, 0);
    return CVY_OK;
}
