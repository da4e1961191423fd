/* What a product does to its sums while they are in registers. */
#ifndef CVY_KERNELS_SIMD_EPILOGUE_H
#define CVY_KERNELS_SIMD_EPILOGUE_H

#include <stddef.h>

enum cvy_fused_act { CVY_FUSED_NONE, CVY_FUSED_RELU };

/* What is done to a sum before it is stored. NULL members are skipped. */
struct cvy_epilogue {
    const float *bias, *scale, *shift; /* [k] each */
    const float *residual;             /* like y, and not y itself */
    enum cvy_fused_act activation;
};

#endif
