/* The product of pairs by tiles (kernels/simd/bf16_tiles_template.h) over tiles in plain C, so that the code of the
 * level amx is tested on processors that have none. */
#ifndef CVY_TESTS_TILES_EMULATED_H
#define CVY_TESTS_TILES_EMULATED_H

#include "kernels/simd/bf16_table.h"

/* Ends the process where a processor would fault: a wrong configuration, tiles that do not match. */
extern const struct cvy_bf16_table tiles_emulated;

#endif
