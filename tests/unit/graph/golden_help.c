#include "golden_help.h"

#include <stdio.h>

#include "test.h"

uint32_t golden_bits(uint32_t stream, size_t i) {
    uint32_t h = (uint32_t)i + stream * 0x9E3779B1u;
    h = (h ^ h >> 16) * 0x85EBCA6Bu;
    h = (h ^ h >> 13) * 0xC2B2AE35u;
    return h ^ h >> 16;
}

float golden_draw(uint32_t stream, size_t i, double scale) {
    return (float)((golden_bits(stream, i) / 0x1p31 - 1.0) * scale);
}

hid_t golden_open(const char *name) {
    char path[4200];
    hid_t file = -1;
    snprintf(path, sizeof path, "%s/tests/golden/%s", test_root(), name);
    cvy_h5_lock();
    TEST_OK(cvy_h5_open(path, CVY_ERR_DATA, &file));
    return file;
}

void golden_close(hid_t *file) {
    cvy_h5_drop(file);
    cvy_h5_unlock();
}

bool golden_read(hid_t file, const char *name, size_t count, double *values, const char *attribute, double *attached) {
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT), space = set < 0 ? -1 : H5Dget_space(set);
    bool good = set >= 0 && H5Sget_simple_extent_npoints(space) == (hssize_t)count &&
                H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0 &&
                cvy_h5_get_reals(set, attribute, attached) == CVY_OK;
    cvy_h5_drop(&space);
    cvy_h5_drop(&set);
    if (!good) fprintf(stderr, "\n    golden %s cannot be read", name);
    CU_ASSERT(good);
    return good;
}
