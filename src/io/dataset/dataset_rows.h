/* Private to dataset_*.c: an array of a file with a row a sample, [n][…], read in blocks of whole chunks, so that a
 * compressed chunk is inflated once by whoever reads in order, whatever its shape and the layout. Under the lock. */
#ifndef CVY_IO_DATASET_DATASET_ROWS_H
#define CVY_IO_DATASET_DATASET_ROWS_H

#include "io/work.h"
#include "io/dataset/dataset_sums.h"
#include "io/hdf5/h5.h"

/* The last block of which a part was wanted; shared by the parts of a set. */
struct cvy_held {
    unsigned char *data; /* cvy_free */
    size_t room;
    const struct cvy_rows *of; /* whose rows; NULL: nobody's */
    int64_t first;
};

struct cvy_rows {
    hid_t id;   /* −1: closed */
    hid_t type; /* in memory, of H5T_NATIVE_…, not owned */
    const char *path, *name;
    int64_t before; /* samples in the parts before this one */
    int rank;
    hsize_t dims[4];   /* [n][…] as stored */
    hsize_t chunk[4];  /* a chunk's extents; those of a row where it is not in chunks */
    int64_t stride[4]; /* in memory: elements from one index of an axis to the next; always NHWC */
    size_t element;    /* bytes in memory */
    size_t row;        /* bytes of a row in memory */
    int64_t block;     /* rows that are inflated together, 1 where nothing is */
    size_t inflated;   /* bytes, as stored, that are inflated for one row; 0: it is read as it is */
    bool plain;        /* stored as in memory, one row behind the other */
    bool split;        /* chunks hold parts of rows */

    const struct cvy_work *work; /* asked before each read whether to go on; NULL: nobody */
    const struct cvy_sums *sums; /* of blocks of rows, which what is read must be like; NULL: none */

    struct cvy_held *held; /* not owned */
    unsigned char *tile;   /* what was read, before it is put in place */
    size_t tile_bytes;
};

/* Takes `array` over, also on failure; `path` and `name` outlive the rows. Rank 1 to 4; `nchw`: of rank 4 the axes are
 * [n][c][h][w]. HDF5 gets a cache of the size of a block that is too large to be held here. cvy_rows_as comes next. */
cvy_status cvy_rows_open(const char *path, const char *name, hid_t file, hid_t array, bool nchw, struct cvy_held *held,
                         struct cvy_rows *out);
void cvy_rows_close(struct cvy_rows *rows); /* zeroed or closed is fine */
/* How elements come: H5T_NATIVE_… of `element` bytes, 1, 4 or 8. */
void cvy_rows_as(struct cvy_rows *rows, hid_t type, size_t element);
/* Chunks of it (or 1: all) that no program has written: they read as the fill value, mostly zeros. */
int64_t cvy_rows_unwritten(const struct cvy_rows *rows);
/* Room for all that single rows will need. */
cvy_status cvy_rows_reserve(struct cvy_rows *rows);
/* Rows first … first+count−1 → out. CVY_ERR_DATA with file, array and samples; CVY_STOPPED. */
cvy_status cvy_rows_read(struct cvy_rows *rows, int64_t first, int64_t count, void *out);

#endif
