#include "kernels/isa.h"

#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

static const char *const names[CVY_ISA_COUNT] = {"portable", "neon", "avx2", "avx512", "avx512bf16"};

const char *cvy_isa_name(enum cvy_isa isa) {
    return names[isa];
}

enum cvy_isa cvy_isa_fp32(enum cvy_isa isa) {
    return isa > CVY_ISA_AVX512 ? CVY_ISA_AVX512 : isa;
}

#if defined(__x86_64__)

/* The register files that the operating system saves (XCR0): bits 1, 2 SSE and AVX; 5, 6, 7 AVX-512. */
static unsigned saved_state(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

bool cvy_isa_available(enum cvy_isa isa) {
    enum { AVX_STATE = 0x6, AVX512_STATE = 0xe6 };
    const unsigned avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ;
    unsigned a, b, c, d;
    if (isa == CVY_ISA_PORTABLE) return true;
    if (isa == CVY_ISA_NEON) return false;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_FMA)) return false;
    unsigned state = saved_state();
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    bool avx2 = (b & bit_AVX2) && (state & AVX_STATE) == AVX_STATE;
    if (isa == CVY_ISA_AVX2) return avx2;
    const bool has_avx512 = avx2 && (b & avx512) == avx512 && (state & AVX512_STATE) == AVX512_STATE;
    if (isa == CVY_ISA_AVX512) return has_avx512;
    return has_avx512 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & bit_AVX512BF16);
}

#else

bool cvy_isa_available(enum cvy_isa isa) {
#if defined(__aarch64__)
    if (isa == CVY_ISA_NEON) return true;
#endif
    return isa == CVY_ISA_PORTABLE;
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
    return CVY_FAIL(CVY_ERR_USAGE, "CONVOY_ISA=%s: no such ISA level; use portable, neon, avx2, avx512 or avx512bf16",
                    text);
}

enum cvy_isa cvy_isa_detect(void) {
    enum cvy_isa isa;
    if (cvy_isa_cap(&isa) != CVY_OK) isa = CVY_ISA_COUNT - 1;
    while (!cvy_isa_available(isa)) isa--;
    return isa;
}
