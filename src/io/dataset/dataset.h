/* Data sets in HDF5: one self-contained file, or an index file and shards (`train.h5`, `train.d/00000.h5` …), or a
 * user's own file. Samples are [h][w][c] of uint8 or float32; the target of each is a class, a map of classes, or
 * values. All calls may be made from any thread; a handle serves one thread at a time. None is collective. */
#ifndef CVY_IO_DATASET_DATASET_H
#define CVY_IO_DATASET_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "io/dataset/range.h"
#include "core/status.h"
#include "core/tensor.h"
#include "io/work.h"
#include "io/path.h"

struct cvy_dataset_info {
    int64_t count;            /* samples, at least 1 */
    struct cvy_shape shape;   /* of one sample */
    enum cvy_dtype x_type;    /* CVY_U8 or CVY_F32 */
    struct cvy_target target; /* of one sample; of no size where targets are not read */
    int classes;              /* of CVY_I32 targets, 0 … classes−1; else the channels of the target */
    bool ignores;             /* there may be one more, for what does not count: */
    int32_t ignored;
    const char *const *class_names; /* [classes]; the numbers as text where the file has no names */
    bool named;                     /* the file has names */
    const int32_t *labels;          /* [count] where targets are single classes and all are held; else NULL */
    char stored[24];                /* the type of x in the file: "uint16"; "" where there is no file */
    bool packed;                    /* a set of ours: mean, std and digest are of all its contents */
    const double *mean, *std;       /* [shape.c], in units of x; std is never 0 */
    struct cvy_range range;         /* of x; of no values where the set does not say it */
    uint64_t digest;                /* identity of the contents, whatever the sharding or compression */
    double y_scale;                 /* what a user's uint8 maps of values are multiplied by; 0: there are none */
    const char *idle;               /* what was said of targets that are other than that; NULL: nothing */
    const char *target_note;        /* how y was taken where that is not plain: "whole numbers stored as floats: …" */
    int64_t largest_at;             /* the first sample with class classes−1, of a user's numbers; else 0 */
    bool odd;                       /* rows are one-hot but for a few, as far as they were looked at: */
    int64_t odd_row;                /* the first of these */
    int shards;                     /* 0 for a single file */
    int chunk;                      /* samples that are read together at no extra cost */
    int64_t unwritten;              /* chunks that were never written, and read as zeros; of a user's file */
    int64_t inflated;               /* bytes that are inflated to read one sample alone; 0: no more than its own */
    int64_t bytes;                  /* of all samples, and of the targets that are read along with them, uncompressed */
    int64_t file_bytes;             /* on disk, all files */
};

static inline size_t cvy_dataset_sample_bytes(const struct cvy_dataset_info *info) {
    return (size_t)cvy_shape_count(info->shape) * cvy_dtype_bytes(info->x_type);
}

enum cvy_layout { CVY_LAYOUT_NHWC, CVY_LAYOUT_NCHW };

/* Targets that come with every sample, and are not held from the opening on. */
static inline bool cvy_dataset_dense(const struct cvy_dataset_info *info) {
    return cvy_shape_count(info->target.shape) > 0 && !cvy_target_is_class(info->target);
}

/* Where y has channels too, they may stand elsewhere than those of x. */
enum cvy_y_layout { /* in the order of the setting y_layout */
                    CVY_Y_LAYOUT_AS_X,
                    CVY_Y_LAYOUT_NHWC,
                    CVY_Y_LAYOUT_NCHW
};

/* What y is wanted for, where it can be taken as classes or as values. */
enum cvy_want {
    CVY_WANT_ANY,     /* nobody says: as it is likely to be meant */
    CVY_WANT_CLASSES, /* by a loss of one class a sample or pixel */
    CVY_WANT_LABELS,  /* by a loss of several labels at once, each of them yes or no */
    CVY_WANT_VALUES   /* by a loss of values, or by the user */
};

/* x and y default (NULL) to "/x" and "/y". */
struct cvy_dataset_spec {
    const char *file, *x, *y;
    enum cvy_layout layout;
    enum cvy_y_layout y_layout;
    enum cvy_want want;
    bool bare;       /* y is not read: the inputs will be the targets */
    bool may_lack_y; /* bare where there is no y */
    bool of_others;  /* names and layouts hold for files of others; a set of ours is read as it is written */
    double scale;    /* for those who read: what x is multiplied by to be like other data; 0: found out */
    double y_scale;  /* what values of y are multiplied by; 0: a user's uint8 maps by what is found out, others by 1 */
    bool ignores;    /* a class that may stand in y beside the others: */
    int32_t ignored;
    int most_classes;         /* classes that the network tells apart: a larger one is an error; 0: any */
    const char *const *names; /* [name_count], NULL: none. Where y holds texts, or classes that have names (some of */
    int name_count;       /* … these), they are numbered in this order; kept by the caller until the set is open */
    bool listed;          /* the names are a list that the user gave, not those of a training */
    struct cvy_work work; /* asked before each read, of a few chunks; told how far verifying is */
};

/* Whether classes have names: texts that are not just their numbers. */
bool cvy_dataset_are_names(const char *const *names, int count);

struct cvy_dataset;

/* Opens and checks: format, types, shapes, that targets are as many as samples, that classes are within their range
 * (all are read; maps of a set of ours are left to the reading of each sample), that every shard is there. CVY_ERR_DATA
 * with file, object, expected and found otherwise.
 *
 * A file without our attribute `format` is a user's own: x is uint8, or any other number (or bool), which becomes
 * float32, of shape [n][h][w][c], [n][h][w] (one channel) or [n][c] (1×1×c); with CVY_LAYOUT_NCHW [n][c][h][w]. y is
 *   texts [n] or [n][1]                          a class a sample: the names, in sorted order, where spec.names is NULL
 *   whole numbers or bools [n], [n][1]           a class a sample
 *   whole numbers or bools [n][h][w](, [1])      a map of classes, unless values are wanted
 *   floats of these shapes                       classes, where all are whole numbers (or the ignored class) and …
 *                                                … CLASSES are wanted: must be so
 *                                                … LABELS: of one a sample, and one is larger than 1
 *                                                … ANY: below 65,536, and in a user's file; else values
 *   [n][k], [n][h][w][k], k > 1                  classes, where CLASSES are wanted and all are one-hot; else values
 *   all else                                     values; uint8 maps are scaled to 0 … 1, unless they hold 0 and 1
 * alone, or the spec says what they are multiplied by classes = largest class + 1, or the names, or k. What stands for
 * our own targets of values is read alike where CLASSES or LABELS are wanted. mean is 0 and std is 255 for uint8, 1 for
 * float32: attributes of other people's are not ours. Its digest covers shapes, single classes, and the first and last
 * sample only (cvy_source_measure sees more).
 *
 * HDF5 reads zeros where a file that a virtual data set or external file needs is missing, or is shorter than told:
 * here these are errors, at opening, as is a filter of the chunks that this library has not. */
cvy_status cvy_dataset_open(const struct cvy_dataset_spec *spec, struct cvy_dataset **out);
void cvy_dataset_close(struct cvy_dataset **ds);
const struct cvy_dataset_info *cvy_dataset_info(const struct cvy_dataset *ds); /* lives as long as ds */

/* Values of samples in a row, and what they are called. CVY_ERR_DATA naming the first sample that holds one that is not
 * finite. */
struct cvy_samples {
    const char *set, *name; /* "train.h5", "/x" */
    int64_t first, count, size;
    bool wide; /* they were float64 */
};
cvy_status cvy_samples_finite(const struct cvy_samples *samples, const float *values);

/* Samples first … first+count−1: x [count][h][w][c] of info.x_type, y [count] of info.target; either may be NULL.
 * Always NHWC. CVY_ERR_DATA for a class out of range, and for a float that is not finite. Chunks are inflated once by
 * who reads in order, in pieces of any size. CVY_STOPPED where spec.work says so. */
cvy_status cvy_dataset_read(struct cvy_dataset *ds, int64_t first, int64_t count, void *x, void *y);
/* What a user's uint8 maps of values are multiplied by from now on. */
void cvy_dataset_scale_targets(struct cvy_dataset *ds, double scale);
/* Takes the memory that reading single samples will need. */
cvy_status cvy_dataset_reserve(struct cvy_dataset *ds);
/* Reads everything: every chunk's checksum, every shard's, and the digest. CVY_ERR_DATA naming what is damaged. */
cvy_status cvy_dataset_verify(struct cvy_dataset *ds);

/* Writing. */
struct cvy_dataset_plan {
    struct cvy_shape shape;
    enum cvy_dtype x_type;          /* CVY_U8 or CVY_F32 */
    struct cvy_target target;       /* zeros: a class */
    bool bare;                      /* there are none, nor classes */
    int classes;                    /* 0 for values: their channels */
    const char *const *class_names; /* [classes], or NULL for the numbers */
    bool ignores;                   /* one more class is allowed: */
    int32_t ignored;
    int64_t count;             /* expected, so that room is taken once; 0: unknown */
    int chunk;                 /* samples a chunk; 0: about 32 KiB */
    int64_t shard_bytes;       /* uncompressed, at most; 0: 256 MiB. What fits in one becomes a single file */
    int deflate;               /* 0 none … 9 */
    const char *source;        /* where the data came from, or NULL */
    bool overwrite;            /* replace what is there, */
    const char *const *inputs; /* but never these, [input_count]: what the samples are read from */
    int input_count;
};
struct cvy_dataset_writer;

/* Files appear under their names only in cvy_dataset_writer_finish (shards first, the index last), each whole. The file
 * being written is held in memory (at most shard_bytes). The same samples and plan give the same bytes; mean and std
 * are over all samples. CVY_ERR_USAGE where the output cannot be (io/runs/output.h), before anything is written. */
cvy_status cvy_dataset_writer_create(const char *path, const struct cvy_dataset_plan *plan,
                                     struct cvy_dataset_writer **out);
/* Appends samples: x [count][h][w][c], y [count] of plan.target (not looked at where plan.bare). CVY_ERR_DATA for a
 * class outside the classes. */
cvy_status cvy_dataset_writer_append(struct cvy_dataset_writer *writer, int64_t count, const void *x, const void *y);
/* Puts the files in place and destroys the writer, also on failure. */
cvy_status cvy_dataset_writer_finish(struct cvy_dataset_writer **writer);
/* "train.h5" → "train.d", the folder of its shards. */
cvy_status cvy_dataset_folder(const char *path, char out[CVY_PATH_MAX]);
/* Gives up: nothing stays on disk. NULL is fine. */
void cvy_dataset_writer_destroy(struct cvy_dataset_writer **writer);

#endif
