/* XXH64 (xxHash library): digests of files, data and graphs; keys of random streams. Not cryptographic. */
#ifndef CVY_CORE_HASH_H
#define CVY_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t cvy_hash(const void *bytes, size_t size, uint64_t seed);

#endif
