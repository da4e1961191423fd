#include "kernels/conv/algorithm.h"

#define ROW(name) &cvy_##name,
static const struct cvy_algorithm *const forward_rows[] = {CVY_FORWARD_ALGORITHMS(ROW) NULL};
static const struct cvy_algorithm *const data_rows[] = {CVY_DATA_ALGORITHMS(ROW) NULL};
static const struct cvy_algorithm *const gradient_rows[] = {CVY_GRADIENT_ALGORITHMS(ROW) NULL};
static const struct cvy_algorithm *const *const rows[] = {
    [CVY_PASS_FORWARD] = forward_rows, [CVY_PASS_DATA] = data_rows, [CVY_PASS_WEIGHTS] = gradient_rows};

const struct cvy_algorithm *cvy_algorithm_at(enum cvy_pass pass, int i) {
    return rows[pass][i];
}

bool cvy_always(const struct cvy_conv_case *c) {
    (void)c;
    return true;
}
