#include "hdf5_help.h"

#include "test.h"

void hdf5_put_as(hid_t file, const char *name, hid_t type, hid_t memory, int rank, const hsize_t *dims,
                 hid_t properties, const void *values) {
    hid_t space = H5Screate_simple(rank, dims, NULL);
    hid_t array = H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    CU_ASSERT(array >= 0);
    if (values) CU_ASSERT(H5Dwrite(array, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(array);
    H5Sclose(space);
    if (properties != H5P_DEFAULT) H5Pclose(properties);
}

void hdf5_put(hid_t file, const char *name, hid_t type, hid_t memory, int rank, const hsize_t *dims,
              const void *values) {
    hdf5_put_as(file, name, type, memory, rank, dims, H5P_DEFAULT, values);
}

void hdf5_change(hid_t file, const char *name, const hsize_t *at, float value) {
    hid_t array = H5Dopen2(file, name, H5P_DEFAULT), space = H5Dget_space(array), one = H5Screate(H5S_SCALAR);
    H5Sselect_elements(space, H5S_SELECT_SET, 1, at);
    CU_ASSERT(H5Dwrite(array, H5T_NATIVE_FLOAT, one, space, H5P_DEFAULT, &value) >= 0);
    H5Sclose(one);
    H5Sclose(space);
    H5Dclose(array);
}

hid_t hdf5_chunks(int rank, const hsize_t *chunk, unsigned deflate) {
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, rank, chunk);
    if (deflate) H5Pset_deflate(properties, deflate);
    return properties;
}
