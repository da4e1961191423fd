/* Data sets: well-formed HDF5 files of every make, built from the bytes with HDF5's own calls (what damaged metadata do
 * inside HDF5 is HDF5's), opened in every way. Arrays have any type, rank, extents and chunks; attributes of ours are
 * there or not, of any type and length. */
#include <hdf5.h>
#include <string.h>

#include "core/memory.h"
#include "fuzz/fuzz.h"
#include "io/dataset.h"

enum { MOST = 3 * 3 * 3 * 3 * 3 * 8, TYPES = 10 };

/* The type on disk of an array or attribute; 0 … TYPES − 1. */
static hid_t type_of(unsigned which) {
    const hid_t plain[] = {H5T_STD_U8LE, H5T_IEEE_F32LE, H5T_STD_I32LE, H5T_STD_I64BE, H5T_STD_U64LE,
                           H5T_STD_I8LE, H5T_IEEE_F64LE, H5T_STD_U16BE, H5T_C_S1,      H5T_C_S1};
    const hid_t type = H5Tcopy(plain[which]);
    if (which == 8) H5Tset_size(type, 5);
    if (which == 9) H5Tset_strpad(type, H5T_STR_SPACEPAD);
    return type;
}

/* What the elements are filled with: bytes as they come, or small whole numbers of the type. */
static void fill(struct fuzz_dice *dice, hid_t type, unsigned char *out, size_t count) {
    const size_t size = H5Tget_size(type);
    const int raw = fuzz_draw(dice, 2) || H5Tget_class(type) == H5T_STRING;
    memset(out, 0, MOST);
    if (raw) {
        for (size_t i = 0; i < count * size; i++) out[i] = (unsigned char)fuzz_draw(dice, 256);
        return;
    }
    int *numbers = (int *)(void *)out;
    for (size_t i = 0; i < count; i++) numbers[i] = (int)fuzz_draw(dice, 5) - 1;
    H5Tconvert(H5T_NATIVE_INT, type, count, out, NULL, H5P_DEFAULT);
}

static size_t draw_extents(struct fuzz_dice *dice, int rank, hsize_t *dims) {
    size_t count = 1;
    for (int d = 0; d < rank; d++) count *= dims[d] = fuzz_draw(dice, 4);
    return count;
}

static hid_t draw_chunks(struct fuzz_dice *dice, int rank) {
    hsize_t chunk[5];
    if (rank == 0 || fuzz_draw(dice, 2) == 0) return H5P_DEFAULT;
    for (int d = 0; d < rank; d++) chunk[d] = 1 + fuzz_draw(dice, 3);
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, rank, chunk);
    if (fuzz_draw(dice, 2)) H5Pset_deflate(properties, 1);
    return properties;
}

static void put_array(struct fuzz_dice *dice, hid_t file, const char *name) {
    static unsigned char values[MOST];
    const int rank = (int)fuzz_draw(dice, 6);
    hsize_t dims[5];
    const size_t count = draw_extents(dice, rank, dims);
    const hid_t type = type_of(fuzz_draw(dice, TYPES)), chunks = draw_chunks(dice, rank);
    fill(dice, type, values, count);
    const int written = fuzz_draw(dice, 8) != 1;
    hid_t space = H5Screate_simple(rank, dims, dims);
    hid_t array = H5Dcreate2(file, name, type, space, H5P_DEFAULT, chunks, H5P_DEFAULT);
    if (array >= 0 && written && count) H5Dwrite(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    if (array >= 0) H5Dclose(array);
    H5Sclose(space);
    H5Tclose(type);
    if (chunks != H5P_DEFAULT) H5Pclose(chunks);
}

static void put_attribute(struct fuzz_dice *dice, hid_t file, const char *name, const char *right) {
    static unsigned char values[MOST];
    const hsize_t count = 1 + fuzz_draw(dice, 3);
    const hid_t type = right ? H5Tcopy(H5T_C_S1) : type_of(fuzz_draw(dice, TYPES));
    const hid_t space = right || fuzz_draw(dice, 4) == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &count, NULL);
    if (right) {
        H5Tset_size(type, strlen(right) + 1);
        memcpy(values, right, strlen(right) + 1);
    } else {
        fill(dice, type, values, count);
    }
    hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute >= 0) H5Awrite(attribute, type, values), H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
}

static void build(struct fuzz_dice *dice, const char *path) {
    static const char *const arrays[] = {"x", "y", "x_sums", "y_sums", "shards"};
    static const char *const attributes[] = {"version", "mean", "std", "classes", "ignore_label", "digest"};
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put_array(dice, file, "x");
    for (size_t i = 1; i < sizeof arrays / sizeof *arrays; i++)
        if (fuzz_draw(dice, i == 1 ? 8 : 4) == 1 || (i == 1 && dice->left)) put_array(dice, file, arrays[i]);
    if (fuzz_draw(dice, 2)) put_attribute(dice, file, "format", fuzz_draw(dice, 4) == 3 ? NULL : "convoy-dataset");
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        if (fuzz_draw(dice, 2)) put_attribute(dice, file, attributes[i], NULL);
    H5Fclose(file);
}

static void read_all(struct cvy_dataset *ds) {
    const struct cvy_dataset_info *info = cvy_dataset_info(ds);
    const size_t x = cvy_dataset_sample_bytes(info);
    const size_t y = (size_t)cvy_shape_count(info->target.shape) * sizeof(float);
    unsigned char *inputs, *targets;
    fuzz_expect(CVY_NEW(&inputs, x, data) == CVY_OK && CVY_NEW(&targets, y + 1, data) == CVY_OK);
    for (int64_t i = 0; i < info->count; i++) (void)cvy_dataset_read(ds, i, 1, inputs, y ? targets : NULL);
    (void)cvy_dataset_verify(ds);
    cvy_free(inputs);
    cvy_free(targets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_dice dice = {data, size};
    const char *path = fuzz_path("x.h5");
    static const char *const names[] = {"a", "b", "1"};
    struct cvy_dataset_spec spec = {.file = path};
    struct cvy_dataset *ds;
    spec.layout = (enum cvy_layout)fuzz_draw(&dice, 2);
    spec.y_layout = (enum cvy_y_layout)fuzz_draw(&dice, 3);
    spec.want = (enum cvy_want)fuzz_draw(&dice, 4);
    spec.bare = fuzz_draw(&dice, 8) == 1;
    spec.may_lack_y = fuzz_draw(&dice, 2);
    spec.ignores = fuzz_draw(&dice, 4) == 1;
    spec.ignored = (int32_t)fuzz_draw(&dice, 5) - 1;
    spec.most_classes = (int)fuzz_draw(&dice, 3);
    if (fuzz_draw(&dice, 3) == 1) spec.names = names, spec.name_count = 3;
    build(&dice, path);
    if (cvy_dataset_open(&spec, &ds) == CVY_OK) {
        read_all(ds);
        cvy_dataset_close(&ds);
    }
    return fuzz_done();
}
