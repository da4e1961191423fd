/* Packing other formats into a data set. A format is a file that ends in its kind, and a word in convoy/formats.h. */
#ifndef CVY_DATA_PACK_H
#define CVY_DATA_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "io/dataset/dataset.h"

struct cvy_pack_options {
    int classes;                    /* 0: largest label + 1 */
    const char *const *class_names; /* [classes], or NULL */
    int64_t shard_bytes;            /* 0: the writer's default */
    int chunk, deflate;             /* 0: the writer's default */
    bool ignores;                   /* a class that stands for what does not count: */
    int32_t ignored;
    bool overwrite;       /* replace what is there */
    struct cvy_work work; /* where it is stopped, nothing is left */
    int64_t *unwritten;   /* NULL, or gets how many chunks were never written */
    const char **note;    /* NULL, or gets how targets were taken, where that is not plain (info.target_note) */
};

/* Inputs of a format, as many as it takes. */
struct cvy_pack_inputs {
    const char *const *paths;
    struct cvy_dataset_spec first; /* the first one, where the format is of data sets */
};

struct cvy_pack_format {
    int inputs;
    const char *takes, *hint; /* "one input, and OUT.h5 behind it"; and what else may have been meant, or "" */
    bool data_sets;           /* its input is a data set, read as the caller's options about such say */
    cvy_status (*pack)(const struct cvy_pack_inputs *from, const char *out, const struct cvy_pack_options *options);
};
/* CVY_ERR_USAGE where there is none of this name. */
cvy_status cvy_pack_find(const char *name, const struct cvy_pack_format **out);

/* IDX images and labels (plain or gzip) → `out`. CVY_ERR_DATA: unreadable, or images and labels differ in number. */
cvy_status cvy_pack_idx(const char *images, const char *labels, const char *out,
                        const struct cvy_pack_options *options);

/* A data set that somebody else made (or one of ours) → `out`: samples and targets of any kind as `from` reads them;
 * texts stand for options->class_names, where these are given. */
cvy_status cvy_pack_hdf5(const struct cvy_dataset_spec *from, const char *out, const struct cvy_pack_options *options);

#endif
