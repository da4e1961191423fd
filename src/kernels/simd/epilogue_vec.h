/* The epilogue of M vectors of sums, which are of the same channels. */
#ifndef CVY_KERNELS_SIMD_EPILOGUE_VEC_H
#define CVY_KERNELS_SIMD_EPILOGUE_VEC_H

#include "kernels/simd/epilogue.h"
#include "kernels/simd/vec.h"

/* `at`: where their lanes are in the vectors of e; `place`: where the first's are in the residual, the next `step`
 * further. */
INLINE void v_epilogue(const struct cvy_epilogue *e, vf *acc, int M, int at, ptrdiff_t place, ptrdiff_t step,
                       int lanes) {
    if (e->bias) {
        const vf bias = v_load_lanes(e->bias + at, lanes);
        UNROLL for (int m = 0; m < M; m++) acc[m] += bias;
    }
    if (e->scale && e->shift) { /* rounded once, as a normalisation of its own does it */
        const vf scale = v_load_lanes(e->scale + at, lanes), shift = v_load_lanes(e->shift + at, lanes);
        UNROLL for (int m = 0; m < M; m++) acc[m] = v_fma(acc[m], scale, shift);
    } else if (e->scale) {
        const vf scale = v_load_lanes(e->scale + at, lanes);
        UNROLL for (int m = 0; m < M; m++) acc[m] *= scale;
    } else if (e->shift) {
        const vf shift = v_load_lanes(e->shift + at, lanes);
        UNROLL for (int m = 0; m < M; m++) acc[m] += shift;
    }
    if (e->residual) {
        UNROLL for (int m = 0; m < M; m++) acc[m] += v_load_lanes(e->residual + place + m * step, lanes);
    }
    if (e->activation == CVY_FUSED_RELU) {
        UNROLL for (int m = 0; m < M; m++) acc[m] = v_relu(acc[m]);
    }
}

#endif
