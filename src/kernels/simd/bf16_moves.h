/* The loops that move numbers by the vectors of VEC_BITS, and the level's TABLE, whose `dot` the including file has
 * defined. */
#include "core/param.h"
#include "kernels/simd/bf16_table.h"
#include "kernels/simd/bf16_vec.h"

static void narrow(const float *from, cvy_bf16 *to, int64_t count) {
    EACH_VECTOR(i, lanes, count) v_narrow(to + i, v_load_lanes(from + i, (int)lanes), (int)lanes);
}

static void pack(const float *rows, int count, cvy_pair *out) {
    for (int i = 0; i < count; i += 2, rows += 2 * CVY_PANEL, out += CVY_PANEL)
        for (int j = 0; j < CVY_PANEL; j += VEC) {
            const vu first = __builtin_convertvector(v_round(v_load(rows + j)), vu);
            const vu second =
                i + 1 < count ? __builtin_convertvector(v_round(v_load(rows + CVY_PANEL + j)), vu) : (vu){0};
            const vu both = first | second << 16;
            memcpy(out + j, &both, sizeof both);
        }
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

const struct cvy_bf16_table TABLE = {.dot = dot, .pack = pack, .narrow = narrow, .interleave = interleave};
