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

static int64_t columns(const struct cvy_param *param) {
    return param->dims[param->rank - 1];
}

size_t cvy_param_stored(const struct cvy_param *param) {
    size_t rows = param->panels ? (size_t)(cvy_param_count(param) / columns(param)) : 1;
    size_t cols = param->panels ? (size_t)columns(param) : (size_t)cvy_param_count(param);
    return rows * ((cols + CVY_PANEL - 1) / CVY_PANEL * CVY_PANEL);
}

cvy_status cvy_params_add(struct cvy_params *params, const struct cvy_param *like, int *index) {
    if (params->count == params->room) {
        int room = params->room ? 2 * params->room : 16;
        struct cvy_param *items;
        CVY_TRY(CVY_NEW(&items, room, general));
        if (params->count) memcpy(items, params->items, (size_t)params->count * sizeof *items);
        cvy_free(params->items);
        params->items = items;
        params->room = room;
    }
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

/* Copies rows × cols between [rows][cols] and panels; `to_logical` tells the direction. */
static void convert(const struct cvy_param *param, float *stored, float *logical, bool to_logical) {
    int64_t cols = columns(param), rows = cvy_param_count(param) / cols;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t col = 0; col < cols; col++) {
            float *s = &stored[(col / CVY_PANEL * rows + row) * CVY_PANEL + col % CVY_PANEL];
            float *l = &logical[row * cols + col];
            if (to_logical)
                *l = *s;
            else
                *s = *l;
        }
}

void cvy_param_to_logical(const struct cvy_param *param, const float *stored, float *logical) {
    if (param->panels)
        convert(param, (float *)(uintptr_t)stored, logical, true);
    else
        memcpy(logical, stored, (size_t)cvy_param_count(param) * sizeof *logical);
}

void cvy_param_from_logical(const struct cvy_param *param, const float *logical, float *stored) {
    memset(stored, 0, param->stored * sizeof *stored);
    if (param->panels)
        convert(param, stored, (float *)(uintptr_t)logical, false);
    else
        memcpy(stored, logical, (size_t)cvy_param_count(param) * sizeof *logical);
}

/* Taps of the kernel of a convolution's weight HWIO. */
static int64_t kernel_area(const struct cvy_param *param) {
    return param->rank == 4 ? param->dims[0] * param->dims[1] : 1;
}

/* The same kernel from every input to every output channel. */
static void fill_given(const struct cvy_param *param, float *logical) {
    const int64_t slice = param->dims[2] * param->dims[3];
    for (int64_t i = 0; i < cvy_param_count(param); i++) logical[i] = param->given[i / slice];
}

cvy_status cvy_param_init(const struct cvy_param *param, uint64_t seed, float *stored) {
    const struct cvy_init init = {param->init, param->init_how};
    int64_t count = cvy_param_count(param), cols = columns(param);
    float *logical;
    CVY_TRY(CVY_NEW(&logical, count, general));
    cvy_status status = CVY_OK;
    if (param->given)
        fill_given(param, logical);
    else
        status = cvy_init_fill(&init, seed, param->name, count / cols, cols, kernel_area(param), logical);
    if (status == CVY_OK) cvy_param_from_logical(param, logical, stored);
    cvy_free(logical);
    return status;
}
