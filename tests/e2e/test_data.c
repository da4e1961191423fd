/* data pack, info, verify, split: what goes in comes out, and every kind of damage is refused by name. */
#define _XOPEN_SOURCE 700
#include <fcntl.h>
#include <hdf5.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "e2e.h"
#include "hdf5_help.h"

static void info_tells_what_was_packed(void) {
    e2e_home();
    E2E_EXIT(0, 0, "data info train.h5 --json");
    CU_ASSERT_EQUAL(e2e_json_number(e2e_output, "height"), 12);
    CU_ASSERT_EQUAL(e2e_json_number(e2e_output, "width"), 12);
    CU_ASSERT_EQUAL(e2e_json_number(e2e_output, "channels"), 1);
    E2E_SAID("\"samples\":90,\"height\"");
    E2E_SAID("\"type\":\"uint8\"");
    E2E_SAID("{\"name\":\"c0\",\"samples\":23},{\"name\":\"c1\",\"samples\":22}");
    E2E_EXIT(0, 0, "data info train.h5");
    E2E_SAID("12×12×1 uint8");
    E2E_EXIT(0, 2, "data verify train.h5");
    E2E_SAID("train.h5: good, 90 samples\n");
}

/* Means and deviations of every channel, however many there are. */
static void info_of_many_channels(void) {
    enum { SAMPLES = 6, SIDE = 4, CHANNELS = 20 };
    static unsigned char x[SAMPLES * SIDE * SIDE * CHANNELS], y[SAMPLES];
    const hsize_t dims[4] = {SAMPLES, SIDE, SIDE, CHANNELS};
    e2e_home();
    for (size_t i = 0; i < sizeof x; i++) x[i] = (unsigned char)(i % CHANNELS);
    hid_t file = H5Fcreate(e2e_path("bands.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 4, dims, x);
    hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, dims, y);
    H5Fclose(file);
    E2E_EXIT(0, 0, "data pack --format hdf5 bands.h5 bands-packed.h5");
    E2E_EXIT(0, 0, "data info bands-packed.h5 --json");
    E2E_SAID("\"mean\":[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19]");
    E2E_EXIT(0, 0, "data info bands-packed.h5");
    E2E_SAID(" 17 18 19\n");
}

/* gzip or plain, one file or many shards, deflated or not: the same data, so the same digest. */
static void packing_keeps_the_digest(void) {
    static const char *const ways[] = {"--deflate 4", "", "--overwrite --deflate 9"};
    char digest[64], *found, out[512];
    e2e_home();
    E2E_EXIT(0, 0, "data info train.h5 --json");
    found = strstr(e2e_output, "\"digest\"");
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    snprintf(digest, sizeof digest, "%.27s", found);
    CU_ASSERT_EQUAL(test_shell(out, sizeof out, "gzip -c '%s' > '%s'", e2e_path("train-x.idx"), e2e_path("x.idx.gz")),
                    0);
    for (size_t i = 0; i < COUNT(ways); i++) {
        E2E_EXIT(0, i == 1 ? 2 : 0, "data pack x.idx.gz train-y.idx way%zu.h5 --classes c0,c1,c2,c3 --json %s", i,
                 ways[i]);
        E2E_SAID(digest);
        E2E_EXIT(0, 0, "data verify way%zu.h5", i);
    }
}

static void existing_output_is_kept(void) {
    e2e_home();
    E2E_EXIT(0, 0, "data pack test-x.idx test-y.idx twice.h5");
    E2E_EXIT(2, 0, "data pack train-x.idx train-y.idx twice.h5");
    E2E_SAID("twice.h5: there is such a data set already");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    E2E_EXIT(0, 0, "data info twice.h5 --json");
    E2E_SAID("\"samples\":40");
    E2E_EXIT(0, 0, "data pack train-x.idx train-y.idx twice.h5 --overwrite");
    E2E_EXIT(0, 0, "data info twice.h5 --json");
    E2E_SAID("\"samples\":90");
}

static void a_set_is_cut_in_two(void) {
    e2e_home();
    E2E_EXIT(0, 2, "data split train.h5 some.h5 others.h5 --samples 20 --seed 3");
    E2E_SAID("some.h5: 20 samples\nothers.h5: 70 samples\n");
    E2E_EXIT(0, 0, "data info others.h5 --json");
    E2E_SAID("\"samples\":70,\"height\"");
    E2E_SAID("\"name\":\"c3\"");
    E2E_EXIT(0, 0, "data verify some.h5");
    E2E_EXIT(2, 0, "data split train.h5 some.h5 others.h5 --samples 20");
    E2E_SAID("some.h5: there is such a data set already");
    E2E_EXIT(2, 0, "data split train.h5 out.h5 others.h5");
    E2E_SAID("--samples is missing");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
}

/* ---- Bad input ---- */

static void copy_part(const char *from, const char *to, long size) {
    char out[512];
    CU_ASSERT_EQUAL(
        test_shell(out, sizeof out, "head -c %ld '%s' > '%s'", size, e2e_path("%s", from), e2e_path("%s", to)), 0);
}

static void flip_byte(const char *name, double at) {
    FILE *file = fopen(e2e_path("%s", name), "r+b");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fseek(file, 0, SEEK_END);
    long place = (long)(at * (double)ftell(file));
    fseek(file, place, SEEK_SET);
    int byte = fgetc(file);
    fseek(file, place, SEEK_SET);
    fputc(byte ^ 0x10, file);
    fclose(file);
}

static void set_label(const char *name, int value) {
    int labels[90];
    hid_t file = H5Fopen(e2e_path("%s", name), H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t y = H5Dopen2(file, "/y", H5P_DEFAULT);
    H5Dread(y, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels);
    labels[17] = value;
    CU_ASSERT(H5Dwrite(y, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels) >= 0);
    H5Dclose(y);
    H5Fclose(file);
}

static void make_bad_files(void) {
    unsigned char few[90] = {0};
    e2e_home();
    e2e_write_idx("few-y.idx", 2049, 89, 0, 0, few, 89);
    few[5] = 4;
    e2e_write_idx("high-y.idx", 2049, 90, 0, 0, few, 90);
    e2e_write_idx("magic-x.idx", 0x803 ^ 0x5000000, 90, 12, 12, few, 90);
    copy_part("train-x.idx", "short-x.idx", 5000);
    copy_part("train.h5", "short.h5", 3000);
    copy_part("train.h5", "flipped.h5", 1 << 20);
    flip_byte("flipped.h5", 0.6);
    copy_part("train.h5", "label.h5", 1 << 20);
    set_label("label.h5", 4);
    e2e_write("text.h5", "this is no data set\n", 20);
}

static const struct {
    const char *arguments;
    int code;
    const char *words[2];
} bad[] = {
    {"data pack none.idx train-y.idx out.h5", 3, {"none.idx"}},
    {"data pack train-x.idx none.idx out.h5", 3, {"none.idx"}},
    {"data pack magic-x.idx train-y.idx out.h5", 3, {"magic-x.idx"}},
    {"data pack train-y.idx train-x.idx out.h5", 3, {"train-y.idx"}},
    {"data pack short-x.idx train-y.idx out.h5", 3, {"short-x.idx"}},
    {"data pack train-x.idx few-y.idx out.h5", 3, {"90", "89"}},
    {"data pack train-x.idx high-y.idx out.h5 --classes a,b,c,d",
     3,
     {"high-y.idx: sample ", "--classes has too few names"}},
    {"data pack train-x.idx train-y.idx out.h5 --classes a,b,c,b", 2, {"\"b\" is there twice, 1 and 3"}},
    {"data pack train-x.idx train-y.idx out.h5 --classes a,,c,d", 2, {"name 1 is empty"}},
    {"data pack train-x.idx train-y.idx text.h5/out.h5", 0, {"text.h5"}},
    {"data info none.h5", 3, {"none.h5"}},
    {"data info text.h5", 3, {"text.h5"}},
    {"data info short.h5", 3, {"short.h5"}},
    {"data info label.h5", 3, {"label.h5", "4"}},
    {"data verify flipped.h5", 3, {"flipped.h5"}},
};

/* Code 0 above: any failure will do. Nothing is left behind by a failed packing. */
static void bad_data_is_refused(void) {
    make_bad_files();
    for (size_t i = 0; i < COUNT(bad); i++) {
        int code = e2e_convoy(i % 5 == 0 ? 2 : 0, "%s", bad[i].arguments);
        if (bad[i].code)
            e2e_expect_exit(bad[i].code, code, bad[i].arguments, 0);
        else
            CU_ASSERT_NOT_EQUAL(code, 0);
        for (int w = 0; w < 2 && bad[i].words[w]; w++) E2E_SAID(bad[i].words[w]);
        CU_ASSERT_EQUAL(e2e_error_lines(), 1);
        if (e2e_error_lines() != 1) fprintf(stderr, "\n    %s:\n%s", bad[i].arguments, e2e_output);
        CU_ASSERT_NOT_EQUAL(test_shell(e2e_output, sizeof e2e_output, "ls '%s' | grep '^out'", e2e_home()), 0);
    }
}

/* On a terminal a line says how far it is, and is gone at the end; in a file there is none. */
static void a_terminal_sees_how_far(void) {
    static const struct {
        const char *call, *says;
    } calls[] = {{"data verify train.h5", "verifying: 90 of 90 samples"},
                 {"data pack train-x.idx train-y.idx seen.h5 --overwrite", "packing: 90 of 90 samples"},
                 {"data split train.h5 seen-a.h5 seen-b.h5 --samples 30 --overwrite", "splitting: 90 of 90 samples"}};
    e2e_home();
    const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    CU_ASSERT_FATAL(terminal >= 0 && grantpt(terminal) == 0 && unlockpt(terminal) == 0);
    const int other_end = open(ptsname(terminal), O_RDWR | O_NOCTTY); /* what is written stays while this is open */
    for (size_t i = 0; i < COUNT(calls); i++) {
        char out[512], seen[1024], *end;
        E2E_EXIT(0, 0, "%s", calls[i].call);
        CU_ASSERT_FALSE(e2e_said(calls[i].says));
        CU_ASSERT_EQUAL(test_shell(out, sizeof out, "cd '%s' && ('%s' %s 2>'%s')", e2e_home(), test_program(),
                                   calls[i].call, ptsname(terminal)),
                        0);
        CU_ASSERT_EQUAL_FATAL(poll(&(struct pollfd){.fd = terminal, .events = POLLIN}, 1, 1000), 1);
        const ssize_t size = read(terminal, seen, sizeof seen - 1);
        seen[size > 0 ? size : 0] = '\0';
        end = strstr(seen, calls[i].says);
        CU_ASSERT_PTR_NOT_NULL_FATAL(end);
        CU_ASSERT_STRING_EQUAL(end + strlen(calls[i].says), "\r\033[K");
    }
    close(other_end);
    close(terminal);
}

static const struct test_case cases[] = {
    {"info tells what was packed", info_tells_what_was_packed},
    {"packing keeps the digest", packing_keeps_the_digest},
    {"means of many channels", info_of_many_channels},
    {"an existing output is kept", existing_output_is_kept},
    {"a set is cut in two", a_set_is_cut_in_two},
    {"bad data is refused by name", bad_data_is_refused},
    {"a terminal sees how far it is", a_terminal_sees_how_far},
    {0},
};
const struct test_suite suite_e2e_data = {"e2e_data", cases, NULL};
