/* How an algorithm cuts a pass of a convolution into tasks: decided once, when the plan is made, kept in the plan, and
 * found again in each call. What is in it is the algorithm's own. */
#ifndef CVY_KERNELS_CONV_TILING_H
#define CVY_KERNELS_CONV_TILING_H

#include <string.h>

enum { CVY_TILING_BYTES = 1 << 10 };

struct cvy_tiling {
    unsigned char own[CVY_TILING_BYTES];
};

#define CVY_TILING_KEEP(from, out)                                                                                     \
    do {                                                                                                               \
        _Static_assert(sizeof *(from) <= CVY_TILING_BYTES, "tiling.h: more room for a tiling");                        \
        memcpy((out)->own, from, sizeof *(from));                                                                      \
    } while (0)
#define CVY_TILING_FIND(call, to) memcpy(to, (call)->tiling->own, sizeof *(to))

#endif
