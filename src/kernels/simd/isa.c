#define _GNU_SOURCE
#include "kernels/simd/isa.h"

#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

static const char *const names[CVY_ISA_COUNT] = {"portable", "neon", "avx2", "avx512", "avx512bf16", "amx"};

const char *cvy_isa_name(enum cvy_isa isa) {
    return names[isa];
}

enum cvy_isa cvy_isa_fp32(enum cvy_isa isa) {
    return isa > CVY_ISA_AVX512 ? CVY_ISA_AVX512 : isa;
}

#if defined(__x86_64__)

/* The register files that the operating system saves (XCR0). */
enum { AVX_STATE = 0x6, AVX512_STATE = 0xe6, TILE_STATE = 0x60000 };

static bool saved(unsigned states) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & states) == states;
}

/* What the processor and the system have of each level beyond the ones below it. */
static bool has(enum cvy_isa isa) {
    const unsigned avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ, amx = 1u << 24 | 1u << 22;
    unsigned a, b, c, d;
    if (isa == CVY_ISA_PORTABLE) return true;
    if (isa == CVY_ISA_NEON) return false;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return false;
    const bool fma = c & bit_FMA;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    if (isa == CVY_ISA_AVX2) return fma && (b & bit_AVX2) && saved(AVX_STATE);
    if (isa == CVY_ISA_AVX512) return (b & avx512) == avx512 && saved(AVX512_STATE);
    if (isa == CVY_ISA_AMX) return (d & amx) == amx && saved(TILE_STATE); /* AMX-TILE and AMX-BF16 */
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & bit_AVX512BF16);
}

/* Whether this process may use tiles from now on; asking again does no harm. */
static bool tiles_granted(void) {
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

bool cvy_isa_available(enum cvy_isa isa) {
    for (enum cvy_isa level = CVY_ISA_AVX2; level <= isa; level++)
        if (!has(level)) return false;
    return has(isa) && (isa != CVY_ISA_AMX || tiles_granted());
}

bool cvy_isa_amx_refused(void) {
    return cvy_isa_available(CVY_ISA_AVX512BF16) && has(CVY_ISA_AMX) && !tiles_granted();
}

#else

bool cvy_isa_available(enum cvy_isa isa) {
#if defined(__aarch64__)
    if (isa == CVY_ISA_NEON) return true;
#endif
    return isa == CVY_ISA_PORTABLE;
}

bool cvy_isa_amx_refused(void) {
    return false;
}

#endif

cvy_status cvy_isa_cap(enum cvy_isa *out) {
    const char *text = getenv("CONVOY_ISA");
    *out = CVY_ISA_COUNT - 1;
    if (text == NULL || *text == '\0') return CVY_OK;
    for (int i = 0; i < CVY_ISA_COUNT; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (enum cvy_isa)i;
            return CVY_OK;
        }
    return CVY_FAIL(CVY_ERR_USAGE,
                    "CONVOY_ISA=%s: no such ISA level; use portable, neon, avx2, avx512, avx512bf16 or amx", text);
}

enum cvy_isa cvy_isa_detect(void) {
    enum cvy_isa isa;
    if (cvy_isa_cap(&isa) != CVY_OK) isa = CVY_ISA_COUNT - 1;
    while (!cvy_isa_available(isa)) isa--;
    return isa;
}
