/* io/ckpt against files whose digest is right and whose contents are not: one message each, and nothing is read from
 * elsewhere. */
#define _GNU_SOURCE
#include <hdf5.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ckpt_help.h"
#include "core/hash.h"
#include "core/memory.h"
#include "io/ckpt/ckpt.h"
#include "io/ckpt/ckpt_head.h"
#include "test.h"

static char folder[512], path[600];

static void write_good(void) {
    static const float weight[6] = {1, 2, 3, 4, 5, 6}, bias[3] = {7, 8, 9};
    static const int64_t step = 5, input[3] = {28, 28, 1};
    static const double mean = 0.5;
    static const char *const name = "mine";
    const struct cvy_ckpt_tensor tensors[] = {{"/param/fc/weight", 2, {2, 3}, weight, "in,out"},
                                              {"/param/fc/bias", 1, {3}, bias, "n"}};
    const struct cvy_ckpt_attribute values[] = {{.name = "step", .count = 1, .ints = &step},
                                                {.name = "input", .count = 3, .ints = input},
                                                {.name = "mean", .count = 1, .reals = &mean},
                                                {.name = "name", .count = 1, .texts = &name}};
    const struct cvy_ckpt_blob blobs[] = {{"experiment", "name: x\n", 8}};
    if (!folder[0]) snprintf(folder, sizeof folder, "%s", test_folder());
    snprintf(path, sizeof path, "%s/x.h5", folder);
    TEST_OK(ckpt_write(path,
                       &(struct cvy_ckpt_contents){.tensors = tensors,
                                                   .tensor_count = 2,
                                                   .attributes = values,
                                                   .attribute_count = 4,
                                                   .blobs = blobs,
                                                   .blob_count = 1},
                       NULL));
}

/* Makes the head say what the contents are now. */
static void seal(struct cvy_buf *bytes) {
    const size_t length = bytes->size - CVY_CKPT_HEAD;
    cvy_ckpt_head((int64_t)length, cvy_hash(bytes->data + CVY_CKPT_HEAD, length, 0), bytes->data);
    TEST_OK(cvy_file_replace(path, &(struct cvy_bytes){bytes->data, bytes->size}, 1));
}

static void seal_file(void) {
    struct cvy_buf bytes = {0};
    TEST_OK(cvy_file_read(path, 1 << 24, &bytes));
    seal(&bytes);
    cvy_buf_destroy(&bytes);
}

/* Opens, and reads all that it says it has. */
static cvy_status read_all(void) {
    struct cvy_ckpt *ckpt;
    struct cvy_buf text = {0};
    CVY_TRY(cvy_ckpt_open(path, &ckpt));
    cvy_status status = cvy_ckpt_blob(ckpt, "experiment", &text);
    for (int i = 0; i < cvy_ckpt_tensor_count(ckpt) && status == CVY_OK; i++) {
        const struct cvy_ckpt_tensor *t = cvy_ckpt_tensor(ckpt, i);
        const int64_t count = t->dims[0] * t->dims[1] * t->dims[2] * t->dims[3];
        float *values;
        TEST_OK(CVY_NEW(&values, count, checkpoint));
        status = cvy_ckpt_read(ckpt, t->path, count, values);
        cvy_free(values);
    }
    int64_t step;
    if (status == CVY_OK) status = cvy_ckpt_int(ckpt, "step", &step);
    cvy_buf_destroy(&text);
    cvy_ckpt_close(&ckpt);
    return status;
}

/* ---- What may be wrong ---- */

static void add_array(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dims, hid_t properties) {
    hid_t space = rank < 0 ? H5Screate(rank == -1 ? H5S_SCALAR : H5S_NULL) : H5Screate_simple(rank, dims, NULL);
    hid_t array = H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    CU_ASSERT(array >= 0);
    H5Dclose(array);
    H5Sclose(space);
}

static void put_number(hid_t file, const char *name, hid_t type) {
    add_array(file, name, type, 1, &(hsize_t){3}, H5P_DEFAULT);
}
static void whole_numbers(hid_t file) {
    put_number(file, "/param/fc/more", H5T_STD_I32LE);
}
static void texts(hid_t file) {
    put_number(file, "/param/fc/more", H5T_C_S1);
}
static void scalar(hid_t file) {
    add_array(file, "/param/fc/more", H5T_IEEE_F32LE, -1, NULL, H5P_DEFAULT);
}
static void nothing(hid_t file) {
    add_array(file, "/param/fc/more", H5T_IEEE_F32LE, -2, NULL, H5P_DEFAULT);
}
static void five_axes(hid_t file) {
    add_array(file, "/param/fc/more", H5T_IEEE_F32LE, 5, (const hsize_t[]){1, 1, 1, 1, 2}, H5P_DEFAULT);
}
static void add_chunked(hid_t file, hsize_t a, hsize_t b) {
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, 2, (const hsize_t[]){1, 16});
    add_array(file, "/param/fc/more", H5T_IEEE_F32LE, 2, (const hsize_t[]){a, b}, properties);
    H5Pclose(properties);
}
static void huge(hid_t file) {
    add_chunked(file, (hsize_t)1 << 40, 16);
}
static void overflowing(hid_t file) {
    add_chunked(file, (hsize_t)1 << 62, 16);
}
static void soft_link(hid_t file) {
    H5Lcreate_soft("/param/fc/bias", file, "/param/fc/more", H5P_DEFAULT, H5P_DEFAULT);
}
static void outside_link(hid_t file) {
    H5Lcreate_external("/etc/hosts", "/x", file, "/param/fc/more", H5P_DEFAULT, H5P_DEFAULT);
}
static void outside_values(hid_t file) {
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(properties, "/etc/hosts", 0, 12);
    add_array(file, "/param/fc/more", H5T_IEEE_F32LE, 1, &(hsize_t){3}, properties);
    H5Pclose(properties);
}
static void virtual_values(hid_t file) {
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, &(hsize_t){3}, NULL);
    H5Pset_virtual(properties, space, "/etc/hosts", "/x", space);
    add_array(file, "/param/fc/more", H5T_IEEE_F32LE, 1, &(hsize_t){3}, properties);
    H5Sclose(space);
    H5Pclose(properties);
}
static void deep(hid_t file) {
    char name[2048] = "/param";
    for (int i = 0; i < 400; i++) {
        strcat(name, "/a");
        H5Gclose(H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    }
}
static void no_run(hid_t file) {
    H5Ldelete(file, "/run", H5P_DEFAULT);
}
static void run_is_array(hid_t file) {
    no_run(file);
    put_number(file, "/run", H5T_IEEE_F32LE);
}
static void no_experiment(hid_t file) {
    H5Ldelete(file, "/run/experiment", H5P_DEFAULT);
}
static void experiment_is_group(hid_t file) {
    no_experiment(file);
    H5Gclose(H5Gcreate2(file, "/run/experiment", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}
static void experiment_is_numbers(hid_t file) {
    no_experiment(file);
    put_number(file, "/run/experiment", H5T_IEEE_F64LE);
}

/* In the place of the step. */
static void put_step(hid_t file, hid_t type, const void *value, bool empty) {
    hid_t run = H5Gopen2(file, "/run", H5P_DEFAULT), space = H5Screate(empty ? H5S_NULL : H5S_SCALAR);
    H5Adelete(run, "step");
    hid_t attribute = H5Acreate2(run, "step", type, space, H5P_DEFAULT, H5P_DEFAULT);
    CU_ASSERT(attribute >= 0);
    if (!empty) CU_ASSERT(H5Awrite(attribute, type, value) >= 0);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Gclose(run);
}
static void step_real(hid_t file) {
    put_step(file, H5T_NATIVE_DOUBLE, &(double){5}, false);
}
static void step_text(hid_t file) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, 4);
    put_step(file, type, "five", false); /* no NUL behind it */
    H5Tclose(type);
}
static void step_text_missing(hid_t file) {
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    put_step(file, type, &(const char *){NULL}, false);
    H5Tclose(type);
}
static void step_array(hid_t file) {
    hid_t type = H5Tarray_create2(H5T_NATIVE_INT, 1, &(hsize_t){2});
    put_step(file, type, (const int[]){5, 6}, false);
    H5Tclose(type);
}
static void step_empty(hid_t file) {
    put_step(file, H5T_NATIVE_INT, NULL, true);
}
static void step_opaque(hid_t file) {
    hid_t type = H5Tcreate(H5T_OPAQUE, 8);
    put_step(file, type, "12345678", false);
    H5Tclose(type);
}

static const struct {
    const char *name;
    void (*change)(hid_t file);
    const char *words; /* of the message */
} hostile[] = {
    {"whole numbers", whole_numbers, "/param/fc/more does not hold floating-point numbers"},
    {"texts", texts, "/param/fc/more does not hold floating-point numbers"},
    {"a scalar", scalar, "/param/fc/more has rank 0, not 1 to 4"},
    {"no values", nothing, "/param/fc/more does not hold floating-point numbers"},
    {"five axes", five_axes, "/param/fc/more has rank 5, not 1 to 4"},
    {"huge", huge, "/param/fc/more claims to be larger than the whole file"},
    {"overflowing", overflowing, "/param/fc/more claims to be larger than the whole file"},
    {"a soft link", soft_link, "/param/fc/more is a link to something else"},
    {"a link to a file", outside_link, "/param/fc/more is a link to something else"},
    {"values in a file", outside_values, "/param/fc/more keeps its values in another file"},
    {"values of a file", virtual_values, "/param/fc/more keeps its values in another file"},
    {"deep groups", deep, "has a name of"},
    {"no /run", no_run, "it has no /run"},
    {"/run is an array", run_is_array, "/run cannot be opened: "},
    {"no experiment", no_experiment, "it has no /run/experiment"},
    {"the experiment is a group", experiment_is_group, "/run/experiment cannot be read: "},
    {"the experiment is numbers", experiment_is_numbers, "/run/experiment does not hold bytes"},
    {"step: a real", step_real, "/run has no integer \"step\""},
    {"step: a text", step_text, "/run has no integer \"step\""},
    {"step: no text", step_text_missing, "attribute step: text 0 is missing"},
    {"step: an array", step_array, "/run has no integer \"step\""},
    {"step: nothing", step_empty, "/run has no integer \"step\""},
    {"step: opaque", step_opaque, "/run has no integer \"step\""},
};

static void expect(size_t i) {
    char expected[700];
    cvy_status status = read_all();
    const char *message = cvy_error_message();
    snprintf(expected, sizeof expected, "%s: ", path);
    bool good = status == CVY_ERR_CHECKPOINT && strncmp(message, expected, strlen(expected)) == 0 &&
                strstr(message, hostile[i].words) && !strstr(message, "no reason given");
    if (!good) fprintf(stderr, "\n    %s: %d: %s\n", hostile[i].name, (int)status, message);
    CU_ASSERT(good);
}

static void each_has_its_message(void) {
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        write_good();
        hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
        CU_ASSERT_FATAL(file >= 0);
        hostile[i].change(file);
        CU_ASSERT(H5Fclose(file) >= 0);
        seal_file();
        expect(i);
    }
}

/* A group inside itself is no more than it is. */
static void cycles_end(void) {
    write_good();
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    CU_ASSERT(H5Lcreate_hard(file, "/param", file, "/param/fc/again", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    CU_ASSERT(H5Lcreate_hard(file, "/", file, "/run/root", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    H5Fclose(file);
    seal_file();
    TEST_OK(read_all());
}

/* Bytes changed anywhere, the digest repaired: good, or one message that names the file. */
static void mutated(void) {
    struct cvy_buf good = {0};
    char *original;
    uint64_t random = 1;
    int refused = 0, unnamed = 0;
    write_good();
    TEST_OK(cvy_file_read(path, 1 << 24, &good));
    TEST_OK(CVY_NEW(&original, good.size, general));
    memcpy(original, good.data, good.size);
    for (int i = 0; i < 600; i++) {
        memcpy(good.data, original, good.size);
        for (int k = 0; k <= i % 3; k++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            size_t at = CVY_CKPT_HEAD + (size_t)(random >> 33) % (good.size - CVY_CKPT_HEAD);
            good.data[at] = i % 2 ? (char)(good.data[at] ^ (1 << (random >> 20) % 8)) : (char)(random >> 24);
        }
        seal(&good);
        if (read_all() == CVY_OK) continue;
        refused++;
        if (strncmp(cvy_error_message(), path, strlen(path)) != 0 || strstr(cvy_error_message(), "no reason given") ||
            strlen(cvy_error_message()) < strlen(path) + 10)
            unnamed++;
    }
    CU_ASSERT(refused > 100);
    CU_ASSERT_EQUAL(unnamed, 0);
    cvy_free(original);
    cvy_buf_destroy(&good);
}

static const struct test_case cases[] = {
    {"each fault has its message", each_has_its_message},
    {"cycles of groups end", cycles_end},
    {"bytes changed anywhere: good, or a message", mutated},
    {0},
};
const struct test_suite suite_io_hostile = {"io_hostile", cases, NULL};
