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

INLINE void weave_row(const cvy_bf16 *first, const cvy_bf16 *second, int64_t count, cvy_pair *out, ptrdiff_t panel) {
    EACH_VECTOR(i, lanes, count) {
        const vu low = first ? v_load_half(first + i, (int)lanes) : (vu){0};
        const vu high = second ? v_load_half(second + i, (int)lanes) : (vu){0};
        cvy_pair *at = out + (i / CVY_PANEL) * panel + i % CVY_PANEL;
        v_store_lanes((float *)(void *)at, (vf)(low | high << 16), (int)lanes);
    }
}

static void weave(const struct cvy_weave *w) {
    const cvy_bf16 *first = w->first, *second = w->second;
    cvy_pair *out = w->out;
    for (int i = 0; i < w->rows; i++, out += w->out_row) {
        weave_row(first, second, w->count, out, w->out_panel);
        if (first) first += w->row;
        if (second) second += w->row;
    }
}

const struct cvy_bf16_table TABLE = {.dot = dot, .pack = pack, .narrow = narrow, .weave = weave};
