/* All of a parameter in the logical order, as a checkpoint has it. */
#ifndef CVY_TESTS_PARAM_HELP_H
#define CVY_TESTS_PARAM_HELP_H

#include "core/param.h"

static inline void param_logical(const struct cvy_param *param, const float *stored, float *logical) {
    cvy_param_slices(param, stored, 0, param->dims[0], logical);
}

#endif
