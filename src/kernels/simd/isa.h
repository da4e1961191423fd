/* ISA levels: which instructions the kernels may use, decided at run time.
 *
 * Levels are in ascending order, so that the level common to all ranks is the minimum. A level stands for all that its
 * files are compiled with (Makefile): avx2 has FMA, avx512 has F, BW, VL and DQ, avx512bf16 its products of bf16 pairs,
 * amx those of tiles of them. In fp32 the last two are avx512 itself: the same kernels, the same bits. */
#ifndef CVY_KERNELS_SIMD_ISA_H
#define CVY_KERNELS_SIMD_ISA_H

#include <stdbool.h>

#include "core/status.h"

enum cvy_isa {
    CVY_ISA_PORTABLE,
    CVY_ISA_NEON,
    CVY_ISA_AVX2,
    CVY_ISA_AVX512,
    CVY_ISA_AVX512BF16,
    CVY_ISA_AMX,
    CVY_ISA_COUNT
};

const char *cvy_isa_name(enum cvy_isa isa); /* in lower case, without the prefix */

/* The level that fp32 work at this level has its kernels, and so its bits, from. */
enum cvy_isa cvy_isa_fp32(enum cvy_isa isa);

/* Whether this build, this processor and its operating system can run the level; no cap is applied. For amx Linux wants
 * to be asked for the tiles' 8 KiB of state: that is done here, for the whole process, so it is called before threads
 * compute. */
bool cvy_isa_available(enum cvy_isa isa);

/* Whether the processor has AMX, its system keeps the state of tiles, and yet this process is not given leave. */
bool cvy_isa_amx_refused(void);

/* The cap of the environment's CONVOY_ISA; the highest level when it is unset or empty. An unknown name is
 * CVY_ERR_USAGE, with the names that are valid. */
cvy_status cvy_isa_cap(enum cvy_isa *out);

/* The best level that is available and not above the cap (a cap that does not parse is reported by cvy_isa_cap, which
 * the program calls first, and ignored here). */
enum cvy_isa cvy_isa_detect(void);

#endif
