/* The loops that move numbers by the vectors of VEC_BITS, and the level's TABLE, whose `dot` the including file has
 * defined. */
#include "kernels/bf16_table.h"
#include "kernels/bf16_vec.h"

#define EACH_VECTOR(i, lanes, count)                                                                                   \
    for (int64_t i = 0, lanes = VEC; i < (count) && (lanes = (count)-i < VEC ? (count)-i : VEC) > 0; i += VEC)

static void narrow(const float *from, cvy_bf16 *to, int64_t count) {
    EACH_VECTOR(i, lanes, count) v_narrow(to + i, v_load_lanes(from + i, (int)lanes), (int)lanes);
}

static void widen(const cvy_bf16 *from, float *to, int64_t count) {
    EACH_VECTOR(i, lanes, count) v_store_lanes(to + i, v_widen(from + i, (int)lanes), (int)lanes);
}

static void add(cvy_bf16 *dst, const cvy_bf16 *a, int64_t count) {
    EACH_VECTOR(i, lanes, count)
    v_narrow(dst + i, v_widen(dst + i, (int)lanes) + v_widen(a + i, (int)lanes), (int)lanes);
}

static void interleave(const cvy_bf16 *first, const cvy_bf16 *second, cvy_pair *out, int64_t count) {
    EACH_VECTOR(i, lanes, count) {
        const int n = (int)lanes;
        const vu low = first ? v_load_half(first + i, n) : (vu){0};
        const vu high = second ? v_load_half(second + i, n) << 16 : (vu){0};
        const vf both = (vf)(low | high);
        float part[VEC];
        if (n == VEC) {
            memcpy(out + i, &both, sizeof both);
        } else {
            v_store(part, both);
            memcpy(out + i, part, (size_t)n * sizeof *out);
        }
    }
}

const struct cvy_bf16_table TABLE = {
    .dot = dot, .narrow = narrow, .widen = widen, .add = add, .interleave = interleave};
