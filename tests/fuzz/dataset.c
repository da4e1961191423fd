/* Data sets: well-formed HDF5 files of every make, built from the bytes with HDF5's own calls (what damaged metadata do
 * inside HDF5 is HDF5's), opened in every way. A user's arrays have any type, rank, extents and chunks; of a set of
 * ours some array or attribute is replaced by such a thing. */
#include <hdf5.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/memory.h"
#include "fuzz/fuzz.h"
#include "io/dataset/dataset.h"

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

/* `first`: the extent of the first axis, most of the time. */
static size_t draw_extents(struct fuzz_dice *dice, int rank, hsize_t first, hsize_t *dims) {
    size_t count = 1;
    for (int d = 0; d < rank; d++) {
        dims[d] = d == 0 && fuzz_draw(dice, 8) != 1 ? first : (fuzz_draw(dice, 4) + 1) % 4;
        count *= dims[d];
    }
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

static void put_array(struct fuzz_dice *dice, hid_t file, const char *name, hsize_t first) {
    static unsigned char values[MOST];
    const int rank = (int)(fuzz_draw(dice, 6) + 4) % 6;
    hsize_t dims[5];
    const size_t count = draw_extents(dice, rank, first, dims);
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

static void put_attribute(struct fuzz_dice *dice, hid_t file, const char *name) {
    static unsigned char values[MOST];
    const hsize_t count = 1 + fuzz_draw(dice, 3);
    const hid_t type = type_of(fuzz_draw(dice, TYPES));
    const hid_t space = fuzz_draw(dice, 4) == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &count, NULL);
    fill(dice, type, values, count);
    hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute >= 0) H5Awrite(attribute, type, values), H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
}

/* A user's own. */
static void build_theirs(struct fuzz_dice *dice, const char *path) {
    const hsize_t count = 1 + fuzz_draw(dice, 3);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    put_array(dice, file, "x", count);
    if (fuzz_draw(dice, 8) != 1) put_array(dice, file, "y", count);
    H5Fclose(file);
}

/* Spoiled shards would be taken for somebody's own, and kept. */
static void remove_shards(const char *path) {
    char shard[4096];
    for (int i = 0; i < 3; i++) {
        snprintf(shard, sizeof shard, "%.*s.d/0000%d.h5", (int)strlen(path) - 3, path, i);
        unlink(shard);
    }
}

/* One of ours, single or in shards. */
static void write_ours(struct fuzz_dice *dice, const char *path) {
    static const struct cvy_target targets[] = {
        {{1, 1, 1}, CVY_I32}, {{2, 1, 1}, CVY_I32}, {{1, 1, 2}, CVY_F32}, {{2, 1, 2}, CVY_F32}};
    const struct cvy_dataset_plan plan = {.shape = {2, 1, 1},
                                          .x_type = fuzz_draw(dice, 2) ? CVY_F32 : CVY_U8,
                                          .target = targets[fuzz_draw(dice, 4)],
                                          .classes = 2,
                                          .chunk = 1 + (int)fuzz_draw(dice, 2),
                                          .shard_bytes = fuzz_draw(dice, 2) ? 8 : 4096,
                                          .deflate = (int)fuzz_draw(dice, 2),
                                          .overwrite = true};
    static const unsigned char nothing[64];
    struct cvy_dataset_writer *writer;
    fuzz_expect(cvy_dataset_writer_create(path, &plan, &writer) == CVY_OK);
    for (unsigned n = 1 + fuzz_draw(dice, 3); n > 0; n--)
        fuzz_expect(cvy_dataset_writer_append(writer, 1, nothing, nothing) == CVY_OK);
    fuzz_expect(cvy_dataset_writer_finish(&writer) == CVY_OK);
}

/* Some other thing in the place of one of its arrays or attributes. */
static void spoil(struct fuzz_dice *dice, hid_t file) {
    static const char *const arrays[] = {"x", "y", "x_sums", "y_sums", "shards"};
    static const char *const attributes[] = {"format",  "version",      "mean",   "std",
                                             "classes", "ignore_label", "digest", "source"};
    if (fuzz_draw(dice, 2)) {
        const char *name = attributes[fuzz_draw(dice, 8)];
        H5Adelete(file, name);
        if (fuzz_draw(dice, 4) != 1) put_attribute(dice, file, name);
    } else {
        const char *name = arrays[fuzz_draw(dice, 5)];
        H5Ldelete(file, name, H5P_DEFAULT);
        if (fuzz_draw(dice, 4) != 1) put_array(dice, file, name, 1 + fuzz_draw(dice, 3));
    }
}

static void build_ours(struct fuzz_dice *dice, const char *path) {
    char part[4096];
    remove_shards(path);
    write_ours(dice, path);
    for (unsigned n = fuzz_draw(dice, 3); n > 0; n--) {
        snprintf(part, sizeof part, "%.*s%s", (int)strlen(path) - 3, path, fuzz_draw(dice, 2) ? ".d/00000.h5" : ".h5");
        hid_t file = H5Fopen(part, H5F_ACC_RDWR, H5P_DEFAULT);
        if (file < 0) continue;
        spoil(dice, file);
        H5Fclose(file);
    }
}

static void read_all(struct cvy_dataset *ds) {
    const struct cvy_dataset_info *info = cvy_dataset_info(ds);
    const size_t x = cvy_dataset_sample_bytes(info);
    const size_t y = (size_t)cvy_shape_count(info->target.shape) * sizeof(float);
    unsigned char *inputs, *targets;
    fuzz_expect(CVY_NEW(&inputs, x, data) == CVY_OK && CVY_NEW(&targets, y + 1, data) == CVY_OK);
    (void)cvy_dataset_reserve(ds);
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
    if (fuzz_draw(&dice, 2))
        build_ours(&dice, path);
    else
        build_theirs(&dice, path);
    if (cvy_dataset_open(&spec, &ds) == CVY_OK) {
        read_all(ds);
        cvy_dataset_close(&ds);
    }
    return fuzz_done();
}
