/* predict on pictures: what is behind transparent pixels, odd and damaged files. */
#define _GNU_SOURCE
#include <stdio.h>

#include <jpeglib.h>
#include <png.h>

#include <hdf5.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "e2e.h"
#include "hdf5_help.h"

enum { SIDE = 12, PIXELS = SIDE * SIDE };

/* A network that gives its input, in run `same`. */
static void make_network(void) {
    static bool made;
    static const char text[] = "model: {input: [12, 12, 1], layers: [{conv: {filters: 1, kernel: 1, init: one}}]}\n"
                               "data: {train: train.h5, target: input}\n"
                               "train: {batch: 16, leaf: 4, loss: mse}\n";
    e2e_home();
    if (made) return;
    made = true;
    e2e_write("same.yaml", text, sizeof text - 1);
    E2E_EXIT(0, 0, "train same.yaml --run same --steps 0");
}

/* What the network made of the first input, on the scale of bytes. */
static void read_outputs(const char *name, double values[PIXELS]) {
    hid_t file = H5Fopen(e2e_path("%s", name), H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t array = H5Dopen2(file, "/y", H5P_DEFAULT);
    CU_ASSERT(array >= 0 && H5Dread(array, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(array);
    H5Fclose(file);
    double mean[2] = {0}, std[2] = {0}; /* predictions are of normalised inputs */
    file = H5Fopen(e2e_path("train.h5"), H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t a = H5Aopen(file, "mean", H5P_DEFAULT), b = H5Aopen(file, "std", H5P_DEFAULT);
    CU_ASSERT(H5Aread(a, H5T_NATIVE_DOUBLE, mean) >= 0 && H5Aread(b, H5T_NATIVE_DOUBLE, std) >= 0);
    H5Aclose(a);
    H5Aclose(b);
    H5Fclose(file);
    for (int i = 0; i < PIXELS; i++) values[i] = values[i] * std[0] + mean[0];
}

/* What cannot be helped is told alone: no scale would make two channels of a picture, and what is not predicted is not
 * predicted without its targets. */
static void first_things_first(void) {
    static const char model[] = "model: {input: [12, 12, 2], layers: [{dense: 2}]}\n"
                                "data: {train: two.h5}\ntrain: {batch: 4, epochs: 1}\n";
    static float x[8 * PIXELS * 2];
    const hsize_t n[4] = {8, SIDE, SIDE, 2}, small[4] = {8, 2, 2, 2};
    const int classes[8] = {0, 1, 0, 1, 0, 1, 0, 1};
    const float halves[8] = {0.5F};
    unsigned char pixels[PIXELS] = {0};
    e2e_home();
    for (int i = 0; i < 8 * PIXELS * 2; i++) x[i] = (float)(i % 7) - 3;
    hid_t file = H5Fcreate(e2e_path("two.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, n, x);
    hdf5_put(file, "/y", H5T_STD_I32LE, H5T_NATIVE_INT, 1, n, classes);
    hdf5_put(file, "/halves", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, n, halves);
    hdf5_put(file, "/small", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, small, x);
    H5Fclose(file);
    e2e_write("two.yaml", model, sizeof model - 1);
    E2E_EXIT(0, 0, "train two.yaml --run two --log-level error");
    png_image image = {.version = PNG_IMAGE_VERSION, .width = SIDE, .height = SIDE, .format = PNG_FORMAT_GRAY};
    CU_ASSERT(png_image_write_to_file(&image, e2e_path("grey.png"), 0, pixels, 0, NULL));
    E2E_EXIT(3, 0, "predict two grey.png");
    E2E_SAID("an image has 1 or 3 channels, the network wants 2");
    CU_ASSERT_FALSE(e2e_said("--scale"));
    E2E_EXIT(3, 0, "predict two two.h5 --x /small --y /halves");
    E2E_SAID("two.h5: inputs of 2×2×2, the network takes 12×12×2");
    CU_ASSERT_FALSE(e2e_said("without its targets"));
    E2E_EXIT(0, 0, "predict two two.h5:0 two.h5:2 --y /halves");
    CU_ASSERT_EQUAL(e2e_count("predicted without its targets"), 1);
}

static void backgrounds(void) {
    static const struct {
        const char *option;
        int behind; /* as grey */
    } given[] = {{"", 0}, {"--background 255", 255}, {"--background '#ff0000'", 76}, {"--background 7", 7}};
    static const char *const bad[] = {"256", "-1", "red", "'#ff00'", "''"};
    unsigned char pixels[PIXELS * 2];
    double values[PIXELS];
    make_network();
    for (int i = 0; i < PIXELS; i++) pixels[2 * i] = (unsigned char)(i + 50), pixels[2 * i + 1] = i % 2 ? 255 : 51;
    png_image image = {.version = PNG_IMAGE_VERSION, .width = SIDE, .height = SIDE, .format = PNG_FORMAT_GA};
    CU_ASSERT(png_image_write_to_file(&image, e2e_path("alpha.png"), 0, pixels, 0, NULL));
    for (size_t i = 0; i < COUNT(given); i++) {
        E2E_EXIT(0, 0, "predict same alpha.png --out alpha.h5 --overwrite %s", given[i].option);
        read_outputs("alpha.h5", values);
        for (int p = 0; p < PIXELS; p++) {
            const double own = p + 50, seen = p % 2 ? own : 0.2 * own + 0.8 * given[i].behind;
            CU_ASSERT(fabs(values[p] - seen) <= 1);
        }
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        E2E_EXIT(2, 0, "predict same alpha.png --out bad.h5 --background=%s", bad[i]);
        E2E_SAID("expected a grey from 0 to 255, or #rrggbb");
    }
}

static void read_inputs(const char *name, char names[2][16]) {
    hid_t file = H5Fopen(e2e_path("%s", name), H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t array = H5Dopen2(file, "/inputs", H5P_DEFAULT), space = H5Dget_space(array), type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, 16);
    H5Tset_cset(type, H5T_CSET_UTF8);
    CU_ASSERT_EQUAL_FATAL(H5Sget_simple_extent_npoints(space), 2);
    CU_ASSERT(H5Dread(array, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, names) >= 0);
    H5Tclose(type);
    H5Sclose(space);
    H5Dclose(array);
    H5Fclose(file);
}

static void write_jpeg(const char *name) {
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    unsigned char row[SIDE];
    FILE *file = fopen(e2e_path("%s", name), "wb");
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_stdio_dest(&info, file);
    info.image_width = info.image_height = SIDE;
    info.input_components = 1;
    info.in_color_space = JCS_GRAYSCALE;
    jpeg_set_defaults(&info);
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < SIDE) {
        JSAMPROW line = row;
        for (int x = 0; x < SIDE; x++) row[x] = (unsigned char)(x * 20 + (int)info.next_scanline);
        jpeg_write_scanlines(&info, &line, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    fclose(file);
}

static void odd_and_damaged(void) {
    static char bytes[8192];
    make_network();
    write_jpeg("plain.jpg");
    FILE *file = fopen(e2e_path("plain.jpg"), "rb");
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    char *version = memmem(bytes, size, "JFIF", 5);
    CU_ASSERT_PTR_NOT_NULL_FATAL(version);
    e2e_write("cut.jpg", bytes, size - 40);
    version[5] = 2; /* JFIF 2.01 */
    e2e_write("odd.jpg", bytes, size);
    E2E_EXIT(0, 0, "predict same plain.jpg --out plain.h5");
    CU_ASSERT(!e2e_said("plain.jpg: read, but it is odd"));
    E2E_EXIT(0, 0, "predict same odd.jpg --out odd.h5");
    E2E_SAID("odd.jpg: read, but it is odd");
    double plain[PIXELS], odd[PIXELS];
    read_outputs("plain.h5", plain);
    read_outputs("odd.h5", odd);
    CU_ASSERT(memcmp(plain, odd, sizeof plain) == 0);
    E2E_EXIT(3, 0, "predict same cut.jpg --out cut.h5");
    E2E_SAID("cut.jpg: damaged JPEG file: Premature end of JPEG file");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    CU_ASSERT_NOT_EQUAL(access(e2e_path("cut.h5"), F_OK), 0);
    /* between good ones, which are predicted all the same */
    E2E_EXIT(3, 0, "predict same plain.jpg cut.jpg odd.jpg cut.jpg --out past-cut.h5 --json --log-level error");
    CU_ASSERT_EQUAL(e2e_error_lines(), 2);
    CU_ASSERT(strstr(e2e_stdout, "\"failed\":[\"cut.jpg: damaged") != NULL);
    CU_ASSERT(strstr(e2e_stdout, "\"out\":\"past-cut.h5\"") != NULL);
    char names[2][16] = {"", ""};
    read_inputs("past-cut.h5", names);
    CU_ASSERT_STRING_EQUAL(names[0], "plain.jpg");
    CU_ASSERT_STRING_EQUAL(names[1], "odd.jpg");
}

/* What pictures are multiplied by is told of the first that is read. */
static void scale_of_what_is_read(void) {
    static float x[32 * PIXELS];
    make_network();
    write_jpeg("plain.jpg");
    test_shell(e2e_output, sizeof e2e_output,
               "cd '%s' && head -c 300 plain.jpg >a-cut.jpg && cp plain.jpg b.jpg && cp plain.jpg c.jpg", e2e_home());
    for (int i = 0; i < 32 * PIXELS; i++) x[i] = (float)(i % 256) / 255;
    hid_t file = H5Fcreate(e2e_path("fractions.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, (hsize_t[]){32, SIDE, SIDE, 1}, x);
    H5Fclose(file);
    E2E_EXIT(0, 0, "train same.yaml --run fractions --steps 0 --set data.train=fractions.h5");
    E2E_EXIT(3, 0, "predict fractions a-cut.jpg b.jpg c.jpg --out fractions-out.h5");
    CU_ASSERT_EQUAL(e2e_count("are multiplied by 1/255"), 1);
    E2E_SAID("b.jpg: its inputs, 0 to 255, are multiplied by 1/255");
    E2E_EXIT(3, 0, "predict fractions a-cut.jpg --out fractions-none.h5");
    CU_ASSERT(!e2e_said("are multiplied by"));
}

/* What cannot be read is named and counted, wherever it stands; the others are predicted. */
static void bad_among_good(void) {
    static const struct {
        const char *call, *why;
    } calls[] = {
        {"empty.png plain.jpg", "empty.png: is an empty file"},
        {"text.jpg plain.jpg", "text.jpg: neither a PNG nor a JPEG file (it begins with 74 65 78 74)"},
        {"nothere.png plain.jpg", "nothere.png: no such file"},
        {"nothere plain.jpg", "nothere: no such file"},
        {"train.h5:90 plain.jpg", "train.h5: no sample 90; it has 0 to 89"},
        {"other.h5 plain.jpg", "other.h5"},
        {"mixed", "mixed/text.JPEG: neither a PNG nor a JPEG file"},
        {"mixed", "mixed/empty.png: is an empty file"},
        {"mixed", "mixed/other.h5"},
        {"mixed", "mixed/broken.h5: "},
    };
    make_network();
    write_jpeg("plain.jpg");
    e2e_write("empty.png", "", 0);
    e2e_write("text.jpg", "text", 4);
    hid_t file = H5Fcreate(e2e_path("other.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/pictures", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 2, (hsize_t[]){1, 2}, (unsigned char[]){1, 2});
    H5Fclose(file);
    test_shell(e2e_output, sizeof e2e_output,
               "cd '%s' && mkdir -p mixed && cp empty.png other.h5 mixed && cp text.jpg mixed/text.JPEG && "
               "cp text.jpg mixed/broken.h5 && cp plain.jpg mixed && echo notes >mixed/notes.txt",
               e2e_home());
    for (size_t i = 0; i < COUNT(calls); i++) {
        E2E_EXIT(3, 0, "predict same %s plain.jpg --out mixed.h5 --overwrite --json", calls[i].call);
        E2E_SAID(calls[i].why);
        CU_ASSERT_EQUAL(e2e_error_lines(), strcmp(calls[i].call, "mixed") ? 1 : 4);
        char names[2][16] = {"", ""};
        read_inputs("mixed.h5", names);
        CU_ASSERT(strstr(names[0], "plain.jpg") != NULL);
        CU_ASSERT(!e2e_said("notes.txt"));
    }
}

/* Pictures of formats that are not read are not just counted. */
static void other_formats(void) {
    make_network();
    write_jpeg("plain.jpg");
    e2e_write("one.gif", "GIF89a", 6);
    E2E_EXIT(3, 0, "predict same one.gif --out gif.h5");
    E2E_SAID("one.gif: neither a PNG nor a JPEG file (it begins with 47 49 46 38), but a GIF picture; where Python has "
             "Pillow, python3 -c ");
    test_shell(e2e_output, sizeof e2e_output,
               "cd '%s' && mkdir -p 'of all' gifs && cp one.gif gifs/1.gif && cp one.gif gifs/2.gif && cp plain.jpg "
               "one.gif 'of all' && printf 'MM\\0*' >'of all/z.tif' && echo notes >'of all/notes.txt'",
               e2e_home());
    E2E_EXIT(0, 0, "predict same plain.jpg --out gif.h5 --overwrite --y /y");
    E2E_SAID("have no effect, as no data set is among the inputs");
    E2E_EXIT(3, 0, "predict same gifs --out gif.h5 --overwrite");
    E2E_SAID(
        "gifs: there is no PNG, JPEG or HDF5 file in this folder, but 2 pictures of formats that are not read (GIF; "
        "the first is gifs/1.gif); ");
    E2E_SAID(" gifs/*.gif makes PNG of it");
    E2E_EXIT(0, 0, "predict same 'of all' --out gif.h5 --overwrite");
    E2E_SAID("warning: of all: passed over are 2 pictures of formats that are not read (GIF, TIFF; the first is of "
             "all/one.gif); ");
    E2E_SAID(" 'of all'/*.gif 'of all'/*.tif makes PNG of it");
    E2E_SAID("of all: 1 entry that is no input is passed over");
}

static const struct test_case cases[] = {
    {"what cannot be helped is told first", first_things_first},
    {"what is behind transparent pixels", backgrounds},
    {"odd files are read, cut ones are not", odd_and_damaged},
    {"scale is told of what is read", scale_of_what_is_read},
    {"bad files among good ones", bad_among_good},
    {"pictures of other formats are named", other_formats},
    {0},
};
const struct test_suite suite_e2e_pictures = {"e2e_pictures", cases, NULL};
