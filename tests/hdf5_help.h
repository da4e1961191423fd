/* Files as users and other programs write them: with plain HDF5 calls. */
#ifndef CVY_TESTS_HDF5_HELP_H
#define CVY_TESTS_HDF5_HELP_H

#include <hdf5.h>

/* A new array of `type` on disk, filled from values of type `memory`. */
void hdf5_put(hid_t file, const char *name, hid_t type, hid_t memory, int rank, const hsize_t *dims,
              const void *values);
/* The same with creation properties, which it closes; values NULL: none are written. */
void hdf5_put_as(hid_t file, const char *name, hid_t type, hid_t memory, int rank, const hsize_t *dims,
                 hid_t properties, const void *values);
/* One value of an array that is there, changed. */
void hdf5_change(hid_t file, const char *name, const hsize_t *at, float value);
/* Properties of chunks of these extents, deflated unless 0. */
hid_t hdf5_chunks(int rank, const hsize_t *chunk, unsigned deflate);

#endif
