/* Data sets: what is in one, checking one, packing one from other formats, cutting one in two. */
#ifndef CONVOY_DATA_H
#define CONVOY_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "convoy/context.h"
#include "convoy/sized.h"
#include "convoy/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct cvy_data_info {
    size_t size; /* of this struct */
    int64_t samples;
    int height, width, channels;
    char x_type[24];         /* "uint8", "float32", or what somebody else's file has: "uint16" */
    const char *target_type; /* "classes" or "values" */
    int target[3];           /* height, width, channels; 1×1×1: one a sample */
    const char *target_note; /* NULL, or how targets were taken: "whole numbers stored as floats, taken as classes" */
    bool has_ignored;        /* a class beside the others stands for what does not count: */
    int ignored;             /* … */
    int classes;             /* of values: their channels */
    char **class_names;      /* [classes], NULL where the file has none */
    int64_t *per_class;      /* [classes] samples of each; NULL unless one a sample */
    double *mean, *std; /* [channels], in units of /x; NULL for a file of others, which is measured when it is used */
    int64_t unwritten;  /* chunks that no program has written: they read as zeros; of `pack`, of its input */
    int shards;
    int64_t bytes;   /* of all files */
    uint64_t digest; /* identity of the content */
    double *range;   /* [2] least and largest of /x; NULL where the file does not say it */
    char *like_note; /* NULL, or what to know of its classes beside those of form.like: names on one side alone */
};
CVY_SIZED(cvy_data_info)

/* Samples of a program's own, in memory or handed out one by one, in the place of a file: every rank must be able to
 * give every sample. All it points to is kept by the caller as long as it is used. */
struct cvy_data_source {
    size_t size; /* of this struct */
    int64_t samples;
    int height, width, channels;
    bool bytes;               /* x is uint8, else float32: [height][width][channels] a sample */
    const double *mean, *std; /* [channels], in units of x; NULL: 0 and 1 */
    bool values;              /* targets are float32 values, else int32 classes */
    int target[3];            /* height, width, channels of a target; zeros: one a sample */
    int classes;              /* of classes: they are 0 … classes−1 */
    const void *x, *y;        /* [samples]; y may be NULL with data.target: input. Or x NULL, and: */
    int (*give)(void *arg, int64_t index, void *x, void *y); /* fills x, and y unless NULL; non-zero fails. One call at
                                                                a time, from a thread of the library's, which has the
                                                                caller's floating-point modes and locale, and no
                                                                signals */
    void *arg;
    uint64_t digest; /* of what `give` gives, by which a resumed run knows its data again; 0: none */
};
CVY_SIZED(cvy_data_source)

/* Where samples are in an HDF5 file that somebody else made, and what they are: what is not said (NULL, 0) is as in the
 * training data of the network that is to read them; where there is no network, /x, /y and nhwc. A data set of ours is
 * read as it was written where nothing is said. */
struct cvy_data_form {
    size_t size;          /* of this struct */
    const char *x, *y;    /* the arrays of inputs and targets */
    const char *layout;   /* the order of axes of x, and of targets of four axes: "nhwc" or "nchw" */
    const char *y_layout; /* of targets alone, where they differ */
    const char *like;  /* a run, checkpoint or experiment (.yaml), as whose training data it is read where nothing else
                          is said; for those that are given no network */
    int height, width; /* what pictures are resized to, for networks that take any size; 0: the network's input */
    double scale;      /* what inputs are multiplied by, to be on the scale of the training data; 0: found out */
    double y_scale;    /* the same of targets of values in a file */
};
CVY_SIZED(cvy_data_form)

/* Reads the file's description and all labels (not the inputs). `form` may be NULL. CVY_ERR_DATA, also for targets that
 * the network of form.like could not be evaluated on, and CVY_ERR_USAGE for what the form says. Not collective. */
CVY_API cvy_status cvy_data_info_read(const char *path, const struct cvy_data_form *form, struct cvy_data_info *out);
CVY_API void cvy_data_info_destroy(struct cvy_data_info *info);

/* Reads every byte: checksums, counts, label range. *samples gets how many there are; CVY_ERR_DATA where one is not
 * good, and 0. Not collective. */
CVY_API cvy_status cvy_data_verify(const char *path, const struct cvy_data_form *form, int64_t *samples);

struct cvy_data_pack_options {
    size_t size;               /* of this struct */
    const char *format;        /* "idx", "hdf5": a word of convoy/formats.h */
    const char *const *inputs; /* idx: images file, labels file; hdf5: a file with samples and targets */
    int input_count;
    const char *output;               /* "train.h5" */
    const char *class_names;          /* NULL, or "t-shirt,trouser,…": of classes, or of the channels of values */
    const struct cvy_data_form *form; /* hdf5: of the input; NULL: nothing is said of it */
    bool values;      /* hdf5: maps of whole numbers, and floats that are whole, are values, not classes */
    bool has_ignored; /* a class stands for what does not count: */
    int ignored;
    int64_t shard_mib; /* 0: 256. More data than this is cut in shards of this size */
    int deflate;       /* 0 (none) … 9 */
    bool overwrite;
};
CVY_SIZED(cvy_data_pack_options)
/* Collective; rank 0 works, and fills *out (the others get zeros). The output appears whole or not at all;
 * cvy_request_stop ends it with CVY_STOPPED. */
CVY_API cvy_status cvy_data_pack(struct cvy_context *ctx, const struct cvy_data_pack_options *options,
                                 struct cvy_data_info *out);

struct cvy_data_split_options {
    size_t size;                      /* of this struct */
    const char *input, *first, *rest; /* data sets: the one there is, the two to write */
    const struct cvy_data_form *form; /* of the input, or NULL */
    int64_t samples;                  /* of `first`: its first ones, or … */
    bool random;                      /* … any of the input's, each choice as likely, a function of `seed` */
    uint64_t seed;
    bool overwrite;
};
CVY_SIZED(cvy_data_split_options)
/* Collective; rank 0 works, and fills *first and *rest (the others get zeros). Both parts keep the order, the kind of
 * targets and the classes' names; each has its own mean and std. cvy_request_stop ends it with CVY_STOPPED. */
CVY_API cvy_status cvy_data_split(struct cvy_context *ctx, const struct cvy_data_split_options *options,
                                  struct cvy_data_info *first, struct cvy_data_info *rest);

#ifdef __cplusplus
}
#endif

#endif
