#include "hdf5_help.h"

#include "test.h"

void hdf5_put(hid_t file, const char *name, hid_t type, hid_t memory, int rank, const hsize_t *dims,
              const void *values) {
    hid_t space = H5Screate_simple(rank, dims, NULL);
    hid_t array = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    CU_ASSERT(array >= 0 && H5Dwrite(array, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(array);
    H5Sclose(space);
}
