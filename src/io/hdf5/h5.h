/* HDF5 for src/io alone. The library is not thread-safe everywhere, so all calls to it are made between cvy_h5_lock and
 * cvy_h5_unlock, taken by the public functions of dataset.h and ckpt.h; everything here assumes it. Nothing slow
 * (fsync, hashing, writing to disk) is done under it. */
#ifndef CVY_IO_HDF5_H5_H
#define CVY_IO_HDF5_H5_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

/* Also silences HDF5's own printing for this thread until the unlock. */
void cvy_h5_lock(void);
void cvy_h5_unlock(void);

/* Releases an id of any kind and sets it to -1; -1 is fine. What HDF5 said about an earlier failure stays known. */
void cvy_h5_drop(hid_t *id);
/* What HDF5 says about its last failed call, innermost cause first; call before any other HDF5 function but
 * cvy_h5_drop. */
const char *cvy_h5_why(char out[256]);

/* Opens read-only, without file locks (parallel file systems often lack them), unless HDF5 has it open with them: two
 * that are unlike cannot be open at a time. Fails with `code`. */
cvy_status cvy_h5_open(const char *path, cvy_status code, hid_t *file);
/* As HDF5 itself opens a source of a virtual data set; −1, and why, where it cannot. */
hid_t cvy_h5_open_source(const char *path, char why[256]);

/* The first filter of an array's chunks that this library has not, "LZF (filter 32000)"; false when it has them all.
 * `needed`: no chunk can do without. */
bool cvy_h5_missing_filter(hid_t array, char out[160], bool *needed);
/* The failure of reading such an array, CVY_ERR_DATA. */
cvy_status cvy_h5_fail_by_filter(const char *path, const char *name, const char *filter);

/* ---- A file that is made in memory and written by us, so that a full disk never happens inside HDF5. ---- */

struct cvy_h5_image {
    hid_t file;
    unsigned char *data; /* user block first; valid after cvy_h5_image_close */
    size_t size, room;   /* bytes of the file; of the block */
};
/* expect: an upper estimate of its bytes; it grows by as much again when that was too little. */
cvy_status cvy_h5_image_create(struct cvy_h5_image *image, size_t expect, size_t user_block);
/* Closes the HDF5 file; data and size are then what the disk should hold. */
cvy_status cvy_h5_image_close(struct cvy_h5_image *image);
void cvy_h5_image_destroy(struct cvy_h5_image *image); /* from any state, zeroed included */

/* ---- Attributes ---- */

enum cvy_h5_kind { CVY_H5_NONE, CVY_H5_INTS, CVY_H5_REALS, CVY_H5_TEXTS, CVY_H5_OTHER };

/* What an attribute is and how many elements it has; CVY_H5_NONE when it is absent. */
enum cvy_h5_kind cvy_h5_attribute(hid_t object, const char *name, int64_t *count);
/* A list of `count`; count = CVY_H5_SCALAR for one value that is no list. */
#define CVY_H5_SCALAR (-1)
cvy_status cvy_h5_put_ints(hid_t object, const char *name, int64_t count, const int64_t *values);
cvy_status cvy_h5_put_reals(hid_t object, const char *name, int64_t count, const double *values);
cvy_status cvy_h5_put_texts(hid_t object, const char *name, int64_t count, const char *const *values);
cvy_status cvy_h5_put_text(hid_t object, const char *name, const char *value);
/* `count` elements into the caller's memory, after cvy_h5_attribute has given kind and count. */
cvy_status cvy_h5_get_ints(hid_t object, const char *name, int64_t *out);
cvy_status cvy_h5_get_reals(hid_t object, const char *name, double *out);
/* One block (cvy_free) of `count` pointers and the texts behind them. */
cvy_status cvy_h5_get_texts(hid_t object, const char *name, int64_t count, char ***out);

#endif
