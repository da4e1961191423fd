/* The 512 bytes at the head of a checkpoint; see ckpt.h. */
#ifndef CVY_IO_CKPT_CKPT_HEAD_H
#define CVY_IO_CKPT_CKPT_HEAD_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CVY_CKPT_HEAD    512
#define CVY_CKPT_MAGIC   "convoy-checkpoint "
#define CVY_CKPT_VERSION 1

/* A pure function of what follows it, so that a reader compares all 512 bytes with what they should be. */
static inline void cvy_ckpt_head(int64_t length, uint64_t digest, char out[CVY_CKPT_HEAD]) {
    memset(out, 0, CVY_CKPT_HEAD);
    snprintf(out, CVY_CKPT_HEAD, CVY_CKPT_MAGIC "%d length %020" PRId64 " xxh64 %016" PRIx64 "\n", CVY_CKPT_VERSION,
             length, digest);
}

#endif
