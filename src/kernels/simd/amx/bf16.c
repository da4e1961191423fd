/* bf16 by the tiles of AMX; all but the product by AVX-512, as at avx512bf16. */
#if !defined(__AVX512BF16__) || !(defined(__AMX_BF16__) || defined(__AMXBF16__)) /* gcc's name, and clang's */
#error "compile with the flags of amx (see the Makefile)"
#endif
#include <immintrin.h>

#define VEC_BITS 512
#define TABLE    cvy_bf16_amx

/* The compilers' intrinsics do not tell that tiles are read from memory and written to it. */
#define FENCED(operation)                                                                                              \
    do {                                                                                                               \
        __asm__ volatile("" ::: "memory");                                                                             \
        operation;                                                                                                     \
        __asm__ volatile("" ::: "memory");                                                                             \
    } while (0)
#define TILE_CONFIGURE(config)    FENCED(_tile_loadconfig(config))
#define TILE_LOAD(t, from, bytes) FENCED(_tile_loadd(t, from, bytes))
#define TILE_STORE(t, to, bytes)  FENCED(_tile_stored(t, to, bytes))
#define TILE_ZERO(t)              _tile_zero(t)
#define TILE_DOT(c, a, b)         _tile_dpbf16ps(c, a, b)
#define TILE_RELEASE()            _tile_release()
#include "kernels/simd/bf16_tiles_template.h"
