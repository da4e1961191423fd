/* Private to dataset_*.c: a checksum for each block of rows of an array, kept beside it ("/x_sums" beside "/x"): XXH64
 * of the rows as they are in memory. HDF5's own (Fletcher-32) cannot tell a chunk of zeros, which a hole in a file
 * gives, from a good one, and says nothing when another file takes the place of this one. */
#ifndef CVY_IO_DATASET_DATASET_SUMS_H
#define CVY_IO_DATASET_DATASET_SUMS_H

#include "io/hdf5/h5.h"

struct cvy_sums {
    uint64_t *items; /* [count] */
    int64_t count, room;
    int64_t rows; /* in a block; the last one may have fewer */
};
void cvy_sums_destroy(struct cvy_sums *sums);

/* Room for those of `count` rows, in blocks of `rows`. */
cvy_status cvy_sums_reserve(struct cvy_sums *sums, int64_t count, int64_t rows);
/* Adds those of `count` rows of `size` bytes, which begin a block. */
cvy_status cvy_sums_add(struct cvy_sums *sums, int64_t count, size_t size, const void *rows);
/* Of all of them, for whoever holds the list's file to its word; `y` may be empty. */
uint64_t cvy_sums_digest(const struct cvy_sums *x, const struct cvy_sums *y);

/* Under the lock. Writes them as array `name`. */
cvy_status cvy_sums_put(hid_t file, const char *name, const struct cvy_sums *sums);
/* Under the lock. Those of an array of `count` rows, in the place of what `out` has; none (count 0) where the file has
 * no such array. CVY_ERR_DATA with `path` when they cannot be those of so many rows. */
cvy_status cvy_sums_get(const char *path, hid_t file, const char *name, int64_t count, struct cvy_sums *out);

/* Whether rows first … first+count−1 are what they were: blocks that they hold whole, of `total` rows in all. Gives the
 * first row of one that is not, or −1. */
int64_t cvy_sums_compare(const struct cvy_sums *sums, int64_t first, int64_t count, int64_t total, size_t size,
                         const void *rows);

#endif
