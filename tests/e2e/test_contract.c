/* The contract of a network's data, through the real program: files are read as the training's were, on their scale, or
 * refused by name; what is used in place trains like what is packed; all ranks must read the same. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e.h"
#include "hdf5_help.h"

enum { H = 6, W = 5, C = 3, FLOATS = H * W * C, TRAIN = 96, CLASSES = 2 };

/* ---- Data: brighter above or below, in bytes ---- */

static unsigned char byte_at(int sample, int i) {
    const unsigned noise = (unsigned)(sample * FLOATS + i) * 2654435761u >> 16;
    const bool upper = i / (W * C) < H / 2, above = sample % 2;
    return (unsigned char)(60 + noise % 100 + (upper == above ? 60 : 0));
}

/* A user's file in one type: `scale` · byte + `shift`. */
enum { UINT8, INT8, UINT16, INT32, FLOAT32, FLOAT64, FORMS };
static const struct form {
    const char *name;
    double scale, shift;
} forms[FORMS] = {
    [UINT8] = {"uint8", 1, 0},
    [INT8] = {"int8", 1, -128},
    [UINT16] = {"uint16", 257, 0},
    [INT32] = {"int32", 100, 0},
    [FLOAT32] = {"float32", 1.0 / 255, 0},
    [FLOAT64] = {"float64", 1.0 / 255, -0.5},
};

static hid_t type_of(int form) {
    const hid_t types[FORMS] = {[UINT8] = H5T_STD_U8LE,  [INT8] = H5T_STD_I8LE,      [UINT16] = H5T_STD_U16LE,
                                [INT32] = H5T_STD_I32LE, [FLOAT32] = H5T_IEEE_F32LE, [FLOAT64] = H5T_IEEE_F64LE};
    return types[form];
}

/* home/NAME with arrays x and, unless it is NULL, y; nchw: channels before rows. `shift`: of the labels. */
static void write_file(const char *name, int form, const char *x_name, const char *y_name, bool nchw, int shift) {
    static double x[TRAIN * FLOATS];
    int32_t y[TRAIN];
    for (int n = 0; n < TRAIN; n++) {
        y[n] = (n + shift) % CLASSES;
        for (int i = 0; i < FLOATS; i++) {
            const int pixel = i / C, to = nchw ? i % C * H * W + pixel : i;
            x[n * FLOATS + to] = forms[form].scale * byte_at(n, i) + forms[form].shift;
        }
    }
    const hsize_t n = TRAIN, rows[4] = {n, H, W, C}, planes[4] = {n, C, H, W};
    hid_t file = H5Fcreate(e2e_path("%s", name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, x_name, type_of(form), H5T_NATIVE_DOUBLE, 4, nchw ? planes : rows, x);
    if (y_name) hdf5_put(file, y_name, H5T_STD_I32LE, H5T_NATIVE_INT32, 1, &n, y);
    H5Fclose(file);
}

static void write_experiment(const char *data) {
    char text[1024];
    int length = snprintf(text, sizeof text,
                          "model: {input: [%d, %d, %d], layers: [{conv: {filters: 4, kernel: 3, padding: same}}, relu, "
                          "{dense: 2}]}\n"
                          "data: {%s}\n"
                          "train: {epochs: 8, batch: 16, leaf: 8, optimizer: adam, learning_rate: 0.01}\n",
                          H, W, C, data);
    e2e_write("contract.yaml", text, (size_t)length);
}

static bool all_right(void) {
    return fabs(e2e_json_number(e2e_output, "top1") - 1) < 1e-9;
}

/* Trains home/RUN where it is not there yet. */
static void train_on(const char *run, const char *data) {
    e2e_home();
    if (test_shell(e2e_output, sizeof e2e_output, "test -e '%s'", e2e_path("%s", run)) == 0) return;
    write_experiment(data);
    E2E_EXIT(0, 0, "train contract.yaml --run %s --log-level error", run);
    E2E_EXIT(0, 0, "eval %s --json", run);
    CU_ASSERT(all_right());
}

static void run_of(int form) {
    char file[32], run[32], data[96];
    snprintf(file, sizeof file, "in-%s.h5", forms[form].name);
    snprintf(run, sizeof run, "of-%s", forms[form].name);
    snprintf(data, sizeof data, "train: %s, test: %s", file, file);
    e2e_home();
    write_file(file, form, "/x", "/y", false, 0);
    train_on(run, data);
}

/* ---- The tests ---- */

static void in_place_as_packed(void) {
    for (int form = 0; form < FORMS; form++) {
        const char *name = forms[form].name;
        char data[128];
        run_of(form);
        E2E_EXIT(0, 0, "data pack --format hdf5 in-%s.h5 out-%s.h5 --overwrite", name, name);
        snprintf(data, sizeof data, "train: out-%s.h5, test: in-%s.h5", name, name);
        write_experiment(data);
        E2E_EXIT(0, 2, "train contract.yaml --run packed-%s --log-level error --threads 1", name);
        E2E_EXIT(0, 0, "ckpt diff of-%s packed-%s", name, name);
        E2E_SAID("bit-identical");
    }
}

/* One picture in every container: converted where that is certain, else refused with both ranges. */
static void scales(void) {
    static const struct {
        int trained, given;
        bool same;
    } cases[] = {{UINT8, FLOAT32, true},   {FLOAT32, UINT8, true},  {UINT8, INT8, false},    {UINT8, UINT16, false},
                 {UINT16, UINT8, false},   {INT8, UINT8, false},    {UINT8, FLOAT64, false}, {FLOAT64, UINT8, false},
                 {UINT16, FLOAT32, false}, {FLOAT32, INT32, false}, {INT8, FLOAT32, false}};
    for (int form = 0; form < FORMS; form++) run_of(form);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *run = forms[cases[i].trained].name, *file = forms[cases[i].given].name;
        E2E_EXIT(cases[i].same ? 0 : 3, i % 3 ? 0 : 2, "eval of-%s --data in-%s.h5 --json", run, file);
        CU_ASSERT(cases[i].same ? all_right() : e2e_said("its inputs are from") && e2e_said("trained on from"));
        E2E_EXIT(cases[i].same ? 0 : 3, 0, "predict of-%s in-%s.h5:0-3 --json", run, file);
    }
    E2E_EXIT(0, 0, "eval of-uint8 --data in-uint16.h5 --scale 1/257 --json"); /* as the message offers */
    CU_ASSERT(all_right());
    write_experiment("train: in-uint8.h5, test: {file: in-uint16.h5, scale: 1/257}");
    E2E_EXIT(0, 0, "train contract.yaml --run scaled-test --json --log-level error");
    CU_ASSERT(all_right());
    write_experiment("train: in-uint8.h5, test: in-uint16.h5");
    E2E_EXIT(3, 2, "train contract.yaml --run refused --log-level error");
    E2E_SAID("data.test.scale (--set data.test.scale=K)");
}

/* What differs for a reason is taken as it is, as the message offers: whole numbers around zero beside some above it.
 */
static void right_as_they_are(void) {
    static const char *const calls[] = {"eval ct --data above.h5", "predict ct above.h5:0-3"};
    enum { MANY = TRAIN * FLOATS };
    static double wide[MANY], above[MANY];
    int32_t y[TRAIN];
    e2e_home();
    for (int i = 0; i < MANY; i++) {
        wide[i] = 10 * byte_at(i / FLOATS, i % FLOATS) - 1000;
        above[i] = byte_at(i / FLOATS, i % FLOATS) - 60;
    }
    for (int n = 0; n < TRAIN; n++) y[n] = n % CLASSES;
    const hsize_t dims[4] = {TRAIN, H, W, C};
    for (int f = 0; f < 2; f++) {
        hid_t file = H5Fcreate(e2e_path(f ? "above.h5" : "ct.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        hdf5_put(file, "/x", H5T_STD_I16LE, H5T_NATIVE_DOUBLE, 4, dims, f ? above : wide);
        hdf5_put(file, "/y", H5T_STD_I32LE, H5T_NATIVE_INT32, 1, dims, y);
        H5Fclose(file);
    }
    train_on("ct", "train: ct.h5, test: ct.h5");
    for (size_t i = 0; i < COUNT(calls); i++) {
        E2E_EXIT(3, 0, "%s", calls[i]);
        E2E_SAID("that they are right as they are (1)");
        E2E_EXIT(0, 0, "%s --scale 1", calls[i]);
    }
    write_experiment("train: ct.h5, test: above.h5");
    E2E_EXIT(3, 0, "train contract.yaml --run ct-above --log-level error");
    E2E_EXIT(0, 0, "train contract.yaml --run ct-above --log-level error --set data.test='{file: above.h5, scale: 1}'");
    E2E_EXIT(0, 0, "eval ct-above");
}

/* home/NAME with inputs factor · (byte / 12 − 8) + shift, as `type`: -3 … about 10 for 1 and 0. */
static void write_numbers(const char *name, hid_t type, double factor, double shift) {
    static double x[TRAIN * FLOATS];
    int32_t y[TRAIN];
    const hsize_t dims[4] = {TRAIN, H, W, C};
    for (int i = 0; i < TRAIN * FLOATS; i++) x[i] = factor * (byte_at(i / FLOATS, i % FLOATS) / 12.0 - 8) + shift;
    for (int n = 0; n < TRAIN; n++) y[n] = n % CLASSES;
    hid_t file = H5Fcreate(e2e_path("%s", name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", type, H5T_NATIVE_DOUBLE, 4, dims, x);
    hdf5_put(file, "/y", H5T_STD_I32LE, H5T_NATIVE_INT32, 1, dims, y);
    H5Fclose(file);
}

enum verdict { TAKEN, WARNED_OF, NOT_TAKEN };

static void reads_others(enum verdict verdict) {
    static const char *const calls[] = {"eval numbers --data others.h5", "predict numbers others.h5:0-3",
                                        "train contract.yaml --dry-run"};
    write_experiment("train: numbers.h5, test: others.h5");
    for (size_t k = 0; k < COUNT(calls); k++) {
        E2E_EXIT(verdict == NOT_TAKEN ? 3 : 0, 0, "%s", calls[k]);
        CU_ASSERT_EQUAL(e2e_said("others.h5: its inputs are taken as "), verdict == WARNED_OF);
        CU_ASSERT_EQUAL(e2e_said("which no factor makes of them"), verdict == NOT_TAKEN);
    }
    E2E_EXIT(0, 0, "eval numbers --data others.h5 --scale 1"); /* as the messages offer */
    CU_ASSERT(!e2e_said("warning"));
}

/* Measured numbers of another range: refused without a value in common, else warned of in one line. */
static void other_ranges(void) {
    static const struct {
        double factor, shift;
        enum verdict verdict;
    } cases[] = {{1, 0, TAKEN},      {1.2, 0, TAKEN},    {0.1, 0, WARNED_OF}, {5, 0, WARNED_OF},    {1, 10, WARNED_OF},
                 {-1, 0, WARNED_OF}, {1, 20, NOT_TAKEN}, {-1, -7, NOT_TAKEN}, {0.1, -20, NOT_TAKEN}};
    e2e_home();
    write_numbers("numbers.h5", H5T_IEEE_F32LE, 1, 0);
    train_on("numbers", "train: numbers.h5, test: numbers.h5");
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_numbers("others.h5", H5T_IEEE_F32LE, cases[i].factor, cases[i].shift);
        reads_others(cases[i].verdict);
        write_experiment("train: others.h5}\ninit: {from: numbers");
        E2E_EXIT(0, 0, "train contract.yaml --run from-numbers-%zu --steps 0", i);
        E2E_SAID(cases[i].verdict == TAKEN ? "inputs are normalised as those of"
                                           : "inputs are normalised by their own statistics: those of");
    }
    E2E_EXIT(0, 0, "data split numbers.h5 few.h5 few-rest.h5 --samples 1 --overwrite");
    E2E_EXIT(0, 0, "eval numbers --data few.h5"); /* of the training itself */
}

/* Between numbers about zero and bytes no factor leads, and none is asked for; white as 1 is another scale of bytes. */
static void no_factor_leads(void) {
    run_of(UINT8);
    run_of(INT8);
    run_of(FLOAT64);
    E2E_EXIT(3, 0, "eval of-uint8 --data in-float64.h5");
    E2E_SAID("which no factor makes of them; give them on that scale");
    E2E_EXIT(3, 0, "eval of-uint8 --data in-uint16.h5");
    E2E_SAID("say with --scale K what they are to be multiplied by");
    write_experiment("train: in-int8.h5, test: in-uint8.h5");
    E2E_EXIT(3, 0, "train contract.yaml --run no-factor");
    E2E_SAID("which no factor makes of them");
    write_numbers("ones.h5", H5T_STD_U8LE, 0.09, 0.5); /* 0 and 1 */
    E2E_EXIT(3, 2, "eval of-uint8 --data ones.h5");
    E2E_SAID("its inputs are 0 and 1 alone, those that the network was trained on from about 60 to 219; say "
             "with --scale K which they are: 255 where 1 stands for white, 1 where they are as dark as that");
    E2E_EXIT(3, 0, "data verify ones.h5 --like of-uint8");
    E2E_SAID("its inputs are 0 and 1 alone");
    E2E_EXIT(0, 0, "eval of-uint8 --data ones.h5 --scale 255");
    E2E_EXIT(0, 0, "predict of-uint8 ones.h5:0 --scale 1");
    write_numbers("dark.h5", H5T_STD_U8LE, 0.5, 2); /* 0 … 7 */
    E2E_EXIT(0, 0, "eval of-uint8 --data dark.h5");
    E2E_SAID("warning: dark.h5: its inputs are taken as 0 to ");
}

static void names_and_layout(void) {
    static const char *const as[] = {"", " --layout nchw", " --x /images --y /labels --layout nchw"};
    e2e_home();
    write_file("named.h5", FLOAT32, "/images", "/labels", true, 0);
    write_file("bare.h5", FLOAT32, "/images", NULL, true, 0);
    write_file("plain.h5", FLOAT32, "/x", "/y", false, 0);
    train_on("named", "train: {file: named.h5, x: /images, y: /labels, layout: nchw}, "
                      "test: {file: named.h5, x: /images, y: /labels, layout: nchw}");
    E2E_EXIT(0, 0, "data pack --format hdf5 named.h5 repacked.h5 --x /images --y /labels --layout nchw --overwrite");
    for (size_t i = 0; i < COUNT(as); i++) {
        E2E_EXIT(0, 0, "eval named --data named.h5%s --json", as[i]);
        CU_ASSERT(all_right());
    }
    E2E_EXIT(0, 2, "eval named --data repacked.h5 --json"); /* a set of ours is read as it was written */
    CU_ASSERT(all_right());
    E2E_EXIT(0, 0, "eval named --data repacked.h5 --layout nchw --json"); /* … whatever others' layout is */
    CU_ASSERT(all_right());
    E2E_EXIT(3, 0, "eval named --data plain.h5");
    E2E_SAID("there are: /x, /y");
    E2E_SAID("--x /NAME");
    E2E_EXIT(0, 0, "eval named --data plain.h5 --x /x --y /y --layout nhwc --json");
    CU_ASSERT(all_right());
    E2E_EXIT(0, 0, "predict named bare.h5 --json");
    CU_ASSERT(e2e_said("bare.h5:95") && !e2e_said("\"true\""));
    E2E_EXIT(2, 0, "eval named --data named.h5 --layout chw");
    E2E_SAID("there are nhwc and nchw");
    /* without a network */
    E2E_EXIT(3, 0, "data info named.h5");
    E2E_EXIT(0, 0, "data info named.h5 --like named --json");
    E2E_SAID("\"height\":6,\"width\":5,\"channels\":3,\"type\":\"float32\"");
    E2E_EXIT(0, 0, "data verify named.h5 --like contract.yaml");
    E2E_EXIT(0, 0, "data info bare.h5 --x /images --layout nchw");
    E2E_EXIT(3, 0, "data info bare.h5 --x /images --y /labels --layout nchw");
    E2E_EXIT(0, 0, "data split named.h5 first.h5 rest.h5 --samples 30 --x /images --y /labels --layout nchw");
    E2E_EXIT(0, 0, "eval named --data first.h5 --json");
    CU_ASSERT(all_right() && e2e_json_number(e2e_output, "samples") == 30);
    /* without targets */
    E2E_EXIT(0, 0, "data split bare.h5 bare-first.h5 bare-rest.h5 --samples 30 --x /images --layout nchw");
    E2E_SAID("; bare-first.h5 is written without targets\n");
    E2E_EXIT(0, 0, "data pack --format hdf5 named.h5 forgotten.h5 --x /images --layout nchw");
    E2E_SAID("warning: named.h5: it has no data set /y (there are: ");
    E2E_SAID("/labels");
    E2E_SAID("; forgotten.h5 is written without targets\n");
    E2E_EXIT(0, 0, "predict named bare-rest.h5 --json");
    CU_ASSERT(e2e_said("bare-rest.h5:65") && !e2e_said("\"true\""));
    E2E_EXIT(3, 0, "data pack --format hdf5 bare.h5 bare-packed.h5 --x /images --layout nchw --classes a,b");
    E2E_SAID("it has no data set /y");
    E2E_EXIT(3, 0, "eval named --data bare-first.h5");
    E2E_SAID("it has no data set /y: it was packed without targets, to predict on (convoy predict); pack it again");
    E2E_EXIT(3, 0, "eval named --data bare.h5");
    E2E_SAID("so it has no targets; where they have another name, say it with --y /NAME");
}

/* Targets whose axes stand in another order than the inputs'. */
static void layout_of_targets(void) {
    static const char model[] = "model: {input: [6, 5, 3], layers: [{conv: {filters: 3, kernel: 3, padding: same}}]}\n"
                                "data: {train: {file: maps.h5, y: %s%s}}\n"
                                "train: {epochs: 2, batch: 16, leaf: 16, loss: mse, learning_rate: 0.01}\n";
    static float rows[TRAIN * FLOATS], planes[TRAIN * FLOATS];
    const hsize_t n = TRAIN, as_rows[4] = {n, H, W, C}, as_planes[4] = {n, C, H, W};
    char text[512];
    e2e_home();
    for (int i = 0; i < TRAIN * FLOATS; i++) {
        const int sample = i / FLOATS, pixel = i % FLOATS / C;
        rows[i] = (float)byte_at(sample, i % FLOATS) / 255;
        planes[sample * FLOATS + i % C * H * W + pixel] = rows[i];
    }
    hid_t file = H5Fcreate(e2e_path("maps.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, as_rows, rows);
    hdf5_put(file, "/rows", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, as_rows, rows);
    hdf5_put(file, "/planes", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, as_planes, planes);
    H5Fclose(file);
    e2e_write("maps.yaml", text, (size_t)snprintf(text, sizeof text, model, "/rows", ""));
    E2E_EXIT(0, 0, "train maps.yaml --run maps-rows --log-level error");
    e2e_write("maps.yaml", text, (size_t)snprintf(text, sizeof text, model, "/planes", ""));
    E2E_EXIT(3, 0, "train maps.yaml --run maps-turned");
    E2E_SAID("channels stand before rows in them: read them with y_layout: nchw (--y-layout nchw");
    E2E_EXIT(3, 0, "eval maps-rows --data maps.h5 --y /planes");
    E2E_SAID("read them with y_layout: nchw (--y-layout nchw");
    E2E_EXIT(3, 0, "eval maps-rows --data maps.h5 --y /rows --y-layout nchw");
    E2E_SAID("read them with y_layout: nhwc (--y-layout nhwc");
    e2e_write("maps.yaml", text, (size_t)snprintf(text, sizeof text, model, "/planes", ", y_layout: nchw"));
    E2E_EXIT(0, 0, "train maps.yaml --run maps-planes --log-level error");
    E2E_EXIT(0, 0, "ckpt diff maps-rows maps-planes");
    E2E_EXIT(0, 0, "data info maps.h5 --y /planes --y-layout nchw --json");
    E2E_SAID("\"target\":{\"type\":\"values\",\"height\":6,\"width\":5,\"channels\":3");
    E2E_EXIT(0, 0, "eval maps-rows --data maps.h5 --y /planes --y-layout nchw --json");
    E2E_EXIT(0, 0, "data pack --format hdf5 maps.h5 maps-packed.h5 --like maps-planes --overwrite --json");
    E2E_SAID("\"height\":6,\"width\":5,\"channels\":3");
    /* A packed set is as it was written: the file's name is all that changes in an experiment of what it was made of.
     */
    E2E_EXIT(0, 0,
             "train maps.yaml --run maps-packed --log-level error --set "
             "'data.train={file: maps-packed.h5, layout: nchw, y_layout: nchw}'");
    E2E_EXIT(0, 0,
             "train maps.yaml --run maps-packed2 --log-level error --set data.train=maps-packed.h5 --set "
             "'data.test={file: maps-packed.h5, layout: nchw}'");
    E2E_EXIT(0, 0, "ckpt diff maps-packed maps-packed2");
}

/* A trained network is as it is: other targets are what helps, not another end of it. */
static void targets_of_another_kind(void) {
    static const char model[] =
        "model: {input: [2, 2, 1], layers: [dense: %d]}\ndata: {train: {file: kinds.h5, y: %s}}\n"
        "train: {epochs: 1, batch: 4, loss: %s, learning_rate: 0.01}\n";
    static const struct {
        const char *run, *y, *said[2];
    } others[] = {
        {"value", "/three", {"kinds.h5 has 1×1×3 values a sample, and the network was trained on 1×1×1 values", "--y"}},
        {"value", "/texts", {"holds texts (sample 0 is \"a\"), and the network is trained on values", "--y"}},
        {"class", "/value", {"which is no class, and the network is trained on classes", "--y"}},
        {"class", "/map", {"kinds.h5 has a map of 2×2 classes a sample, and the network was trained on one", "--y"}}};
    static const float x[16] = {0.5F, 1, 0.25F}, values[4] = {0.5F, 1.5F, 2, 1}, three[12] = {0.5F, 2};
    static const int classes[4] = {0, 1, 1, 0}, map[16] = {0, 1};
    const hsize_t n[4] = {4, 2, 2, 1}, n3[2] = {4, 3};
    char text[512];
    e2e_home();
    hid_t file = H5Fcreate(e2e_path("kinds.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), texts = H5Tcopy(H5T_C_S1);
    H5Tset_size(texts, 2);
    hdf5_put(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, n, x);
    hdf5_put(file, "/value", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, n, values);
    hdf5_put(file, "/three", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, n3, three);
    hdf5_put(file, "/class", H5T_STD_I32LE, H5T_NATIVE_INT, 1, n, classes);
    hdf5_put(file, "/map", H5T_STD_I32LE, H5T_NATIVE_INT, 3, n, map);
    hdf5_put(file, "/texts", texts, texts, 1, n, "a\0b\0a\0b");
    H5Tclose(texts);
    H5Fclose(file);
    e2e_write("kinds.yaml", text, (size_t)snprintf(text, sizeof text, model, 1, "/value", "mse"));
    E2E_EXIT(0, 0, "train kinds.yaml --run value --log-level error");
    e2e_write("kinds.yaml", text, (size_t)snprintf(text, sizeof text, model, 2, "/class", "softmax_cross_entropy"));
    E2E_EXIT(0, 0, "train kinds.yaml --run class --log-level error");
    for (size_t i = 0; i < COUNT(others); i++) {
        E2E_EXIT(3, 0, "eval %s --data kinds.h5 --y %s", others[i].run, others[i].y);
        E2E_SAID(others[i].said[0]);
        E2E_SAID(others[i].said[1]);
        CU_ASSERT(!e2e_said("end it with") && !e2e_said("take a loss"));
    }
}

static void wrong_layout_is_named(void) {
    e2e_home();
    write_file("planes.h5", UINT8, "/x", "/y", true, 0);
    write_experiment("train: planes.h5");
    E2E_EXIT(3, 0, "train contract.yaml --run wrong");
    E2E_SAID("layout: nchw");
    write_experiment("train: {file: in-uint8.h5, layout: nchw}");
    run_of(UINT8);
    E2E_EXIT(3, 0, "eval of-uint8 --data planes.h5");
    E2E_SAID("--layout nchw");
    E2E_EXIT(3, 0, "predict of-uint8 planes.h5");
    E2E_SAID("--layout nchw");
    E2E_EXIT(3, 0, "eval of-uint8 --data in-uint8.h5 --layout nchw");
    E2E_SAID("--layout nhwc");
    E2E_EXIT(0, 0, "eval of-uint8 --data planes.h5 --layout nchw --json");
    CU_ASSERT(all_right());
    write_experiment("train: in-uint8.h5");
    E2E_EXIT(3, 0, "train contract.yaml --run wrong --set model.input=[3,6,5]");
    E2E_SAID("[height, width, channels]: write it in that order");
    E2E_EXIT(3, 0,
             "train contract.yaml --run wrong --set model.input=[3,6,5] --set data.train=planes.h5 "
             "--set data.train.layout=nchw");
    E2E_SAID("[height, width, channels]: write it in that order");
    const float rows[8 * 2] = {0};
    hid_t file = H5Fcreate(e2e_path("rows.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, (hsize_t[]){8, 2}, rows);
    hdf5_put(file, "/y", H5T_STD_I32LE, H5T_NATIVE_INT32, 1, (hsize_t[]){8}, (int32_t[8]){0, 1});
    H5Fclose(file);
    write_experiment("train: rows.h5");
    E2E_EXIT(3, 0, "train contract.yaml --run wrong --set 'model.input=[3, 1, 1]'");
    E2E_SAID("as [1, 1, c]");
    E2E_EXIT(3, 0, "train contract.yaml --run wrong --set 'model.input=[2, 1, 1]'");
    E2E_SAID("its samples are flattened");
}

/* Labels 1 and 2: refused by a network of two outputs, and told to one of three. */
static void labels_from_one(void) {
    int32_t y[TRAIN];
    const hsize_t n = TRAIN;
    run_of(UINT8);
    write_file("from-one.h5", UINT8, "/x", NULL, false, 0);
    for (int i = 0; i < TRAIN; i++) y[i] = 1 + i % 2;
    hid_t file = H5Fopen(e2e_path("from-one.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    hdf5_put(file, "/y", H5T_STD_I32LE, H5T_NATIVE_INT32, 1, &n, y);
    H5Fclose(file);
    E2E_EXIT(3, 0, "eval of-uint8 --data from-one.h5");
    E2E_SAID("where labels start at 1, subtract 1");
    write_experiment("train: from-one.h5");
    E2E_EXIT(3, 0, "train contract.yaml --run one");
    E2E_SAID("its labels are 1 to 2");
    E2E_EXIT(0, 0, "train contract.yaml --run one --set 'model.layers=[{dense: 3}]'");
    E2E_SAID("no sample has class 0");
    E2E_EXIT(0, 0, "train contract.yaml --run none --set data.train=in-uint8.h5");
    CU_ASSERT(!e2e_said("no sample has class 0"));
}

/* A file in place with these labels, of `type` (H5T_STD_I32LE, or texts of two letters). */
static void write_labels(const char *name, hid_t type, const void *labels) {
    const hsize_t n = TRAIN;
    write_file(name, UINT8, "/x", NULL, false, 0);
    hid_t file = H5Fopen(e2e_path("%s", name), H5F_ACC_RDWR, H5P_DEFAULT);
    hdf5_put(file, "/y", type, type, 1, &n, labels);
    H5Fclose(file);
}

/* What eval refuses, info and verify of the run's refuse. */
static void expect_refused(const char *run, const char *file, const char *words) {
    E2E_EXIT(3, 0, "eval %s --data %s", run, file);
    E2E_SAID(words);
    for (int info = 0; info < 2; info++) {
        E2E_EXIT(3, 0, "data %s %s --like %s", info ? "info" : "verify", file, run);
        E2E_SAID(words);
    }
}

static void labels_that_the_network_lacks(void) {
    int32_t numbers[TRAIN];
    char texts[TRAIN][2];
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, 2);
    run_of(UINT8); /* two classes */
    for (int i = 0; i < TRAIN; i++) numbers[i] = i % 3;
    write_labels("three.h5", H5T_NATIVE_INT32, numbers);
    expect_refused("of-uint8", "three.h5", "sample 2 has class 2, but the network tells 2 classes apart, 0 to 1");
    E2E_EXIT(0, 0, "data verify three.h5");
    E2E_EXIT(0, 0, "data pack --format hdf5 three.h5 three-packed.h5 --overwrite");
    expect_refused("of-uint8", "three-packed.h5",
                   "sample 2 has class 2, but the network tells 2 classes apart, 0 to 1");
    numbers[2] = 255;
    write_labels("void.h5", H5T_NATIVE_INT32, numbers);
    expect_refused("of-uint8", "void.h5", "train with ignore_label: 255 in the loss; else leave such samples out");
    /* words to a network that knows numbers; numbers to one that knows them as words */
    for (int i = 0; i < TRAIN; i++) memcpy(texts[i], i % 2 ? "b" : "a", 2);
    write_labels("words.h5", text, texts);
    expect_refused("of-uint8", "words.h5",
                   "the network was trained on numbers: give the same numbers here, or train on");
    for (int i = 0; i < TRAIN; i++) memcpy(texts[i], i % 2 ? "2" : "1", 2);
    write_labels("from-1.h5", text, texts);
    train_on("words", "train: from-1.h5, test: from-1.h5");
    expect_refused("words", "in-uint8.h5", "\"1\" is class 0 there; store them as texts here too, or as numbers there");
    E2E_EXIT(3, 0, "train contract.yaml --run never --set data.test=in-uint8.h5");
    E2E_SAID("from-1.h5 numbers are the names of classes");
    for (int i = 0; i < TRAIN; i++) memcpy(texts[i], i % 2 ? "1" : "0", 2);
    write_labels("digits.h5", text, texts); /* names that are the numbers */
    E2E_EXIT(0, 0, "eval of-uint8 --data digits.h5");
    CU_ASSERT(!e2e_said("by number"));
    H5Tclose(text);
}

/* Names on one side alone are no error, but told. */
/* What is ignored may have a name; then it has an output, too. */
static void names_that_are_ignored(void) {
    static const char *const ignoring = "--set 'train.loss={softmax_cross_entropy: {ignore_label: 3}}'";
    e2e_home();
    e2e_write_experiment("three.yaml", "- dense: 4\n", "- dense: 3\n");
    e2e_write_experiment("four.yaml", NULL, NULL);
    E2E_EXIT(3, 0, "train three.yaml --run ignored-name --steps 1 %s", ignoring);
    E2E_SAID("its class 3, which the loss ignores, has a name, and each class with a name has an output: end the "
             "network in 4");
    E2E_EXIT(0, 0, "train four.yaml --run ignored-name --steps 1 %s", ignoring);
}

static void names_beside_numbers(void) {
    run_of(UINT8);
    E2E_EXIT(0, 0, "data pack --format hdf5 in-uint8.h5 names.h5 --classes calm,storm --overwrite");
    E2E_EXIT(0, 0, "eval of-uint8 --data names.h5");
    E2E_SAID(
        "warning: names.h5: its classes have names, those of the network have none: they are taken by number, class "
        "0 as \"calm\"; ");
    E2E_EXIT(0, 0, "eval of-uint8 --data in-uint8.h5");
    CU_ASSERT(!e2e_said("taken by number"));
    train_on("names", "train: names.h5, test: names.h5");
    static const char *const calls[] = {"eval names --data", "predict names"};
    for (size_t i = 0; i < COUNT(calls); i++) {
        E2E_EXIT(0, i ? 0 : 2, "%s in-uint8.h5", calls[i]);
        E2E_SAID("warning: in-uint8.h5: its classes have no names, those of the network do");
    }
    for (int json = 0; json < 2; json++) {
        static const char note[] =
            "its classes have no names, those of the network do: they are taken by number, class 0 ";
        E2E_EXIT(0, 0, "data info in-uint8.h5 --like names%s", json ? " --json" : "");
        E2E_SAID(note);
        E2E_EXIT(0, 0, "data verify in-uint8.h5 --like names%s", json ? " --json" : "");
        E2E_SAID(note);
        E2E_EXIT(0, 0, "data verify in-uint8.h5 --like of-uint8%s", json ? " --json" : "");
        CU_ASSERT(!e2e_said("by number"));
    }
    /* held against a run's without evaluating it */
    E2E_EXIT(0, 0, "data pack --format hdf5 in-uint8.h5 turned.h5 --classes storm,calm --overwrite");
    E2E_EXIT(0, 0, "data info turned.h5 --like names --json");
    E2E_SAID("[{\"name\":\"calm\",\"samples\":48},{\"name\":\"storm\"");
    E2E_EXIT(0, 0, "data verify turned.h5 --like names");
    E2E_EXIT(0, 0, "data pack --format hdf5 in-uint8.h5 others.h5 --classes cat,dog --overwrite");
    for (int info = 0; info < 2; info++) {
        E2E_EXIT(3, 0, "data %s others.h5 --like names", info ? "info" : "verify");
        E2E_SAID("class 0 is \"calm\" in ");
        E2E_SAID("where they are other words for the same, pack it from labels that are numbers");
        E2E_EXIT(0, 0, "data %s others.h5", info ? "info" : "verify");
    }
    /* names are held against the run's whatever the size of the samples */
    hid_t file = H5Fcreate(e2e_path("small.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 4, (hsize_t[]){2, 1, 1, 3},
             (unsigned char[]){1, 2, 3, 4, 5, 6});
    hdf5_put(file, "/y", H5T_STD_I32LE, H5T_NATIVE_INT32, 1, (hsize_t[]){2}, (int32_t[]){0, 1});
    H5Fclose(file);
    E2E_EXIT(0, 0, "data pack --format hdf5 small.h5 small-named.h5 --classes cat,dog --overwrite");
    E2E_EXIT(3, 0, "data info small-named.h5 --like names");
    E2E_SAID("class 0 is \"calm\" in ");
    E2E_EXIT(0, 0, "data pack --format hdf5 small.h5 small-named.h5 --classes storm,calm --overwrite");
    E2E_EXIT(0, 0, "data info small-named.h5 --like names");
}

static void files_and_folders(void) {
    run_of(UINT8);
    test_shell(e2e_output, sizeof e2e_output,
               "cd '%s' && mkdir -p inputs && cp in-uint8.h5 inputs/b.h5 && "
               "cp in-uint8.h5 inputs/a.h5 && echo no > inputs/c.txt",
               e2e_path("."));
    E2E_EXIT(0, 0, "predict of-uint8 in-uint8.h5 inputs --top 1 --out all.h5");
    E2E_EXIT(0, 0, "predict of-uint8 inputs --top 1 --json --log-level error");
    CU_ASSERT(e2e_said("inputs/a.h5:95") && e2e_said("inputs/b.h5:0") && !e2e_said("c.txt"));
    E2E_EXIT(3, 0, "predict of-uint8 in-uint8.h5:90-96");
    E2E_SAID("no sample 96; it has 0 to 95");
    E2E_EXIT(2, 0, "predict of-uint8 in-uint8.h5:9-3");
    E2E_EXIT(3, 0, "predict of-uint8 nothing.h5");
    E2E_SAID("no such file");
}

/* A network without a dense layer is made to take other sizes; one with it says why not. */
static void other_sizes(void) {
    static const char model[] =
        "model: {input: [6, 5, 3], layers: [{conv: {filters: 4, kernel: 3, padding: same}}, relu, "
        "global_avgpool, {dense: 2}]}\n"
        "data: {train: in-uint8.h5}\ntrain: {epochs: 1, batch: 16, leaf: 16}\n";
    static unsigned char x[2 * 9 * 11 * C];
    const hsize_t large[4] = {2, 9, 11, C};
    run_of(UINT8);
    e2e_write("sizes.yaml", model, strlen(model));
    E2E_EXIT(0, 0, "train sizes.yaml --run sizes --log-level error");
    for (size_t i = 0; i < sizeof x; i++) x[i] = (unsigned char)(i * 7);
    hid_t file = H5Fcreate(e2e_path("large.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 4, large, x);
    H5Fclose(file);
    E2E_EXIT(0, 0, "predict sizes large.h5 --json");
    E2E_SAID("large.h5:1");
    E2E_EXIT(3, 0, "predict sizes large.h5 in-uint8.h5");
    E2E_SAID("one size at a time");
    E2E_EXIT(3, 0, "predict of-uint8 in-uint8.h5:0 large.h5"); /* alone it would not do either */
    E2E_SAID("resize its samples before");
    CU_ASSERT(!e2e_said("one size at a time"));
    hid_t turned = H5Fcreate(e2e_path("turned.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(turned, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 4, (hsize_t[]){2, W, H, C}, x);
    H5Fclose(turned);
    E2E_EXIT(3, 0, "predict of-uint8 turned.h5"); /* as many values, in other places */
    E2E_SAID("takes maps of 6×5×4 only");
    E2E_EXIT(3, 0, "predict of-uint8 large.h5");
    E2E_SAID("dense1/weight");
    E2E_SAID("resize its samples before (convoy does not), or take another network");
    E2E_EXIT(3, 0, "predict of-uint8 in-uint8.h5:0 --size 10x10");
    E2E_SAID("leave --size out: pictures are resized to the network's input");
    E2E_EXIT(3, 0, "predict sizes in-uint8.h5:0 --size 10x10");
    E2E_SAID("--size makes the network's input 10×10×3; only pictures are resized: leave --size out");
}

/* Inputs are normalised as the experiment says, when it says something. */
static void given_statistics(void) {
    run_of(UINT8);
    write_experiment("train: in-uint8.h5, mean: 0, std: [255, 255, 255]");
    E2E_EXIT(0, 0, "train contract.yaml --run given-a --log-level error");
    run_of(FLOAT32);
    write_experiment("train: in-uint8.h5, mean: [0, 0, 0], std: 255");
    E2E_EXIT(0, 0, "train contract.yaml --run given-b --log-level error");
    E2E_EXIT(0, 0, "ckpt diff given-a given-b");
    E2E_EXIT(1, 0, "ckpt diff given-a of-uint8");
    write_experiment("train: in-uint8.h5, mean: 0");
    E2E_EXIT(2, 0, "train contract.yaml --run given-c");
    E2E_SAID("data.mean and data.std, or neither");
    write_experiment("train: in-uint8.h5, mean: [0, 0], std: [1, 1]");
    E2E_EXIT(2, 2, "train contract.yaml --run given-c");
    E2E_SAID("contract.yaml:2:");
}

/* Weights that are taken over see inputs as they did: what eval says of the run, the new one begins with, whatever its
 * own data are, and on the other scale too. */
static void started_from_a_run(void) {
    static const char *const trains[] = {"dim.h5", "in-float32.h5"};
    double before;
    run_of(UINT8);
    run_of(FLOAT32);
    E2E_EXIT(0, 0, "data split in-uint8.h5 dim.h5 dim-rest.h5 --samples 7 --overwrite");
    E2E_EXIT(0, 0, "eval of-uint8 --json");
    before = e2e_json_number(e2e_output, "loss");
    for (int i = 0; i < 2; i++) {
        char data[256];
        snprintf(data, sizeof data, "train: %s, test: in-uint8.h5}\ninit: {from: of-uint8", trains[i]);
        write_experiment(data);
        E2E_EXIT(0, 2, "train contract.yaml --run from-%d --steps 0 --threads 1 --set train.batch=4 --set train.leaf=2",
                 i);
        E2E_SAID("inputs are normalised as those of");
        E2E_EXIT(0, 0, "eval from-%d --json", i);
        CU_ASSERT(fabs(e2e_json_number(e2e_output, "loss") - before) < 1e-5);
    }
    write_experiment("train: dim.h5, test: in-uint8.h5, mean: 0, std: 255}\ninit: {from: of-uint8");
    E2E_EXIT(0, 0, "train contract.yaml --run from-given --steps 0 --set train.batch=4 --set train.leaf=2");
    E2E_EXIT(0, 0, "eval from-given --json");
    CU_ASSERT(fabs(e2e_json_number(e2e_output, "loss") - before) > 1e-3);
}

/* ---- Ranks that read different copies ---- */

/* Rank 1 sees the folder `other` where rank 0 sees `copy`; false where this user may not mount. */
static bool write_wrapper(void) {
    static const char script[] = "#!/bin/sh\n[ \"$OMPI_COMM_WORLD_RANK\" = 1 ] && exec unshare -m sh -c 'mount --bind "
                                 "\"$0\" copy && exec \"$@\"' \"$OTHER\" \"$@\"\nexec \"$@\"\n";
    e2e_write("as-host.sh", script, strlen(script));
    return test_shell(e2e_output, sizeof e2e_output,
                      "cd '%s' && mkdir -p copy fewer labels inputs2 && chmod +x as-host.sh && "
                      "unshare -m mount --bind fewer copy",
                      e2e_path(".")) == 0;
}

static int on_two_hosts(const char *other, const char *words) {
    return test_shell(e2e_output, sizeof e2e_output,
                      "cd '%s' && OTHER='%s' timeout 60 %s ./as-host.sh '%s' %s --threads 1 --log-level error",
                      e2e_path("."), other, test_mpirun(2), test_program(), words);
}

static void ranks_that_differ(void) {
    static const char *const folders[] = {"copy", "fewer", "labels", "inputs2"};
    static const char *const said[] = {"", "96 samples", "targets with", "inputs with"};
    run_of(UINT8);
    if (!write_wrapper()) {
        fprintf(stderr, "\n    left out: this user may not mount, so all ranks see the same files ");
        return;
    }
    for (int i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s/set.h5", folders[i]);
        write_file(name, i == 3 ? INT8 : UINT8, "/x", "/y", false, i == 2);
    }
    E2E_EXIT(0, 0, "data split copy/set.h5 fewer/part.h5 fewer/rest.h5 --samples 48 --overwrite");
    test_shell(e2e_output, sizeof e2e_output, "cd '%s' && mv fewer/part.h5 fewer/set.h5", e2e_path("."));
    write_file("inputs2/set.h5", UINT16, "/x", "/y", false, 0);
    write_experiment("train: in-uint8.h5, test: copy/set.h5");
    for (int i = 1; i < 4; i++) {
        char words[64];
        CU_ASSERT_EQUAL(on_two_hosts(folders[i], "eval of-uint8 --data copy/set.h5"), 3);
        CU_ASSERT_EQUAL(e2e_error_lines(), 1);
        CU_ASSERT(e2e_said("rank 1"));
        snprintf(words, sizeof words, "train contract.yaml --run differ-%d", i);
        CU_ASSERT_EQUAL(on_two_hosts(folders[i], words), 3);
        CU_ASSERT_EQUAL(e2e_error_lines(), 1);
        CU_ASSERT(e2e_said("rank 1") && (i == 3 || e2e_said(said[i])));
    }
}

/* home/NAME with values as targets, of which one in the middle is told apart by `odd`. */
static void write_values(const char *name, float odd) {
    static unsigned char x[TRAIN * FLOATS];
    static float y[TRAIN * 2];
    for (int i = 0; i < TRAIN * FLOATS; i++) x[i] = byte_at(i / FLOATS, i % FLOATS);
    for (int i = 0; i < TRAIN * 2; i++) y[i] = (float)(i % 5) / 4;
    y[TRAIN + 4] += odd;
    hid_t file = H5Fcreate(e2e_path("%s", name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 4, (hsize_t[]){TRAIN, H, W, C}, x);
    hdf5_put(file, "/y", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, (hsize_t[]){TRAIN, 2}, y);
    H5Fclose(file);
}

/* All targets are compared, dense ones too. */
static void ranks_with_other_values(void) {
    e2e_home();
    if (!write_wrapper()) {
        fprintf(stderr, "\n    left out: this user may not mount, so all ranks see the same files ");
        return;
    }
    write_values("copy/set.h5", 0);
    write_values("labels/set.h5", 0.25F);
    write_experiment("train: copy/set.h5, test: copy/set.h5");
    E2E_EXIT(0, 2, "train contract.yaml --run of-values --log-level error --threads 1 --set train.loss=mse");
    CU_ASSERT_EQUAL(on_two_hosts("labels", "train contract.yaml --run of-others --set train.loss=mse"), 3);
    CU_ASSERT(e2e_error_lines() == 1 && e2e_said("rank 1") && e2e_said("targets with"));
    CU_ASSERT_EQUAL(on_two_hosts("labels", "eval of-values"), 3);
    CU_ASSERT(e2e_error_lines() == 1 && e2e_said("rank 1") && e2e_said("targets with"));
}

enum { MANY = 2000, BRIGHT = 1003 };

/* home/bright.h5, in which one sample has a bright pixel that no fixed selection of samples has, and
 * home/one-bright.h5, which is that sample and the next. */
static void write_bright(void) {
    static float x[MANY * FLOATS];
    static int32_t y[MANY];
    for (int n = 0; n < MANY; n++) {
        y[n] = n % CLASSES;
        for (int i = 0; i < FLOATS; i++) x[n * FLOATS + i] = (float)byte_at(n, i) / 255;
    }
    x[BRIGHT * FLOATS] = 7.5F;
    e2e_home();
    hid_t file = H5Fcreate(e2e_path("bright.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, (hsize_t[]){MANY, H, W, C}, x);
    hdf5_put(file, "/y", H5T_STD_I32LE, H5T_NATIVE_INT32, 1, (hsize_t[]){MANY}, y);
    H5Fclose(file);
    file = H5Fcreate(e2e_path("one-bright.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, (hsize_t[]){2, H, W, C}, x + BRIGHT * FLOATS);
    hdf5_put(file, "/y", H5T_STD_I32LE, H5T_NATIVE_INT32, 1, (hsize_t[]){2}, y + BRIGHT);
    H5Fclose(file);
}

/* Neither its extreme samples nor the others are refused. */
static void takes_its_own(const char *run) {
    E2E_EXIT(0, 0, "predict %s one-bright.h5 --json", run);
    E2E_EXIT(0, 0, "eval %s --data one-bright.h5 --json", run);
    E2E_EXIT(0, 0, "eval %s --data bright.h5 --json", run);
}

/* The range of a run that went on is that of all samples; and so is that with which its test set is compared. */
static void range_after_a_resume(void) {
    write_bright();
    write_experiment("train: bright.h5, test: one-bright.h5");
    E2E_EXIT(0, 0, "train contract.yaml --run bright --log-level error --steps 2");
    takes_its_own("bright");
    E2E_EXIT(0, 0, "train contract.yaml --run bright --log-level error --steps 4 --resume");
    takes_its_own("bright");
}

/* Nobody needs to ask for statistics: the samples are looked at for their range alone. */
static void range_beside_given_statistics(void) {
    static const char *const data[] = {"train: bright.h5, mean: 0, std: 1", "train: bright.h5}\ninit: {from: dull"};
    run_of(FLOAT32);
    write_bright();
    write_experiment("train: in-float32.h5");
    E2E_EXIT(0, 0, "train contract.yaml --run dull --log-level error --steps 2");
    for (int i = 0; i < 2; i++) {
        char run[16];
        snprintf(run, sizeof run, "given-norm-%d", i);
        write_experiment(data[i]);
        E2E_EXIT(0, i ? 2 : 0, "train contract.yaml --run %s --steps 2 --threads 1", run);
        CU_ASSERT(i == 0 || e2e_said("inputs are normalised as those of"));
        takes_its_own(run);
    }
}

/* A packed set says its range, as do both parts that it is cut into. */
static void range_of_packed_sets(void) {
    write_bright();
    E2E_EXIT(0, 0, "data pack --format hdf5 bright.h5 packed-bright.h5 --overwrite");
    E2E_EXIT(0, 0, "data split packed-bright.h5 bright-a.h5 bright-b.h5 --samples 900 --overwrite");
    E2E_EXIT(0, 0, "data info bright-b.h5 --json");
    E2E_SAID(",7.5]");
    E2E_EXIT(0, 0, "data info bright-a.h5");
    CU_ASSERT(e2e_said("range") && !e2e_said("7.5"));
    write_experiment("train: packed-bright.h5, test: one-bright.h5");
    E2E_EXIT(0, 0, "train contract.yaml --run packed-bright --log-level error --steps 2");
    takes_its_own("packed-bright");
    write_experiment("train: bright-b.h5");
    E2E_EXIT(0, 2, "train contract.yaml --run bright-b --log-level error --steps 2");
    takes_its_own("bright-b");
}

static void recorded_range(const char *run, int step, double out[2]) {
    hid_t file = H5Fopen(e2e_path("%s/checkpoints/step-%08d.h5", run, step), H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t range = H5Aopen_by_name(file, "/run", "x_range", H5P_DEFAULT, H5P_DEFAULT);
    out[0] = out[1] = 0;
    CU_ASSERT(H5Aread(range, H5T_NATIVE_DOUBLE, out) >= 0);
    H5Aclose(range);
    H5Fclose(file);
}

/* Of a set that nobody measured, as a packed one of before there were ranges, a run knows what it was trained on: the
 * same on any number of ranks, at every checkpoint, and whether or not it was interrupted. (By this seed rank 1 has the
 * bright sample.) */
static void range_seen_on_the_way(void) {
    enum { STEPS = MANY / 16, MIDDLE = 40 };
    double ends[2][2], middle[2][2];
    write_bright();
    E2E_EXIT(0, 0, "data pack --format hdf5 bright.h5 old-bright.h5 --overwrite");
    hid_t file = H5Fopen(e2e_path("old-bright.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    H5Adelete(file, "range");
    H5Adelete(file, "whole");
    H5Fclose(file);
    write_experiment("train: old-bright.h5}\nseed: 4\ncheckpoint: {every: 20 steps, keep: 20");
    E2E_EXIT(0, 0, "train contract.yaml --run seen-0 --log-level error --set train.epochs=1");
    takes_its_own("seen-0");
    E2E_EXIT(0, 2, "train contract.yaml --run seen-1 --log-level error --threads 1 --set train.epochs=1 --steps %d",
             MIDDLE + 3);
    E2E_EXIT(0, 2, "train contract.yaml --run seen-1 --log-level error --threads 1 --set train.epochs=1 --resume");
    takes_its_own("seen-1");
    for (int i = 0; i < 2; i++) {
        recorded_range(i ? "seen-1" : "seen-0", STEPS, ends[i]);
        recorded_range(i ? "seen-1" : "seen-0", MIDDLE, middle[i]);
    }
    CU_ASSERT(ends[0][1] == 7.5 && memcmp(ends[0], ends[1], sizeof ends[0]) == 0);
    CU_ASSERT(middle[0][0] < 0.25 && memcmp(middle[0], middle[1], sizeof middle[0]) == 0);
}

/* Other values anywhere in a file that is used in place are noticed when a run goes on, a copy elsewhere is as good. */
static void change_in_the_middle(void) {
    static const char *const arrays[] = {"/x", "/y", "/x"};
    e2e_home();
    for (int i = 0; i < 3; i++) {
        char data[128];
        write_values("changed.h5", 0);
        snprintf(data, sizeof data, i == 2 ? "train: changed.h5, target: input" : "train: changed.h5");
        write_experiment(data);
        const char *more = i == 2 ? "--set 'model.layers=[{conv: {filters: 3, kernel: 3, padding: same}}]'" : "";
        E2E_EXIT(0, 0, "train contract.yaml --run changed%d --log-level error --steps 2 --set train.loss=mse %s", i,
                 more);
        test_shell(e2e_output, sizeof e2e_output, "cp '%s' '%s'", e2e_path("changed.h5"), e2e_path("copied.h5"));
        E2E_EXIT(0, 2,
                 "train contract.yaml --run changed%d --log-level error --threads 1 --steps 4 --resume "
                 "--set train.loss=mse --set data.train=copied.h5 %s",
                 i, more);
        hid_t file = H5Fopen(e2e_path("changed.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
        hdf5_change(file, arrays[i], (hsize_t[4]){TRAIN / 2 + 1, 1, 2, 1}, 0);
        H5Fclose(file);
        E2E_EXIT(3, i == 1 ? 2 : 0,
                 "train contract.yaml --run changed%d --log-level error --threads 1 --steps 6 --resume "
                 "--set train.loss=mse %s",
                 i, more);
        CU_ASSERT(e2e_said("changed.h5: not what it was") && e2e_error_lines() == 1);
    }
}

/* What is found to be bad in the middle of training, by one rank: one message, and what was trained is saved. */
static void bad_in_the_middle(void) {
    write_bright();
    E2E_EXIT(0, 0, "data pack --format hdf5 bright.h5 damaged.h5 --overwrite");
    hid_t file = H5Fopen(e2e_path("damaged.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    hdf5_change(file, "/x", (hsize_t[4]){BRIGHT, 1, 2, 1}, 3);
    H5Fclose(file);
    write_experiment("train: damaged.h5");
    for (int ranks = 0; ranks <= 2; ranks += 2) {
        const char *run = ranks ? "damaged-2" : "damaged-0";
        E2E_EXIT(3, ranks, "train contract.yaml --run %s --threads 1 --set train.batch=2 --set train.leaf=1", run);
        CU_ASSERT(e2e_said("damaged.h5: /x: samples from") && e2e_error_lines() == 1);
        CU_ASSERT(e2e_newest_step(run) > 0 && e2e_newest_step(run) < MANY / 2);
        E2E_SAID("is saved");
    }
    E2E_EXIT(0, 0, "ckpt diff damaged-0 damaged-2");
    E2E_EXIT(3, 2, "train contract.yaml --run damaged-2 --resume --threads 1 --set train.batch=2 --set train.leaf=1");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
}

/* home/NAME whose targets are maps of `type`: the inputs' bytes at most `most`, times `times`. */
static void write_maps(const char *name, hid_t type, int most, double times) {
    static unsigned char x[TRAIN * FLOATS];
    static double y[TRAIN * FLOATS];
    const hsize_t dims[4] = {TRAIN, H, W, C};
    for (int i = 0; i < TRAIN * FLOATS; i++) {
        x[i] = byte_at(i / FLOATS, i % FLOATS);
        y[i] = x[i] * most / 255 * times;
    }
    hid_t file = H5Fcreate(e2e_path("%s", name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 4, dims, x);
    hdf5_put(file, "/y", type, H5T_NATIVE_DOUBLE, 4, dims, y);
    H5Fclose(file);
}

static double rmse_on(const char *run, const char *words) {
    E2E_EXIT(0, 0, "eval %s --json --data %s", run, words);
    return e2e_json_number(e2e_output, "rmse");
}

/* Targets are read as those of the training were: a file of uint8 maps does not say by itself what they are. */
static void scale_of_targets(void) {
    static const char model[] = "model: {input: [6, 5, 3], layers: [{conv: {filters: 3, kernel: 3, padding: same}}]}\n"
                                "data: {train: %s, test: %s}\n"
                                "train: {epochs: 2, batch: 16, leaf: 8, loss: mse, learning_rate: 0.01}\n";
    char text[512];
    e2e_home();
    write_maps("light.h5", H5T_STD_U8LE, 255, 1);
    write_maps("dark.h5", H5T_STD_U8LE, 2, 1); /* of 0 and 1 */
    write_maps("dark-shares.h5", H5T_IEEE_F32LE, 2, 1.0F / 255);
    write_maps("dark-masks.h5", H5T_IEEE_F32LE, 2, 1);
    write_maps("light-too.h5", H5T_STD_U8LE, 255, 1);
    write_maps("grey.h5", H5T_IEEE_F32LE, 255, 1);
    e2e_write("light.yaml", text, (size_t)snprintf(text, sizeof text, model, "light.h5", "dark.h5"));
    E2E_EXIT(0, 0, "train light.yaml --run light --json");
    E2E_SAID("are multiplied by 1/255, since the network was trained on uint8 maps from 60 to");
    const double tested = e2e_json_number(e2e_output, "rmse"), right = rmse_on("light", "dark-shares.h5");
    CU_ASSERT_DOUBLE_EQUAL(tested, right, 1e-9);
    CU_ASSERT_EQUAL(rmse_on("light", "dark.h5"), right);
    E2E_EXIT(0, 3, "eval light --json --data dark.h5");
    CU_ASSERT_EQUAL(e2e_json_number(e2e_output, "rmse"), right);
    CU_ASSERT_EQUAL(rmse_on("light", "dark.h5 --y-scale 1"), rmse_on("light", "dark-masks.h5"));
    CU_ASSERT(rmse_on("light", "dark-masks.h5") > right + 0.1);
    CU_ASSERT_EQUAL(rmse_on("light", "grey.h5"), rmse_on("light", "light.h5"));
    e2e_write("dark.yaml", text, (size_t)snprintf(text, sizeof text, model, "dark.h5", "light.h5"));
    E2E_EXIT(3, 2, "train dark.yaml --run dark");
    CU_ASSERT(e2e_said("light.h5: its targets are uint8 maps from") && e2e_error_lines() == 1);
    E2E_SAID("trained on uint8 maps from 0 to 1");
    E2E_SAID("data.test.y_scale (--set data.test.y_scale=K)");
    E2E_EXIT(0, 0, "train dark.yaml --run dark --set data.test='{file: light.h5, y_scale: 1/255}'");
    E2E_EXIT(3, 0, "eval dark --data light-too.h5");
    E2E_SAID("--y-scale K");
    E2E_EXIT(0, 0, "eval dark --data light-too.h5 --y-scale 1/255");
    E2E_EXIT(0, 0, "eval dark --data light.h5");
    E2E_EXIT(2, 0, "train dark.yaml --run dark-2 --set data.train='{file: dark.h5, y_scale: 1}'");
    E2E_SAID("data.train.y_scale: the training data make the scale");
    E2E_EXIT(0, 0, "data pack --format hdf5 dark.h5 dark-packed.h5 --values --overwrite");
    E2E_SAID("uint8 maps of 0 and 1, kept as they are");
    E2E_EXIT(0, 0, "data pack --format hdf5 dark.h5 dark-like.h5 --like light --overwrite");
    E2E_SAID("are multiplied by 1/255, since the network was trained on uint8 maps from 60 to");
    E2E_SAID("uint8 maps, multiplied by 1/255");
    CU_ASSERT_EQUAL(rmse_on("light", "dark-like.h5"), right);
    E2E_EXIT(0, 0, "data split dark.h5 dark-part.h5 dark-rest.h5 --samples 95 --like light --overwrite");
    CU_ASSERT_DOUBLE_EQUAL(rmse_on("light", "dark-part.h5"), right, right / 20);
    E2E_EXIT(0, 0, "data pack --format hdf5 dark.h5 dark-said.h5 --values --y-scale 1/255 --overwrite");
    CU_ASSERT_EQUAL(rmse_on("light", "dark-said.h5"), right);
    E2E_EXIT(0, 0, "data info dark.h5 --like light");
    E2E_SAID("uint8 maps, multiplied by 1/255");
    static const char *const calls[] = {"pack --format hdf5 light-too.h5 none.h5", "info light-too.h5",
                                        "verify light-too.h5", "split light-too.h5 none.h5 no.h5 --samples 3"};
    for (size_t i = 0; i < COUNT(calls); i++) {
        E2E_EXIT(3, 0, "data %s --like dark", calls[i]);
        E2E_SAID("light-too.h5: its targets are uint8 maps from");
        E2E_SAID("say with --y-scale K what they are to be multiplied by");
    }
    E2E_EXIT(0, 0, "data pack --format hdf5 light-too.h5 light-said.h5 --like dark --y-scale 1/255 --overwrite");
    CU_ASSERT_EQUAL(rmse_on("dark", "light-said.h5"), rmse_on("dark", "light-too.h5 --y-scale 1/255"));
}

/* A label that says that nothing is known is a mark, and no value that becomes another on the scale of the maps. */
static void marks_are_not_scaled(void) {
    enum { K = 2, MARK = 128, MAPS = TRAIN * H * W * K };
    static const char *const sets[] = {"white.h5", "ones-too.h5", "floats.h5"};
    static const char model[] = "model: {input: [6, 5, 3], layers: [{conv: {filters: 2, kernel: 3, padding: same}}]}\n"
                                "data: {train: %s}\n"
                                "train: {epochs: 1, batch: 16, leaf: 8, loss: {logistic: {ignore_label: 128}}}\n";
    static unsigned char x[TRAIN * FLOATS];
    static double y[MAPS];
    char text[512];
    e2e_home();
    for (int i = 0; i < TRAIN * FLOATS; i++) x[i] = byte_at(i / FLOATS, i % FLOATS);
    for (size_t s = 0; s < COUNT(sets); s++) {
        for (int i = 0; i < MAPS; i++) y[i] = i % 7 == 0 ? MARK : i % 3 == 0 ? s == 0 ? 255 : 1 : 0;
        hid_t file = H5Fcreate(e2e_path("%s", sets[s]), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        hdf5_put(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 4, (hsize_t[]){TRAIN, H, W, C}, x);
        hdf5_put(file, "/y", s == 2 ? H5T_IEEE_F32LE : H5T_STD_U8LE, H5T_NATIVE_DOUBLE, 4, (hsize_t[]){TRAIN, H, W, K},
                 y);
        H5Fclose(file);
        e2e_write("marks.yaml", text, (size_t)snprintf(text, sizeof text, model, sets[s]));
        E2E_EXIT(0, 0, "train marks.yaml --run marks-%zu", s);
        E2E_EXIT(0, 0, "ckpt diff marks-0 marks-%zu", s);
        E2E_EXIT(0, 0, "data pack --format hdf5 %s marks.h5 --like marks-0 --overwrite", sets[s]);
        E2E_EXIT(0, 0, "train marks.yaml --run marks-packed-%zu --set data.train=marks.h5", s);
        E2E_EXIT(0, 0, "ckpt diff marks-0 marks-packed-%zu", s);
    }
}

static const struct test_case cases[] = {
    {"a file used in place trains like its packed copy", in_place_as_packed},
    {"the same scale, converted, or refused", scales},
    {"another range, right as it is", right_as_they_are},
    {"other ranges of numbers", other_ranges},
    {"where no factor leads", no_factor_leads},
    {"names and layout are the training's, unless told", names_and_layout},
    {"targets in another layout", layout_of_targets},
    {"targets of another kind", targets_of_another_kind},
    {"a wrong layout is named", wrong_layout_is_named},
    {"labels that start at 1", labels_from_one},
    {"labels that the network lacks are refused alike", labels_that_the_network_lacks},
    {"names beside numbers", names_beside_numbers},
    {"names that are ignored", names_that_are_ignored},
    {"whole files and folders", files_and_folders},
    {"networks that take any size", other_sizes},
    {"statistics that are given", given_statistics},
    {"the range of a run that goes on", range_after_a_resume},
    {"the range beside given statistics", range_beside_given_statistics},
    {"the range of what was trained on", range_seen_on_the_way},
    {"the range of packed sets", range_of_packed_sets},
    {"weights keep the statistics that they know", started_from_a_run},
    {"ranks that read different copies are refused", ranks_that_differ},
    {"so are those with other values", ranks_with_other_values},
    {"a change in the middle of a file", change_in_the_middle},
    {"the scale of targets", scale_of_targets},
    {"labels that are not known are not scaled", marks_are_not_scaled},
    {"bad data in the middle of training", bad_in_the_middle},
    {0},
};
const struct test_suite suite_e2e_contract = {.name = "e2e_contract", .cases = cases};
