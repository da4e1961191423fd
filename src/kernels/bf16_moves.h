/* The loops that move numbers by the vectors of VEC_BITS, and the level's TABLE, whose `dot` the including file has
 * defined. */
#include "kernels/bf16_table.h"
#include "kernels/bf16_vec.h"

static void narrow(const float *from, cvy_bf16 *to, int64_t count) {
    EACH_VECTOR(i, lanes, count) v_narrow(to + i, v_load_lanes(from + i, (int)lanes), (int)lanes);
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

const struct cvy_bf16_table TABLE = {.dot = dot, .narrow = narrow, .interleave = interleave};
