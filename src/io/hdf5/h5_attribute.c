/* Attributes: int64, float64 or texts, scalars and lists. Texts are of fixed length (the longest), so that a file's
 * bytes depend on its contents alone; those of variable length, as other programs write them, are read too. */
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "io/hdf5/h5.h"

enum { MOST_TEXT = 1 << 28 }; /* bytes that the texts of one attribute may take */

static cvy_status put(hid_t object, const char *name, hid_t stored, hid_t given, int64_t count, const void *values) {
    char why[256];
    hsize_t dims = (hsize_t)count;
    hid_t space = count == CVY_H5_SCALAR ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &dims, NULL);
    hid_t attribute = H5Acreate2(object, name, stored, space, H5P_DEFAULT, H5P_DEFAULT);
    bool good = attribute >= 0 && H5Awrite(attribute, given, values) >= 0;
    if (!good) cvy_h5_why(why);
    cvy_h5_drop(&attribute);
    cvy_h5_drop(&space);
    CVY_CHECK(good, CVY_ERR_INTERNAL, "attribute %s cannot be written: %s", name, why);
    return CVY_OK;
}

cvy_status cvy_h5_put_ints(hid_t object, const char *name, int64_t count, const int64_t *values) {
    return put(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, count, values);
}

cvy_status cvy_h5_put_reals(hid_t object, const char *name, int64_t count, const double *values) {
    return put(object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, count, values);
}

cvy_status cvy_h5_put_texts(hid_t object, const char *name, int64_t count, const char *const *values) {
    size_t width = 1, texts = count == CVY_H5_SCALAR ? 1 : (size_t)count;
    for (size_t i = 0; i < texts; i++)
        if (strlen(values[i]) > width) width = strlen(values[i]);
    char *block;
    CVY_TRY(CVY_NEW(&block, texts * width, text));
    for (size_t i = 0; i < texts; i++) memcpy(block + i * width, values[i], strlen(values[i]));
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, width);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    H5Tset_cset(type, H5T_CSET_UTF8);
    cvy_status status = put(object, name, type, type, count, block);
    cvy_h5_drop(&type);
    cvy_free(block);
    return status;
}

cvy_status cvy_h5_put_text(hid_t object, const char *name, const char *value) {
    return cvy_h5_put_texts(object, name, CVY_H5_SCALAR, &value);
}

enum cvy_h5_kind cvy_h5_attribute(hid_t object, const char *name, int64_t *count) {
    *count = 0;
    if (H5Aexists(object, name) <= 0) return CVY_H5_NONE;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0) return CVY_H5_OTHER;
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    H5T_class_t class = H5Tget_class(type);
    *count = (int64_t)H5Sget_simple_extent_npoints(space);
    cvy_h5_drop(&space);
    cvy_h5_drop(&type);
    cvy_h5_drop(&attribute);
    return class == H5T_INTEGER  ? CVY_H5_INTS
           : class == H5T_FLOAT  ? CVY_H5_REALS
           : class == H5T_STRING ? CVY_H5_TEXTS
                                 : CVY_H5_OTHER;
}

static cvy_status get(hid_t object, const char *name, hid_t wanted, void *out) {
    char why[256];
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    bool good = attribute >= 0 && H5Aread(attribute, wanted, out) >= 0;
    if (!good) cvy_h5_why(why);
    cvy_h5_drop(&attribute);
    CVY_CHECK(good, CVY_ERR_DATA, "attribute %s cannot be read: %s", name, why);
    return CVY_OK;
}

cvy_status cvy_h5_get_ints(hid_t object, const char *name, int64_t *out) {
    return get(object, name, H5T_NATIVE_INT64, out);
}

cvy_status cvy_h5_get_reals(hid_t object, const char *name, double *out) {
    return get(object, name, H5T_NATIVE_DOUBLE, out);
}

/* One block for `count` texts, which lie every `stride` bytes or (stride 0) at pointers. All end with a NUL. */
static cvy_status gather(int64_t count, const char *block, size_t stride, char *const *pointers, char ***out) {
    size_t bytes = 0;
    for (int64_t i = 0; i < count; i++) bytes += 1 + strlen(stride ? block + (size_t)i * stride : pointers[i]);
    CVY_TRY(cvy_alloc((size_t)count * sizeof **out + bytes, CVY_TAG_text, (void **)out));
    char *at = (char *)(*out + count);
    for (int64_t i = 0; i < count; i++) {
        const char *from = stride ? block + (size_t)i * stride : pointers[i];
        (*out)[i] = strcpy(at, from);
        at += strlen(from) + 1;
    }
    return CVY_OK;
}

static cvy_status get_variable(hid_t object, const char *name, int64_t count, hid_t type, char ***out) {
    char **pointers = NULL;
    hsize_t dims = (hsize_t)count;
    CVY_TRY(CVY_NEW(&pointers, count, text));
    hid_t space = H5Screate_simple(1, &dims, NULL);
    cvy_status status = get(object, name, type, pointers);
    for (int64_t i = 0; i < count && status == CVY_OK; i++)
        if (pointers[i] == NULL)
            status = CVY_FAIL(CVY_ERR_DATA, "attribute %s: text %lld is missing", name, (long long)i);
    if (status == CVY_OK) status = gather(count, NULL, 0, pointers, out);
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, pointers);
    cvy_h5_drop(&space);
    cvy_free(pointers);
    return status;
}

static cvy_status get_fixed(hid_t object, const char *name, int64_t count, hid_t type, char ***out) {
    char *block;
    size_t width = H5Tget_size(type) + 1; /* room for a NUL behind the longest */
    CVY_CHECK(width <= MOST_TEXT && (size_t)count * width <= MOST_TEXT, CVY_ERR_DATA,
              "attribute %s claims to hold %lld texts of %zu bytes", name, (long long)count, width - 1);
    H5Tset_size(type, width);
    H5Tset_strpad(type, H5T_STR_NULLTERM);
    CVY_TRY(CVY_NEW(&block, (size_t)count * width, text));
    cvy_status status = get(object, name, type, block);
    if (status == CVY_OK) status = gather(count, block, width, NULL, out);
    cvy_free(block);
    return status;
}

cvy_status cvy_h5_get_texts(hid_t object, const char *name, int64_t count, char ***out) {
    char why[256];
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT), stored = -1, type = -1;
    if (attribute >= 0) stored = H5Aget_type(attribute);
    if (stored >= 0) type = H5Tcopy(stored);
    if (type < 0) cvy_h5_why(why);
    cvy_status status = type < 0 ? CVY_FAIL(CVY_ERR_DATA, "attribute %s cannot be read: %s", name, why)
                        : H5Tis_variable_str(type) > 0 ? get_variable(object, name, count, type, out)
                                                       : get_fixed(object, name, count, type, out);
    cvy_h5_drop(&type);
    cvy_h5_drop(&stored);
    cvy_h5_drop(&attribute);
    return status;
}
