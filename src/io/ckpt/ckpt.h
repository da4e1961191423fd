/* The checkpoint's container: named float32 tensors, attributes and blobs in HDF5 behind a 512-byte user block that
 * covers every byte. It knows nothing of training.
 *
 *   0    "convoy-checkpoint 1 length 00000000000000123456 xxh64 0123456789abcdef\n", then zeros
 *   512  an ordinary HDF5 file of `length` bytes, whose XXH64 that is
 *
 * h5py, h5dump and HDFView open it as it is. The file is built in memory, so that a full disk is our error and never
 * one inside HDF5, and the HDF5 lock is not held while the disk is slow; it is hashed there and written in one go. */
#ifndef CVY_IO_CKPT_CKPT_H
#define CVY_IO_CKPT_CKPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "io/file.h"

struct cvy_ckpt_tensor {
    const char *path; /* "/param/conv1/weight"; groups are made as needed */
    int rank;         /* 1 … 4 */
    int64_t dims[4];
    const float *data;  /* writing only; NULL in a listing */
    const char *layout; /* attribute: "HWIO", "in,out", "n" */
};

/* Of one in a listing: how many values it has; whether it is in "/param/" or another group. */
int64_t cvy_ckpt_elements(const struct cvy_ckpt_tensor *tensor);
bool cvy_ckpt_under(const struct cvy_ckpt_tensor *tensor, const char *group);

/* An attribute of /run: `count` ints, reals or texts (exactly one of the pointers is set). */
struct cvy_ckpt_attribute {
    const char *name;
    int count; /* at least 1 */
    const int64_t *ints;
    const double *reals;
    const char *const *texts;
};

/* A data set of bytes under /run: /run/experiment, /run/metrics. */
struct cvy_ckpt_blob {
    const char *name;
    const void *bytes;
    size_t size;
};

/* Fills `out` with `count` slices of tensor number `tensor`, of its first dimension, from `first` on. */
typedef void cvy_ckpt_fill_fn(void *arg, int tensor, int64_t first, int64_t count, float *out);

struct cvy_ckpt_contents {
    const struct cvy_ckpt_tensor *tensors;
    int tensor_count;
    cvy_ckpt_fill_fn *fill; /* gives the tensors' values, or NULL: they have data */
    void *arg;
    const struct cvy_ckpt_attribute *attributes;
    int attribute_count;
    const struct cvy_ckpt_blob *blobs;
    int blob_count;
};

/* A checkpoint in memory, as many bytes as its file will have (tag checkpoint): from then on the contents may change.
 */
struct cvy_ckpt_image;
cvy_status cvy_ckpt_image_create(const struct cvy_ckpt_contents *contents, struct cvy_ckpt_image **out);
void cvy_ckpt_image_destroy(struct cvy_ckpt_image **image);
/* Writes it atomically; from any thread. On failure nothing is left behind and `path` is as it was. `bytes`, where not
 * NULL, gets the size of the file. */
cvy_status cvy_ckpt_image_write(struct cvy_ckpt_image *image, const char *path, int64_t *bytes);

/* CVY_ERR_CHECKPOINT, saying what is damaged, unless the file is whole. */
cvy_status cvy_ckpt_verify(const char *path);

struct cvy_ckpt;
/* Verifies, then opens. */
cvy_status cvy_ckpt_open(const char *path, struct cvy_ckpt **out);
void cvy_ckpt_close(struct cvy_ckpt **ckpt);
const char *cvy_ckpt_path(const struct cvy_ckpt *ckpt);

/* The tensors, sorted by path; owned by ckpt. */
int cvy_ckpt_tensor_count(const struct cvy_ckpt *ckpt);
const struct cvy_ckpt_tensor *cvy_ckpt_tensor(const struct cvy_ckpt *ckpt, int index);
const struct cvy_ckpt_tensor *cvy_ckpt_find(const struct cvy_ckpt *ckpt, const char *path); /* NULL: none */
/* Reads a tensor of `count` elements; CVY_ERR_CHECKPOINT when it is absent or of another size. */
cvy_status cvy_ckpt_read(struct cvy_ckpt *ckpt, const char *path, int64_t count, float *out);

/* The attributes of /run, sorted by name; owned by ckpt. */
int cvy_ckpt_attribute_count(const struct cvy_ckpt *ckpt);
const struct cvy_ckpt_attribute *cvy_ckpt_attribute_at(const struct cvy_ckpt *ckpt, int index);
const struct cvy_ckpt_attribute *cvy_ckpt_attribute(const struct cvy_ckpt *ckpt, const char *name); /* NULL: none */
/* The first element of one; CVY_ERR_CHECKPOINT when it is absent or of another type. */
cvy_status cvy_ckpt_int(const struct cvy_ckpt *ckpt, const char *name, int64_t *out);
cvy_status cvy_ckpt_real(const struct cvy_ckpt *ckpt, const char *name, double *out);
cvy_status cvy_ckpt_text(const struct cvy_ckpt *ckpt, const char *name, const char **out);
/* Appends a blob to `out`; CVY_ERR_CHECKPOINT when it is absent. */
cvy_status cvy_ckpt_blob(struct cvy_ckpt *ckpt, const char *name, struct cvy_buf *out);

/* ---- A folder of checkpoints, step-NNNNNNNN.h5 ---- */

cvy_status cvy_ckpt_name(const char *folder, int64_t step, char out[CVY_PATH_MAX]);
/* The step in a path's file name, −1 when it is not named so. */
int64_t cvy_ckpt_step(const char *path);

struct cvy_ckpt_list {
    int64_t *steps; /* ascending */
    int count;
};
/* Which are there, good or not. A missing folder has none. */
cvy_status cvy_ckpt_list(const char *folder, struct cvy_ckpt_list *out);
void cvy_ckpt_list_destroy(struct cvy_ckpt_list *list);
bool cvy_ckpt_any(const char *folder);

/* Called for each damaged checkpoint that is passed over; `why` is a whole sentence that names the file. */
typedef void cvy_ckpt_skip_fn(void *arg, const char *path, const char *why);
/* The newest good one: *found and its path. *found = false where there is none (that is no failure). `skip` may be
 * NULL. */
cvy_status cvy_ckpt_newest(const char *folder, cvy_ckpt_skip_fn *skip, void *arg, bool *found, char out[CVY_PATH_MAX]);
/* Keeps the `keep` ≥ 1 newest and, when none of these is good, the newest good one; and that of step `sound` (−1:
 * none), and those whose step is a multiple of `every` (0: none), whatever their age. Removes temporary files whose
 * writer is dead. */
cvy_status cvy_ckpt_prune(const char *folder, int keep, int64_t sound, int64_t every);

/* FOLDER/best.h5, which is none of the numbered ones, and stays until it is replaced. */
cvy_status cvy_ckpt_best(const char *folder, char out[CVY_PATH_MAX]);

/* Writes an image into the folder, which is made where it is missing; from any thread. Before that the folder is pruned
 * to one less than `keep`, at least to one, so that room for the new one is room that is there. Where the disk is full
 * all the same, the oldest go first, until it fits or the newest good one (and `sound`, and those of `every`) is all
 * that is left: that one stays until its successor is on disk. */
enum cvy_ckpt_as { CVY_CKPT_NUMBERED, CVY_CKPT_BEST, CVY_CKPT_BOTH }; /* both are one file where the disk can do so */
struct cvy_ckpt_saving {
    const char *folder;
    int64_t step, sound, every;
    int keep;
    enum cvy_ckpt_as as;
    int removed;   /* gets: how many that keep would have let stay made room */
    int64_t bytes; /* gets: of the file */
    int reason;    /* gets, on failure: the system's errno, or 0 */
};
cvy_status cvy_ckpt_save(struct cvy_ckpt_image *image, struct cvy_ckpt_saving *saving);

#endif
