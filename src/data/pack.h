/* Packing other formats into a data set. */
#ifndef CVY_DATA_PACK_H
#define CVY_DATA_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"

struct cvy_pack_options {
    int classes;                    /* 0: largest label + 1 */
    const char *const *class_names; /* [classes], or NULL */
    int64_t shard_bytes;            /* 0: the writer's default */
    int chunk, deflate;             /* 0: the writer's default */
    bool overwrite;                 /* replace what is there */
};

/* IDX images and labels (plain or gzip) → `out`. CVY_ERR_DATA: unreadable, or images and labels differ in number. */
cvy_status cvy_pack_idx(const char *images, const char *labels, const char *out,
                        const struct cvy_pack_options *options);

#endif
