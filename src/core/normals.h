/* Normal numbers from random words, by the transform of Box and Muller (Annals of Mathematical Statistics 29, 1958):
 * words 2i and 2i+1 make numbers 2i and 2i+1,
 *
 *     r = √(−2·ln((w + ½)·2⁻³²)),  φ = 2π·w'·2⁻³²,  r·cos φ and r·sin φ.
 *
 * Logarithm, sine and cosine are written out, of additions and multiplications alone: the same bits whatever the C
 * library, the processor, and how many are made at once. Within 4e-15 of the exact numbers. */
#ifndef CVY_CORE_NORMALS_H
#define CVY_CORE_NORMALS_H

#include <stdint.h>

/* count: even. */
void cvy_normals(const uint32_t *words, int count, double *out);

#endif
