/* Data sets in HDF5: one self-contained file, or an index file and shards (`train.h5`, `train.d/00000.h5` …), or a
 * user's own file. Samples are [h][w][c] of uint8 or float32; labels are classes 0 … classes−1. All calls may be made
 * from any thread; a handle serves one thread at a time. None is collective. */
#ifndef CVY_IO_DATASET_H
#define CVY_IO_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/status.h"
#include "core/tensor.h"

struct cvy_dataset_info {
    int64_t count;          /* samples, at least 1 */
    struct cvy_shape shape; /* of one sample */
    enum cvy_dtype x_type;  /* CVY_U8 or CVY_F32 */
    bool classification;    /* true: labels are classes (the only kind so far) */
    int classes;
    const char *const *class_names; /* [classes]; the numbers as text where the file has no names */
    bool named;                     /* the file has names */
    const double *mean, *std;       /* [shape.c], in units of x; std is never 0 */
    uint64_t digest;                /* identity of the contents, whatever the sharding or compression */
    int shards;                     /* 0 for a single file */
    int chunk;                      /* samples that are read together at no extra cost */
    int64_t bytes;                  /* count · sample size, uncompressed */
    int64_t file_bytes;             /* on disk, all files */
};

static inline size_t cvy_dataset_sample_bytes(const struct cvy_dataset_info *info) {
    return (size_t)cvy_shape_count(info->shape) * cvy_dtype_bytes(info->x_type);
}

enum cvy_layout { CVY_LAYOUT_NHWC, CVY_LAYOUT_NCHW };

/* x and y default (NULL) to "/x" and "/y". */
struct cvy_dataset_spec {
    const char *file, *x, *y;
    enum cvy_layout layout;
};

struct cvy_dataset;

/* Opens and checks: format, types, shapes, that labels are as many as samples and within the classes (all are read),
 * that every shard is there. CVY_ERR_DATA with file, object, expected and found otherwise.
 *
 * A file without our attribute `format` is a user's own: x is uint8, or any other number, which becomes float32, of
 * shape [n][h][w][c], [n][h][w] (one channel) or [n][c] (1×1×c); with CVY_LAYOUT_NCHW [n][c][h][w]. y is an integer [n]
 * or [n][1]; classes = largest label + 1. Root attributes mean and std are used where present; else mean is 0 and std
 * is 255 for uint8, 1 for float32. Its digest covers shape, labels, and the first and last sample only. */
cvy_status cvy_dataset_open(const struct cvy_dataset_spec *spec, struct cvy_dataset **out);
void cvy_dataset_close(struct cvy_dataset **ds);
const struct cvy_dataset_info *cvy_dataset_info(const struct cvy_dataset *ds); /* lives as long as ds */
const int32_t *cvy_dataset_labels(const struct cvy_dataset *ds);               /* [count], read at opening */

/* Samples first … first+count−1: x [count][h][w][c] of info.x_type, y [count]; either may be NULL. Always NHWC. */
cvy_status cvy_dataset_read(struct cvy_dataset *ds, int64_t first, int64_t count, void *x, int32_t *y);
/* Reads everything: every chunk's checksum, every shard's, and the digest. CVY_ERR_DATA naming what is damaged. */
cvy_status cvy_dataset_verify(struct cvy_dataset *ds);

/* Writing. */
struct cvy_dataset_plan {
    struct cvy_shape shape;
    enum cvy_dtype x_type; /* CVY_U8 or CVY_F32 */
    int classes;
    const char *const *class_names; /* [classes], or NULL for the numbers */
    int64_t count;                  /* expected, so that room is taken once; 0: unknown */
    int chunk;                      /* samples a chunk; 0: about 32 KiB */
    int64_t shard_bytes;            /* uncompressed, at most; 0: 256 MiB. What fits in one becomes a single file */
    int deflate;                    /* 0 none … 9 */
    const char *source;             /* where the data came from, or NULL */
    bool overwrite;                 /* replace what is there */
};
struct cvy_dataset_writer;

/* Files appear under their names only in cvy_dataset_writer_finish (shards first, the index last), each whole. The file
 * being written is held in memory (at most shard_bytes). The same samples and plan give the same bytes; mean and std
 * are over all samples. CVY_ERR_USAGE when there is such a data set already and not `overwrite`. */
cvy_status cvy_dataset_writer_create(const char *path, const struct cvy_dataset_plan *plan,
                                     struct cvy_dataset_writer **out);
/* Appends samples: x [count][h][w][c], y [count]. CVY_ERR_DATA for a label outside the classes. */
cvy_status cvy_dataset_writer_append(struct cvy_dataset_writer *writer, int64_t count, const void *x, const int32_t *y);
/* Puts the files in place and destroys the writer, also on failure. */
cvy_status cvy_dataset_writer_finish(struct cvy_dataset_writer **writer);
/* Gives up: nothing stays on disk. NULL is fine. */
void cvy_dataset_writer_destroy(struct cvy_dataset_writer **writer);

#endif
