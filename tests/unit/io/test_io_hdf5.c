/* What HDF5 files of other people may be made of: chunks of any shape, each of which is undone once; virtual data sets
 * and external files whose parts are missing; filters that are not there; writers that died; links into nothing. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/memory.h"
#include "data/pack.h"
#include "io/dataset/dataset.h"
#include "io/file.h"
#include "hdf5_help.h"
#include "io/hdf5/h5.h"
#include "test.h"

static char folder[CVY_PATH_MAX - 64];

static const char *in_folder(const char *name) {
    static char path[4][CVY_PATH_MAX];
    static int turn;
    char *out = path[turn++ % 4];
    snprintf(out, CVY_PATH_MAX, "%s/%s", folder, name);
    return out;
}

static void begin(void) {
    snprintf(folder, sizeof folder, "%s", test_folder());
}

static hid_t create(const char *name) {
    return H5Fcreate(in_folder(name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
}

static bool fails(const struct cvy_dataset_spec *spec, const char *a, const char *b) {
    struct cvy_dataset *ds = NULL;
    cvy_status status = cvy_dataset_open(spec, &ds);
    cvy_dataset_close(&ds);
    if (status != CVY_ERR_DATA) fprintf(stderr, "\n    status %d, not \"%s\"\n", status, a);
    return status == CVY_ERR_DATA && test_message_has(a) && test_message_has(b);
}

static bool file_fails(const char *name, const char *a, const char *b) {
    return fails(&(struct cvy_dataset_spec){.file = in_folder(name)}, a, b);
}

/* ---- Chunks ---- */

enum { N = 53, H = 6, W = 5, C = 3, SAMPLE = H * W * C };

static int value(int n, int h, int w, int c) {
    return (n * SAMPLE + (h * W + w) * C + c) * 7 % 251;
}

/* A filter of our own counts how often chunks are undone. */
enum { COUNTING = 300 };
static int undone;

static size_t count_filter(unsigned flags, size_t values, const unsigned *value_list, size_t bytes, size_t *room,
                           void **block) {
    (void)values, (void)value_list, (void)room, (void)block;
    if (flags & H5Z_FLAG_REVERSE) undone++;
    return bytes;
}

static const H5Z_class2_t counting = {H5Z_CLASS_T_VERS, COUNTING, 1, 1, "counting", NULL, NULL, count_filter};

/* [n][h][w][c] or [n][c][h][w], of a number type; labels n % 4. */
static void write_chunks(const char *name, bool nchw, hid_t type, const hsize_t *chunk) {
    const hsize_t nhwc_dims[4] = {N, H, W, C}, nchw_dims[4] = {N, C, H, W};
    static int x[N * SAMPLE], y[N];
    for (int n = 0; n < N; n++) {
        y[n] = n % 4;
        for (int i = 0; i < SAMPLE; i++) {
            const int at = nchw ? i % (H * W) * C + i / (H * W) : i;
            x[n * SAMPLE + i] = value(n, at / C / W, at / C % W, at % C);
        }
    }
    hid_t file = create(name), properties = H5P_DEFAULT;
    if (chunk) {
        properties = hdf5_chunks(4, chunk, 0);
        H5Pset_filter(properties, COUNTING, 0, 0, NULL);
    }
    hdf5_put_as(file, "/x", type, H5T_NATIVE_INT, 4, nchw ? nchw_dims : nhwc_dims, properties, x);
    hdf5_put(file, "/y", H5T_STD_I8LE, H5T_NATIVE_INT, 1, (hsize_t[]){N}, y);
    H5Fclose(file);
}

/* Blocks of `step` samples, in order or from the end. */
static bool reads_right(struct cvy_dataset *ds, int step, bool backwards) {
    static unsigned char bytes[N * SAMPLE];
    static float reals[N * SAMPLE];
    const bool real = cvy_dataset_info(ds)->x_type == CVY_F32;
    int wrong = 0;
    for (int done = 0; done < N; done += step) {
        const int count = N - done < step ? N - done : step, first = backwards ? N - done - count : done;
        TEST_OK(cvy_dataset_read(ds, first, count, real ? (void *)reals : bytes, NULL));
        for (int i = 0; i < count * SAMPLE; i++) {
            const int at = i % SAMPLE, want = value(first + i / SAMPLE, at / C / W, at / C % W, at % C);
            wrong += real ? reals[i] != (float)want : bytes[i] != want;
        }
    }
    return wrong == 0;
}

static int chunks_of(const hsize_t *chunk, const hsize_t *dims) {
    int count = 1;
    for (int i = 0; i < 4; i++) count *= (int)((dims[i] + chunk[i] - 1) / chunk[i]);
    return count;
}

/* Of every shape, in both layouts, of three types: right, and each chunk is undone once by who reads in order, in
 * pieces of any size. */
static void chunks_of_any_shape(void) {
    static const hsize_t shapes[][4] = {{1, H, W, C},  {7, H, W, C}, {N, H, W, C}, {64, H, W, C}, {8, H, W, 1},
                                        {10, 2, W, C}, {N, H, 2, C}, {3, 4, 3, 2}, {20, H, W, 2}, {1, 1, 1, 1}};
    static const hsize_t dims[2][4] = {{N, H, W, C}, {N, C, H, W}};
    begin();
    H5Zregister(&counting);
    const hid_t types[] = {H5T_STD_U8LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE};
    for (size_t s = 0; s <= COUNT(shapes); s++)
        for (int nchw = 0; nchw < 2; nchw++)
            for (int t = 0; t < 3; t++) {
                hsize_t chunk[4] = {N, H, W, C};
                if (s < COUNT(shapes)) memcpy(chunk, shapes[s], sizeof chunk);
                if (nchw)
                    chunk[3] = (hsize_t)W < chunk[2] ? W : chunk[2], chunk[2] = shapes[s % COUNT(shapes)][1],
                    chunk[1] = shapes[s % COUNT(shapes)][3];
                if (chunk[0] > N) chunk[0] = N; /* HDF5 wants chunks of fixed data sets to be no larger */
                write_chunks("chunks.h5", nchw, types[t], s < COUNT(shapes) ? chunk : NULL);
                const struct cvy_dataset_spec spec = {.file = in_folder("chunks.h5"),
                                                      .layout = nchw ? CVY_LAYOUT_NCHW : CVY_LAYOUT_NHWC};
                struct cvy_dataset *ds = NULL;
                TEST_OK(cvy_dataset_open(&spec, &ds));
                if (ds == NULL) continue;
                for (int step = 1; step <= N; step += step < 8 ? 3 : 23) {
                    CU_ASSERT(reads_right(ds, step, false));
                    CU_ASSERT(reads_right(ds, step, true));
                }
                if (s < COUNT(shapes)) {
                    undone = 0;
                    CU_ASSERT(reads_right(ds, 5, false));
                    const int most = chunks_of(chunk, dims[nchw]);
                    if (undone > most) fprintf(stderr, "\n    shape %zu: %d chunks undone, of %d", s, undone, most);
                    CU_ASSERT(undone <= most);
                }
                cvy_dataset_close(&ds);
            }
    H5Zunregister(COUNTING);
}

/* A block larger than what is held: HDF5 keeps its chunks meanwhile. */
static void huge_chunks(void) {
    enum { ROWS = 700, SIDE = 128, PIXELS = SIDE * SIDE };
    const hsize_t dims[4] = {ROWS, SIDE, SIDE, 4}, shapes[2][4] = {{ROWS, SIDE, SIDE, 4}, {ROWS, SIDE, 64, 1}};
    begin();
    H5Zregister(&counting);
    unsigned char *x = malloc((size_t)ROWS * PIXELS * 4), *one = malloc((size_t)PIXELS * 4);
    for (size_t i = 0; i < (size_t)ROWS * PIXELS * 4; i++) x[i] = (unsigned char)(i * 2654435761U >> 13);
    for (int s = 0; s < 2; s++) {
        hid_t file = create("huge.h5"), properties = hdf5_chunks(4, shapes[s], 0);
        H5Pset_filter(properties, COUNTING, 0, 0, NULL);
        hdf5_put_as(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 4, dims, properties, x);
        hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, dims, x);
        H5Fclose(file);
        struct cvy_dataset *ds = NULL;
        TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = in_folder("huge.h5")}, &ds));
        undone = 0;
        for (int n = 0; n < ROWS; n += 50) {
            TEST_OK(cvy_dataset_read(ds, n, 1, one, NULL));
            CU_ASSERT(memcmp(one, x + (size_t)n * PIXELS * 4, (size_t)PIXELS * 4) == 0);
        }
        CU_ASSERT(undone <= chunks_of(shapes[s], dims));
        CU_ASSERT(cvy_dataset_info(ds)->inflated >= ROWS * PIXELS * 4);
        cvy_dataset_close(&ds);
    }
    free(x);
    free(one);
    H5Zunregister(COUNTING);
}

/* ---- Sources ---- */

enum { PARTS = 4, EACH = 6, PIXEL = 4 };

/* part-K.h5: /img [6][2][2] and /lab [6]. */
static void write_part(const char *name, int part, hsize_t samples) {
    unsigned char x[EACH * PIXEL], y[EACH];
    for (int i = 0; i < EACH * PIXEL; i++) x[i] = (unsigned char)(1 + part * EACH * PIXEL + i);
    for (int i = 0; i < EACH; i++) y[i] = (unsigned char)(1 + (part + i) % 2);
    const hsize_t dims[3] = {samples, 2, 2};
    hid_t file = create(name);
    hdf5_put(file, "/img", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 3, dims, x);
    hdf5_put(file, "/lab", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, dims, y);
    H5Fclose(file);
}

static void write_parts(void) {
    for (int part = 0; part < PARTS; part++) {
        char name[32];
        snprintf(name, sizeof name, "part-%d.h5", part);
        write_part(name, part, EACH);
    }
}

/* Samples `begin` … of a virtual array from all of a source. */
static void map(hid_t properties, int rank, hsize_t begin_at, hsize_t count, hsize_t all, const char *file,
                const char *array) {
    hsize_t dims[3] = {all, 2, 2}, at[3] = {begin_at}, size[3] = {count, 2, 2}, source[3] = {count, 2, 2};
    hid_t to = H5Screate_simple(rank, dims, NULL), from = H5Screate_simple(rank, source, NULL);
    H5Sselect_hyperslab(to, H5S_SELECT_SET, at, NULL, size, NULL);
    CU_ASSERT(H5Pset_virtual(properties, to, file, array, from) >= 0);
    H5Sclose(to);
    H5Sclose(from);
}

/* `parts` of them are mapped; the array is of all four. */
static void write_virtual(const char *name, const char *pattern, int parts) {
    const hsize_t all = PARTS * EACH, dims[3] = {all, 2, 2};
    hid_t file = create(name), x = H5Pcreate(H5P_DATASET_CREATE), y = H5Pcreate(H5P_DATASET_CREATE);
    for (int part = 0; part < parts; part++) {
        char source[64];
        snprintf(source, sizeof source, pattern, part);
        map(x, 3, (hsize_t)part * EACH, EACH, all, source, "/img");
        map(y, 1, (hsize_t)part * EACH, EACH, all, source, "/lab");
    }
    hdf5_put_as(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 3, dims, x, NULL);
    hdf5_put_as(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, dims, y, NULL);
    H5Fclose(file);
}

static bool is_whole(const char *file) {
    unsigned char x[PARTS * EACH * PIXEL];
    int right = 0;
    struct cvy_dataset *ds = NULL;
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = file}, &ds));
    if (ds == NULL) return false;
    CU_ASSERT_EQUAL(cvy_dataset_info(ds)->count, PARTS * EACH);
    TEST_OK(cvy_dataset_read(ds, 0, PARTS * EACH, x, NULL));
    for (int i = 0; i < PARTS * EACH * PIXEL; i++) right += x[i] == i + 1;
    cvy_dataset_close(&ds);
    return right == PARTS * EACH * PIXEL;
}

static void virtual_sets(void) {
    begin();
    write_parts();
    write_virtual("set.h5", "part-%d.h5", PARTS);
    CU_ASSERT(is_whole(in_folder("set.h5")));
    CU_ASSERT_EQUAL(rename(in_folder("part-2.h5"), in_folder("away.h5")), 0);
    CU_ASSERT(file_fails("set.h5", "samples 12 to 17", "part-2.h5 is missing"));
    CU_ASSERT(fails(&(struct cvy_dataset_spec){.file = in_folder("set.h5"), .x = "/y"}, "/y is a virtual data set",
                    "part-2.h5 is missing"));
    write_part("part-2.h5", 2, EACH - 1);
    CU_ASSERT(file_fails("set.h5", "part-2.h5 is too short", "20 values, where 24 are taken"));
    hid_t file = create("part-2.h5");
    H5Fclose(file);
    CU_ASSERT(file_fails("set.h5", "part-2.h5", "has no data set /img"));
    TEST_OK(cvy_file_replace(in_folder("part-2.h5"), &(struct cvy_bytes){"junk", 4}, 1));
    CU_ASSERT(file_fails("set.h5", "part-2.h5 cannot be opened", "copy that file again"));
    write_virtual("hole.h5", "part-%d.h5", 2);
    CU_ASSERT(file_fails("hole.h5", "of 96 values", "48 of them have no source"));
}

/* Where HDF5 looks: its environment's folders, the file's own, the working folder. */
static void places_of_sources(void) {
    char here[CVY_PATH_MAX];
    begin();
    write_parts();
    write_virtual("set.h5", "part-%d.h5", PARTS);
    CU_ASSERT_FATAL(getcwd(here, sizeof here) != NULL);
    TEST_OK(cvy_folder_make(in_folder("other")));
    CU_ASSERT_EQUAL(rename(in_folder("set.h5"), in_folder("other/set.h5")), 0);
    CU_ASSERT(file_fails("other/set.h5", "part-0.h5 is missing", "HDF5_VDS_PREFIX"));
    setenv("HDF5_VDS_PREFIX", "/nowhere:${ORIGIN}/..", 1);
    CU_ASSERT(file_fails("other/set.h5", "part-0.h5 is missing", "")); /* a list is not expanded */
    char list[2 * CVY_PATH_MAX];
    snprintf(list, sizeof list, "/nowhere:%s", folder);
    setenv("HDF5_VDS_PREFIX", list, 1);
    CU_ASSERT(is_whole(in_folder("other/set.h5")));
    unsetenv("HDF5_VDS_PREFIX");
    CU_ASSERT_EQUAL(chdir(folder), 0);
    CU_ASSERT(is_whole("other/set.h5"));
    CU_ASSERT_EQUAL(symlink("../set.h5", in_folder("other/link.h5")), 0);
    write_virtual("set.h5", "part-%d.h5", PARTS);
    CU_ASSERT_EQUAL(chdir("/"), 0);
    CU_ASSERT(is_whole(in_folder("other/link.h5")));
    CU_ASSERT_EQUAL(chdir(here), 0);
    char pattern[CVY_PATH_MAX]; /* absolute, and moved: by its last part, beside the set */
    snprintf(pattern, sizeof pattern, "/long/gone/part-%%d.h5");
    write_virtual("moved.h5", pattern, PARTS);
    CU_ASSERT(is_whole(in_folder("moved.h5")));
}

/* One whose sources are virtual too, and one within its own file. */
static void nested_sets(void) {
    const hsize_t all = PARTS * EACH, dims[3] = {all, 2, 2};
    begin();
    write_parts();
    write_virtual("inner.h5", "part-%d.h5", PARTS);
    hid_t file = create("outer.h5"), x = H5Pcreate(H5P_DATASET_CREATE), again = H5Pcreate(H5P_DATASET_CREATE);
    unsigned char y[PARTS * EACH] = {0};
    map(x, 3, 0, all, all, "inner.h5", "/x");
    map(again, 3, 0, all, all, ".", "/middle");
    hdf5_put_as(file, "/middle", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 3, dims, x, NULL);
    hdf5_put_as(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 3, dims, again, NULL);
    hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, dims, y);
    H5Fclose(file);
    CU_ASSERT(is_whole(in_folder("outer.h5")));
    CU_ASSERT_EQUAL(unlink(in_folder("part-3.h5")), 0);
    CU_ASSERT(file_fails("outer.h5", "inner.h5: /x is a virtual data set", "part-3.h5 is missing"));
    file = create("circle.h5");
    x = H5Pcreate(H5P_DATASET_CREATE);
    map(x, 3, 0, all, all, ".", "/x");
    hdf5_put_as(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 3, dims, x, NULL);
    hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, dims, y);
    H5Fclose(file);
    CU_ASSERT(file_fails("circle.h5", "made of itself", ""));
}

/* "part-%b.h5": as many as there are, one after the other. */
static void numbered_sources(void) {
    begin();
    write_parts();
    hid_t file = create("set.h5");
    for (int array = 0; array < 2; array++) {
        const int rank = array ? 1 : 3;
        const hsize_t dims[3] = {EACH, 2, 2}, most[3] = {H5S_UNLIMITED, 2, 2}, at[3] = {0};
        const hsize_t count[3] = {H5S_UNLIMITED, 1, 1};
        hid_t space = H5Screate_simple(rank, dims, most), from = H5Screate_simple(rank, dims, NULL);
        hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
        H5Sselect_hyperslab(space, H5S_SELECT_SET, at, dims, count, dims);
        CU_ASSERT(H5Pset_virtual(properties, space, "part-%b.h5", array ? "/lab" : "/img", from) >= 0);
        H5Sselect_all(space);
        hid_t made = H5Dcreate2(file, array ? "/y" : "/x", H5T_STD_U8LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
        CU_ASSERT(made >= 0);
        H5Dclose(made), H5Pclose(properties), H5Sclose(from), H5Sclose(space);
    }
    H5Fclose(file);
    CU_ASSERT(is_whole(in_folder("set.h5")));
    CU_ASSERT_EQUAL(rename(in_folder("part-2.h5"), in_folder("away.h5")), 0);
    CU_ASSERT(file_fails("set.h5", "block 2", "part-2.h5 is missing"));
    CU_ASSERT_EQUAL(rename(in_folder("away.h5"), in_folder("part-2.h5")), 0);
    CU_ASSERT_EQUAL(unlink(in_folder("part-0.h5")), 0);
    CU_ASSERT(file_fails("set.h5", "block 0", "part-0.h5 is missing"));
}

/* HDF5 cannot have a file open in two ways: what a virtual data set needs, and a set of its own. */
static void source_and_set(void) {
    struct cvy_dataset *all = NULL, *one = NULL;
    unsigned char x[PARTS * EACH * PIXEL];
    begin();
    write_parts();
    write_virtual("set.h5", "part-%d.h5", PARTS);
    const struct cvy_dataset_spec part = {.file = in_folder("part-1.h5"), .x = "/img", .y = "/lab"};
    const struct cvy_dataset_spec set = {.file = in_folder("set.h5")};
    TEST_OK(cvy_dataset_open(&set, &all));
    TEST_OK(cvy_dataset_open(&part, &one));
    TEST_OK(cvy_dataset_read(all, EACH, 2, x, NULL));
    CU_ASSERT(x[0] == EACH * PIXEL + 1);
    TEST_OK(cvy_dataset_read(one, 0, 2, x, NULL));
    CU_ASSERT(x[0] == EACH * PIXEL + 1);
    cvy_dataset_close(&all);
    cvy_dataset_close(&one);
    TEST_OK(cvy_dataset_open(&part, &one));
    CU_ASSERT(fails(&set, "part-1.h5 is also read on its own", "name the virtual data set before"));
    cvy_dataset_close(&one);
    CU_ASSERT(is_whole(in_folder("set.h5")));
}

/* set.h5, whose /x is in raw.bin. */
static void write_external(void) {
    char raw[CVY_PATH_MAX];
    unsigned char bytes[PARTS * EACH * PIXEL + 5], y[PARTS * EACH] = {0};
    const hsize_t dims[3] = {PARTS * EACH, 2, 2};
    for (int i = 0; i < PARTS * EACH * PIXEL; i++) bytes[5 + i] = (unsigned char)(i + 1);
    snprintf(raw, sizeof raw, "%s", in_folder("raw.bin"));
    TEST_OK(cvy_file_replace(raw, &(struct cvy_bytes){bytes, sizeof bytes}, 1));
    hid_t file = create("set.h5"), properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(properties, raw, 5, H5F_UNLIMITED);
    hdf5_put_as(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 3, dims, properties, NULL);
    hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, dims, y);
    H5Fclose(file);
}

static void external_files(void) {
    begin();
    write_external();
    CU_ASSERT(is_whole(in_folder("set.h5")));
    CU_ASSERT_EQUAL(truncate(in_folder("raw.bin"), 100), 0);
    CU_ASSERT(file_fails("set.h5", "raw.bin, which is cut off", "100 bytes, 101 are wanted"));
    CU_ASSERT_EQUAL(unlink(in_folder("raw.bin")), 0);
    CU_ASSERT(file_fails("set.h5", "raw.bin, which is missing", "HDF5_EXTFILE_PREFIX"));
}

static void links(void) {
    unsigned char y[3] = {0};
    begin();
    hid_t file = create("set.h5");
    H5Lcreate_external("gone.h5", "/img", file, "/x", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/no/where", file, "/soft", H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, (hsize_t[]){3}, y);
    H5Fclose(file);
    CU_ASSERT(file_fails("set.h5", "/x is a link to /img in the file gone.h5", "cannot be opened"));
    CU_ASSERT(fails(&(struct cvy_dataset_spec){.file = in_folder("set.h5"), .x = "/soft"},
                    "/soft is a link to /no/where, which is not there", ""));
}

/* ---- Filters, and a writer that died ---- */

static size_t pass_filter(unsigned flags, size_t values, const unsigned *list, size_t bytes, size_t *room,
                          void **block) {
    (void)values, (void)list, (void)room, (void)block, (void)flags;
    return bytes;
}

/* Written while the filter is there, read when it is not. */
static void write_filtered(const char *name, int id, unsigned flags, const char *filter) {
    const H5Z_class2_t class = {H5Z_CLASS_T_VERS, id, 1, 1, filter, NULL, NULL, pass_filter};
    unsigned char x[6 * 4] = {0};
    const hsize_t dims[4] = {6, 2, 2, 1}, chunk[4] = {3, 2, 2, 1};
    H5Zregister(&class);
    hid_t file = create(name), properties = hdf5_chunks(4, chunk, 0);
    H5Pset_filter(properties, id, flags, 0, NULL);
    hdf5_put_as(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 4, dims, properties, x);
    hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, dims, x);
    H5Fclose(file);
    H5Zunregister(id);
}

static void missing_filters(void) {
    static const struct {
        int id;
        unsigned flags;
        const char *own, *said, *cure;
    } filters[] = {{32000, H5Z_FLAG_OPTIONAL, "lzf", "/x is compressed with LZF (filter 32000)", "h5py"},
                   {32001, 0, "", "Blosc (filter 32001)", "h5repack -f GZIP=4"},
                   {32015, 0, "x", "Zstandard (filter 32015)", "HDF5_PLUGIN_PATH"},
                   {32008, H5Z_FLAG_OPTIONAL, "", "bitshuffle (filter 32008)", "h5repack -f GZIP=4"},
                   {32004, 0, "", "LZ4 (filter 32004)", "h5repack -f GZIP=4"},
                   {40123, 0, "my own filter", "my own filter (filter 40123)", "h5repack"}};
    begin();
    for (size_t i = 0; i < COUNT(filters); i++) {
        write_filtered("filter.h5", filters[i].id, filters[i].flags, filters[i].own);
        CU_ASSERT(file_fails("filter.h5", filters[i].said, filters[i].cure));
        CU_ASSERT(strstr(cvy_error_message(), "copy it again") == NULL);
    }
}

/* A copy of a file that is open is what a crash leaves. */
static void dead_writer(void) {
    struct cvy_buf bytes = {0};
    begin();
    hid_t access_properties = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access_properties, H5F_LIBVER_V110, H5F_LIBVER_V110);
    hid_t file = H5Fcreate(in_folder("live.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, access_properties);
    unsigned char x[8] = {0};
    hdf5_put(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 2, (hsize_t[]){4, 2}, x);
    hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, (hsize_t[]){4}, x);
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    TEST_OK(cvy_file_read(in_folder("live.h5"), 1 << 24, &bytes));
    TEST_OK(cvy_file_replace(in_folder("dead.h5"), &(struct cvy_bytes){bytes.data, bytes.size}, 1));
    H5Fclose(file);
    H5Pclose(access_properties);
    cvy_buf_destroy(&bytes);
    CU_ASSERT(file_fails("dead.h5", "h5clear -s '", "dead.h5'"));
    CU_ASSERT(strstr(cvy_error_message(), "copy it again") == NULL);
}

/* ---- Attributes, reasons ---- */

static void put_list(hid_t file, const char *name, hsize_t count, double first) {
    const double values[4] = {first, 3, 3, 3};
    hid_t space = H5Screate_simple(1, &count, NULL);
    hid_t attribute = H5Acreate2(file, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, H5T_NATIVE_DOUBLE, values);
    H5Aclose(attribute);
    H5Sclose(space);
}

static void attributes_of_others(void) {
    static const struct {
        hsize_t count;
        double first;
    } lists[] = {{1, 5}, {4, 5}, {2, 0}, {2, -1}};
    unsigned char x[8] = {0};
    begin();
    for (size_t i = 0; i < COUNT(lists); i++) {
        hid_t file = create("set.h5");
        hdf5_put(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 2, (hsize_t[]){4, 2}, x);
        hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, (hsize_t[]){4}, x);
        put_list(file, "mean", lists[i].count, lists[i].first);
        put_list(file, "std", lists[i].count, lists[i].first);
        H5Fclose(file);
        struct cvy_dataset *ds = NULL;
        TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = in_folder("set.h5")}, &ds));
        if (ds) CU_ASSERT(cvy_dataset_info(ds)->mean[1] == 0 && cvy_dataset_info(ds)->std[1] == 255);
        cvy_dataset_close(&ds);
    }
}

/* A chunk whose checksum is wrong: HDF5's own words are told. */
static void reasons_are_told(void) {
    unsigned char x[8 * 64];
    struct cvy_buf bytes = {0};
    struct cvy_dataset *ds = NULL;
    const hsize_t dims[2] = {8, 64};
    begin();
    for (int i = 0; i < 8 * 64; i++) x[i] = (unsigned char)(100 + i % 100);
    hid_t file = create("set.h5"), properties = hdf5_chunks(2, (hsize_t[]){2, 64}, 0);
    H5Pset_fletcher32(properties);
    hdf5_put_as(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 2, dims, properties, x);
    hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, dims, x);
    H5Fclose(file);
    TEST_OK(cvy_file_read(in_folder("set.h5"), 1 << 24, &bytes));
    unsigned char *chunk = memmem(bytes.data, bytes.size, x + 4 * 64, 2 * 64);
    CU_ASSERT_PTR_NOT_NULL_FATAL(chunk);
    chunk[70] ^= 1;
    TEST_OK(cvy_file_replace(in_folder("set.h5"), &(struct cvy_bytes){bytes.data, bytes.size}, 1));
    cvy_buf_destroy(&bytes);
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = in_folder("set.h5")}, &ds));
    CU_ASSERT_EQUAL(cvy_dataset_verify(ds), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("/x: samples 4 to 5 cannot be read: data error detected by Fletcher32 checksum"));
    cvy_dataset_close(&ds);
}

/* What a writer did not come to reads as zeros: it is counted, verifying says so, and a set of ours has no such. */
static void chunks_never_written(void) {
    unsigned char y[40] = {0};
    struct cvy_dataset *ds = NULL;
    const hsize_t dims[4] = {40, 2, 2, 1}, chunk[4] = {8, 2, 2, 1};
    begin();
    hid_t file = create("set.h5");
    hdf5_put_as(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 4, dims, hdf5_chunks(4, chunk, 1), NULL);
    hdf5_put_as(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, dims, H5P_DEFAULT, NULL); /* none */
    hid_t x = H5Dopen2(file, "/x", H5P_DEFAULT), space = H5Dget_space(x);
    hid_t memory = H5Screate_simple(4, (hsize_t[]){10, 2, 2, 1}, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, (hsize_t[]){0, 0, 0, 0}, NULL, (hsize_t[]){10, 2, 2, 1}, NULL);
    CU_ASSERT(H5Dwrite(x, H5T_NATIVE_UCHAR, memory, space, H5P_DEFAULT, y) >= 0); /* 2 of 5 */
    H5Sclose(memory), H5Sclose(space), H5Dclose(x), H5Fclose(file);
    TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = in_folder("set.h5")}, &ds));
    CU_ASSERT_EQUAL(cvy_dataset_info(ds)->unwritten, 4);
    CU_ASSERT_EQUAL(cvy_dataset_verify(ds), CVY_ERR_DATA);
    CU_ASSERT(test_message_has("4 chunks of its data were never written; it reads as zeros there"));
    cvy_dataset_close(&ds);
    TEST_OK(cvy_pack_hdf5(&(struct cvy_dataset_spec){.file = in_folder("set.h5")}, in_folder("ours.h5"),
                          &(struct cvy_pack_options){.chunk = 8}));
    file = H5Fopen(in_folder("ours.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    x = H5Dopen2(file, "/x", H5P_DEFAULT);
    CU_ASSERT(H5Dset_extent(x, (hsize_t[]){32, 2, 2, 1}) >= 0 && H5Dset_extent(x, dims) >= 0); /* the last one goes */
    H5Dclose(x), H5Fclose(file);
    CU_ASSERT(file_fails("ours.h5", "ours.h5: damaged: 1 chunk is not there", ""));
}

/* ---- Values that are none, and stopping ---- */

static void not_finite(void) {
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    float x[20 * 3], y[20 * 2];
    begin();
    for (int i = 0; i < 6; i++) {
        const bool input = i < 3;
        for (int k = 0; k < 60; k++) x[k] = (float)k;
        for (int k = 0; k < 40; k++) y[k] = (float)k;
        *(input ? &x[17 * 3 + 2] : &y[17 * 2 + 1]) = bad[i % 3];
        hid_t file = create("set.h5");
        hdf5_put(file, "/x", H5T_IEEE_F64LE, H5T_NATIVE_FLOAT, 2, (hsize_t[]){20, 3}, x);
        hdf5_put(file, "/y", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, (hsize_t[]){20, 2}, y);
        H5Fclose(file);
        struct cvy_dataset *ds = NULL;
        const struct cvy_dataset_spec spec = {.file = in_folder("set.h5")};
        TEST_OK(cvy_dataset_open(&spec, &ds));
        TEST_OK(cvy_dataset_read(ds, 0, 17, x, y));
        CU_ASSERT_EQUAL(cvy_dataset_read(ds, 10, 10, x, y), CVY_ERR_DATA);
        CU_ASSERT(test_message_has(i % 3 ? "sample 17 holds infinity in" : "sample 17 holds NaN in"));
        CU_ASSERT(test_message_has(input ? "in /x" : "in /y"));
        CU_ASSERT_EQUAL(cvy_dataset_verify(ds), CVY_ERR_DATA);
        cvy_dataset_close(&ds);
        CU_ASSERT_EQUAL(cvy_pack_hdf5(&spec, in_folder("out.h5"), &(struct cvy_pack_options){0}), CVY_ERR_DATA);
        CU_ASSERT(test_message_has("sample 17") && !cvy_file_exists(in_folder("out.h5")));
    }
}

/* Sources of a virtual set and external files are watched as the set's own file is: one that goes while it is open, or
 * becomes another, is no zeros. */
static void sources_that_change(void) {
    unsigned char x[PARTS * EACH * PIXEL];
    for (int external = 0; external < 2; external++)
        for (int gone = 0; gone < 2; gone++) {
            struct cvy_dataset *ds = NULL;
            begin();
            write_parts();
            write_virtual("set.h5", "part-%d.h5", PARTS);
            if (external) write_external();
            const char *source = in_folder(external ? "raw.bin" : "part-1.h5");
            TEST_OK(cvy_dataset_open(&(struct cvy_dataset_spec){.file = in_folder("set.h5")}, &ds));
            TEST_OK(cvy_dataset_read(ds, 0, EACH, x, NULL));
            CU_ASSERT_EQUAL(gone ? unlink(source) : truncate(source, 20), 0);
            CU_ASSERT_EQUAL(cvy_dataset_read(ds, 0, PARTS * EACH, x, NULL), CVY_ERR_DATA);
            CU_ASSERT(!gone || test_message_has("restore it, and resume") || test_message_has("cannot be read"));
            cvy_dataset_close(&ds);
        }
}

/* Packed, in shards and in a single file, a set without targets is whole, and only read by who can do without. */
static void without_targets(void) {
    static unsigned char x[400 * 64];
    begin();
    for (size_t i = 0; i < sizeof x; i++) x[i] = (unsigned char)(i * 31);
    hid_t file = create("set.h5");
    hdf5_put(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 4, (hsize_t[]){400, 8, 8, 1}, x);
    H5Fclose(file);
    for (int shards = 0; shards < 2; shards++) {
        const struct cvy_pack_options how = {.shard_bytes = shards ? 4096 : 0, .chunk = 16, .overwrite = true};
        const struct cvy_dataset_spec from = {.file = in_folder("set.h5"), .may_lack_y = true};
        const struct cvy_dataset_spec packed = {.file = in_folder("bare.h5"), .may_lack_y = true};
        const struct cvy_dataset_spec labelled = {.file = in_folder("bare.h5")};
        struct cvy_dataset *ds = NULL;
        unsigned char there[64];
        TEST_OK(cvy_pack_hdf5(&from, packed.file, &how));
        TEST_OK(cvy_dataset_open(&packed, &ds));
        CU_ASSERT(cvy_dataset_info(ds)->shards == (shards ? 7 : 0) && cvy_dataset_info(ds)->labels == NULL);
        TEST_OK(cvy_dataset_verify(ds));
        TEST_OK(cvy_dataset_read(ds, 399, 1, there, NULL));
        CU_ASSERT_EQUAL(memcmp(there, x + (size_t)399 * 64, 64), 0);
        cvy_dataset_close(&ds);
        CU_ASSERT_EQUAL(cvy_dataset_open(&labelled, &ds), CVY_ERR_DATA);
        CU_ASSERT(test_message_has("it has no data set /y"));
    }
}

static bool stop_later(void *left) {
    return --*(int *)left < 0;
}

/* Packing and the reading of labels ask now and then; what was being written is gone. */
static void stopping(void) {
    static unsigned char x[4000 * 64];
    static float y[4000];
    int left = 5;
    begin();
    hid_t file = create("set.h5");
    hdf5_put(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 4, (hsize_t[]){4000, 8, 8, 1}, x);
    hdf5_put(file, "/y", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, (hsize_t[]){4000}, y);
    H5Fclose(file);
    const struct cvy_pack_options how = {.shard_bytes = 4096, .work = {.stop = stop_later, .arg = &left}};
    for (int times = 0; times < 3; times++) { /* at the labels, at the samples that are copied, never */
        left = (const int[]){0, 3, 4}[times];
        const struct cvy_dataset_spec spec = {.file = in_folder("set.h5")};
        CU_ASSERT_EQUAL(cvy_pack_hdf5(&spec, in_folder("out.h5"), &how), times < 2 ? CVY_STOPPED : CVY_OK);
        CU_ASSERT(cvy_file_exists(in_folder("out.h5")) == (times == 2));
        CU_ASSERT(cvy_folder_exists(in_folder("out.d")) == (times == 2));
    }
    left = 0;
    struct cvy_dataset *ds = NULL;
    CU_ASSERT_EQUAL(
        cvy_dataset_open(
            &(struct cvy_dataset_spec){.file = in_folder("set.h5"), .work = {.stop = stop_later, .arg = &left}}, &ds),
        CVY_STOPPED);
    CU_ASSERT_PTR_NULL(ds);
}

/* Both ends are read for the digest of a set that is not ours; SAN=undefined sees a value that is put where none may
 * stand. */
static void odd_bytes_beside_values(void) {
    static const unsigned char x[2] = {3, 4};
    static const float y[2][2][3] = {{{1, 2, 3}, {4, 5, 6}}, {{7, 8, 9}, {10, 11, 12}}}; /* [n][c][w] */
    static const float last[6] = {7, 10, 8, 11, 9, 12};
    struct cvy_dataset *ds;
    float got[6] = {0};
    begin();
    hid_t file = create("odd.h5");
    hdf5_put(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 4, (hsize_t[]){2, 1, 1, 1}, x);
    hdf5_put(file, "/y", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, (hsize_t[]){2, 2, 1, 3}, y);
    H5Fclose(file);
    TEST_OK(cvy_dataset_open(
        &(struct cvy_dataset_spec){.file = in_folder("odd.h5"), .layout = CVY_LAYOUT_NCHW, .want = CVY_WANT_VALUES},
        &ds));
    TEST_OK(cvy_dataset_read(ds, 1, 1, NULL, got));
    CU_ASSERT_EQUAL(memcmp(got, last, sizeof last), 0);
    cvy_dataset_close(&ds);
}

/* With a user block of so many bytes, as checkpoints have one; under the lock, which text files are read under too. */
static void what_is_hdf5(void) {
    static const hsize_t blocks[] = {0, 512, 2048};
    char path[512];
    snprintf(path, sizeof path, "%s", in_folder("is.h5"));
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        hid_t how = H5Pcreate(H5P_FILE_CREATE);
        H5Pset_userblock(how, blocks[i]);
        H5Fclose(H5Fcreate(path, H5F_ACC_TRUNC, how, H5P_DEFAULT));
        H5Pclose(how);
        cvy_h5_lock();
        CU_ASSERT(cvy_file_is_hdf5(path));
        cvy_h5_unlock();
    }
    static const char *const texts[] = {"", "name: x\n", "\x89HDF\r\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        test_write(path, "%s", texts[i]);
        CU_ASSERT(!cvy_file_is_hdf5(path));
    }
    CU_ASSERT(!cvy_file_is_hdf5(in_folder("nowhere.h5")) && !cvy_file_is_hdf5("/"));
}

static const struct test_case cases[] = {
    {"what is HDF5", what_is_hdf5},
    {"chunks of any shape: right, and undone once", chunks_of_any_shape},
    {"chunks too large to be held", huge_chunks},
    {"virtual data sets with a part missing", virtual_sets},
    {"where sources are looked for", places_of_sources},
    {"virtual data sets within others", nested_sets},
    {"numbered sources", numbered_sources},
    {"a source that is also a set of its own", source_and_set},
    {"external files", external_files},
    {"links into nothing", links},
    {"filters that are not there", missing_filters},
    {"a writer that died", dead_writer},
    {"mean and std of other people", attributes_of_others},
    {"why a chunk cannot be read", reasons_are_told},
    {"chunks that were never written", chunks_never_written},
    {"NaN and infinity name their sample", not_finite},
    {"stopping leaves nothing", stopping},
    {"sets without targets", without_targets},
    {"sources that change while they are read", sources_that_change},
    {"inputs of odd bytes beside values", odd_bytes_beside_values},
    {0},
};
const struct test_suite suite_io_hdf5 = {"io_hdf5", cases, NULL};
