/* Who holds which of `count` things in a row: part p of P holds [⌊p·count/P⌋, ⌊(p+1)·count/P⌋), perhaps none. The one
 * place that decides which leaves a rank has; data and exchange both ask here. */
#ifndef CVY_CORE_SHARE_H
#define CVY_CORE_SHARE_H

#include <stdint.h>

static inline void cvy_share(int count, int part, int parts, int *first, int *end) {
    *first = (int)((int64_t)part * count / parts);
    *end = (int)(((int64_t)part + 1) * count / parts);
}

#endif
