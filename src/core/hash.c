#include "core/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t cvy_hash(const void *bytes, size_t size, uint64_t seed) {
    return XXH64(bytes, size, seed);
}
