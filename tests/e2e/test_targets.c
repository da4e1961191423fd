/* Targets other than a class a sample, through the real program: regression, several labels, maps of classes with
 * pixels that do not count, and inputs as targets. Each learns; the same bits on every number of ranks and across a
 * kill; the figures of eval do not depend on the ranks; what is wrong is said before step 0. */
#define _GNU_SOURCE
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e.h"
#include "hdf5_help.h"

enum { SIDE = 8, PIXELS = SIDE * SIDE, TRAIN = 90, TEST = 40, VOID = 255 };

/* ---- Data: quadrants that are lit or dark, with noise over them ---- */

static int lit(int sample, int quadrant) {
    return (sample * 5 + sample / 7) >> quadrant & 1;
}
static int quadrant_of(int pixel) {
    return pixel / SIDE / (SIDE / 2) * 2 + pixel % SIDE / (SIDE / 2);
}
static float bright(int sample, int pixel) {
    unsigned noise = (unsigned)(sample * PIXELS + pixel) * 2654435761u >> 8;
    return 0.2F * (float)(noise % 1024) / 1024 + 0.7F * (float)lit(sample, quadrant_of(pixel));
}

/* One file with all targets, as a user would have it: /x bytes, /values [n][2], /labels [n][4], /map [n][8][8], and
 * a class a sample, /y [n]: whether the first quadrant is lit; /unknown: labels of which some are -1; /soft [n][3] and
 * /softmap [n][8][8][2]: shares of three and two classes. */
static void write_set(const char *name, int first, int count) {
    static unsigned char x[TRAIN * PIXELS], map[TRAIN * PIXELS], labels[TRAIN * 4], upper[TRAIN];
    static float values[TRAIN * 2], soft[TRAIN * 3], shares[TRAIN * PIXELS * 2];
    static signed char unknown[TRAIN * 4];
    for (int i = 0; i < count; i++) {
        int sum = 0;
        for (int q = 0; q < 4; q++) sum += labels[i * 4 + q] = (unsigned char)lit(first + i, q);
        for (int q = 0; q < 4; q++) unknown[i * 4 + q] = (i + q) % 3 == 0 ? -1 : (signed char)labels[i * 4 + q];
        for (int c = 0; c < 3; c++) soft[i * 3 + c] = c == (sum < 2 ? sum : 2) ? 0.75F : 0.125F;
        upper[i] = (unsigned char)lit(first + i, 0);
        values[2 * i] = (float)sum / 4;
        values[2 * i + 1] = (float)(lit(first + i, 0) - lit(first + i, 3));
        for (int p = 0; p < PIXELS; p++) {
            const int q = quadrant_of(p);
            x[i * PIXELS + p] = (unsigned char)(255 * bright(first + i, p));
            shares[(i * PIXELS + p) * 2] = lit(first + i, q) ? 0.25F : 1;
            shares[(i * PIXELS + p) * 2 + 1] = lit(first + i, q) ? 0.75F : 0;
            map[i * PIXELS + p] = (unsigned char)(p == 9 ? VOID : lit(first + i, q) ? 1 + q % 2 : 0);
        }
    }
    const hsize_t n = (hsize_t)count, image[4] = {n, SIDE, SIDE, 1}, two[2] = {n, 2}, four[2] = {n, 4};
    const hsize_t of_three[2] = {n, 3}, pairs[4] = {n, SIDE, SIDE, 2};
    hid_t file = H5Fcreate(e2e_path("%s", name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 4, image, x);
    hdf5_put(file, "/values", H5T_IEEE_F64LE, H5T_NATIVE_FLOAT, 2, two, values);
    hdf5_put(file, "/labels", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 2, four, labels);
    hdf5_put(file, "/unknown", H5T_STD_I8LE, H5T_NATIVE_SCHAR, 2, four, unknown);
    hdf5_put(file, "/soft", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, of_three, soft);
    hdf5_put(file, "/softmap", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, pairs, shares);
    hdf5_put(file, "/map", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 3, image, map);
    hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, &n, upper);
    H5Fclose(file);
}

/* ---- Experiments ---- */

static const struct task {
    const char *name, *layers, *y, *more, *loss;
    const char *figure; /* that must be reached: at least, or for errors (negative) at most */
    double reached;
} tasks[] = {
    {"values", "{conv: {filters: 4, kernel: 3}}, relu, {dense: 2}", "y: /values", "", "{huber: {delta: 0.5}}", "rmse",
     -0.25},
    {"labels", "{conv: {filters: 4, kernel: 3}}, relu, {dense: 4}", "y: /labels", "", "logistic", "exact", 0.9},
    {"map", "{conv: {filters: 6, kernel: 5, padding: same}}, relu, {conv: {filters: 3, kernel: 5, padding: same}}",
     "y: /map", ", augment: [{pad_crop: 1}, flip]", "{softmax_cross_entropy: {ignore_label: 255}}", "top1", 0.65},
    {"unknown", "{conv: {filters: 4, kernel: 3}}, relu, {dense: 4}", "y: /unknown", "",
     "{logistic: {ignore_label: -1, pos_weight: [2, 1, 1, 0.5]}}", "exact", 0.9},
    {"soft", "{conv: {filters: 4, kernel: 3}}, relu, {dense: 3}", "y: /soft", "",
     "{softmax_cross_entropy: {label_smoothing: 0.05}}", "top1", 0.8},
    {"softmap", "{conv: {filters: 6, kernel: 5, padding: same}}, relu, {conv: {filters: 2, kernel: 5, padding: same}}",
     "y: /softmap", ", augment: [flip]", "{softmax_cross_entropy: {class_weights: [1, 2]}}", "top1", 0.8},
    {"inputs",
     "{conv: {filters: 4, kernel: 3, stride: 2, padding: same}}, relu, {conv_transpose: {filters: 1, kernel: 2, "
     "stride: "
     "2}}",
     "y: /none", ", target: input, augment: [flip, {pad_crop: 1}]", "mse", "psnr", 12},
};

static void write_task(const struct task *t, const char *file, const char *epochs) {
    char text[2048];
    int length = snprintf(text, sizeof text,
                          "name: %s\nmodel: {input: [8, 8, 1], layers: [%s]}\n"
                          "data: {train: {file: all-train.h5, %s}, test: {file: all-test.h5, %s}%s}\n"
                          "train: {epochs: %s, batch: 16, leaf: 4, loss: %s, optimizer: adam, learning_rate: 0.01}\n"
                          "checkpoint: {every: 4 steps}\nlog: {every: 1 step}\n",
                          t->name, t->layers, t->y, t->y, t->more, epochs, t->loss);
    e2e_write(file, text, (size_t)length);
}

static void write_all(void) {
    e2e_home();
    write_set("all-train.h5", 0, TRAIN);
    write_set("all-test.h5", 200, TEST);
}

/* ---- The tests ---- */

static void learns(const struct task *t) {
    double found = e2e_json_number(e2e_output, t->figure);
    bool good = t->reached > 0 ? found >= t->reached : found <= -t->reached;
    if (!good) fprintf(stderr, "\n    %s: %s is %g", t->name, t->figure, found);
    CU_ASSERT(good);
}

static void each_learns(void) {
    write_all();
    for (size_t i = 0; i < COUNT(tasks); i++) {
        char alone[8192];
        write_task(&tasks[i], "task.yaml", "12");
        E2E_EXIT(0, 0, "train task.yaml --run learn-%s --log-level error", tasks[i].name);
        E2E_EXIT(0, 0, "eval learn-%s --json", tasks[i].name);
        learns(&tasks[i]);
        strcpy(alone, e2e_stdout);
        E2E_EXIT(0, 3, "eval learn-%s --json", tasks[i].name);
        CU_ASSERT_STRING_EQUAL(e2e_stdout, alone);
        E2E_EXIT(0, 0, "eval learn-%s", tasks[i].name);
    }
}

/* The eval lines of a run, without what depends on time: they have nothing that does. */
static void eval_lines(const char *run, char *out, size_t room) {
    test_shell(out, room, "grep '\"kind\":\"eval\"' '%s'", e2e_path("%s/metrics.jsonl", run));
}

static void same_bits(void) {
    write_all();
    for (size_t i = 0; i < COUNT(tasks); i++) {
        char lines[4096], again[4096], run[64];
        write_task(&tasks[i], "task.yaml", "100000");
        snprintf(run, sizeof run, "bits-%s", tasks[i].name);
        struct e2e_job job = e2e_start(3, "train task.yaml --run %s --threads 1", run);
        CU_ASSERT(e2e_wait_for_step(run, 10));
        e2e_signal_rank(job, SIGKILL);
        e2e_expect_exit(137, e2e_wait(job), __FILE__, __LINE__);
        int last = e2e_newest_step(run) + 7;
        E2E_EXIT(0, 2, "train task.yaml --run %s --resume --steps %d --threads 1", run, last);
        E2E_EXIT(0, 0, "train task.yaml --run %s-alone --steps %d --threads 2 --log-level error", run, last);
        E2E_EXIT(0, 0, "ckpt diff %s %s-alone", run, run);
        E2E_SAID("bit-identical");
        eval_lines(run, lines, sizeof lines);
        snprintf(run, sizeof run, "bits-%s-alone", tasks[i].name);
        eval_lines(run, again, sizeof again);
        CU_ASSERT(strlen(lines) > 40);
        CU_ASSERT_STRING_EQUAL(lines, again);
    }
}

/* ---- Predicting ---- */

static void read_array(const char *file, const char *name, int rank, hsize_t *dims, float *out, size_t room) {
    hid_t h5 = H5Fopen(e2e_path("%s", file), H5F_ACC_RDONLY, H5P_DEFAULT), array = H5Dopen2(h5, name, H5P_DEFAULT);
    CU_ASSERT_FATAL(array >= 0);
    hid_t space = H5Dget_space(array);
    CU_ASSERT_EQUAL_FATAL(H5Sget_simple_extent_ndims(space), rank);
    H5Sget_simple_extent_dims(space, dims, NULL);
    CU_ASSERT_FATAL((size_t)H5Sget_simple_extent_npoints(space) <= room);
    CU_ASSERT(H5Dread(array, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0);
    H5Sclose(space);
    H5Dclose(array);
    H5Fclose(h5);
}

static void train_for_predictions(const char *name) {
    if (test_shell(e2e_output, sizeof e2e_output, "test -e '%s'", e2e_path("said-%s", name)) == 0) return;
    for (size_t i = 0; i < COUNT(tasks); i++) {
        if (strcmp(tasks[i].name, name) != 0) continue;
        write_task(&tasks[i], "task.yaml", "12");
        E2E_EXIT(0, 0, "train task.yaml --run said-%s --log-level error", name);
    }
}

static void predictions(void) {
    static float y[3 * PIXELS], scores[3 * PIXELS * 3];
    hsize_t dims[4];
    write_all();
    train_for_predictions("values");
    E2E_EXIT(0, 0, "predict said-values all-test.h5:0-2 --json --out said.h5 --overwrite");
    E2E_SAID("\"values\":[{\"name\":\"0\",\"index\":0,\"value\":");
    read_array("said.h5", "/y", 2, dims, y, 6);
    CU_ASSERT(dims[0] == 3 && dims[1] == 2 && fabs(y[0] - e2e_json_number(e2e_output, "value")) < 1e-6);
    train_for_predictions("labels");
    E2E_EXIT(0, 0, "predict said-labels all-test.h5:3 --json");
    E2E_SAID("\"probability\":");
    CU_ASSERT(!e2e_said("\"true\""));
    train_for_predictions("soft");
    E2E_EXIT(0, 0, "predict said-soft all-test.h5:3 --json");
    E2E_SAID("\"probability\":");
    CU_ASSERT(!e2e_said("\"true\""));
    train_for_predictions("map");
    E2E_EXIT(2, 0, "predict said-map all-test.h5:0");
    E2E_SAID("maps of 8×8×3");
    E2E_EXIT(0, 0, "predict said-map all-test.h5:0-2 --out said.h5 --overwrite");
    read_array("said.h5", "/y", 3, dims, y, COUNT(y));
    CU_ASSERT(dims[0] == 3 && dims[1] == SIDE && dims[2] == SIDE);
    read_array("said.h5", "/scores", 4, dims, scores, COUNT(scores));
    int right = 0;
    for (int p = 0; p < 3 * PIXELS; p++) {
        const float *s = scores + (size_t)3 * p;
        const int best = s[1] > s[0] ? s[2] > s[1] ? 2 : 1 : s[2] > s[0] ? 2 : 0;
        right += best == (int)y[p] && fabsf(s[0] + s[1] + s[2] - 1) < 1e-5F;
    }
    CU_ASSERT_EQUAL(right, 3 * PIXELS);
}

/* A sample whose class does not count is predicted like any other, and its label called so: of a user's file and
 * packed, whatever number stands for it. */
static void ignored_labels(void) {
    static const int marks[] = {-1, 255};
    e2e_home();
    for (int i = 0; i < 2; i++) {
        int y[4] = {0, 1, marks[i], 1};
        float x[4 * 4] = {0};
        char how[512];
        const hsize_t n = 4, two[2] = {4, 4};
        hid_t file = H5Fcreate(e2e_path("marked.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        for (int k = 0; k < 16; k++) x[k] = (float)(k % 5);
        hdf5_put(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, two, x);
        hdf5_put(file, "/y", H5T_STD_I32LE, H5T_NATIVE_INT, 1, &n, y);
        H5Fclose(file);
        const int length = snprintf(how, sizeof how,
                                    "model: {input: [1, 1, 4], layers: [{dense: 2}]}\ndata: {train: marked.h5}\n"
                                    "train: {batch: 4, loss: {softmax_cross_entropy: {ignore_label: %d}}}\n",
                                    marks[i]);
        e2e_write("marked.yaml", how, (size_t)length);
        E2E_EXIT(0, 0, "train marked.yaml --run marked%d", i);
        E2E_EXIT(0, 0, "data pack --format hdf5 marked.h5 marked-packed.h5 --overwrite --ignore-label %d", marks[i]);
        for (int packed = 0; packed < 2; packed++) {
            E2E_EXIT(0, 0, "predict marked%d marked%s.h5:0-3", i, packed ? "-packed" : "");
            E2E_SAID(".h5:2 (true class ignored)");
            E2E_SAID(".h5:3 (true class 1)");
            E2E_EXIT(0, 0, "predict marked%d marked%s.h5:2 --json", i, packed ? "-packed" : "");
            E2E_SAID("\"ignored\":true");
        }
    }
}

/* What the initial weights, which do not depend on the loss, say of four samples: float [4][2]. */
static void read_said(const char *loss, int outputs, float said[8]) {
    static int turn;
    char layers[32];
    hsize_t dims[4];
    snprintf(layers, sizeof layers, "{dense: %d}", outputs);
    const struct task task = {"said", layers, "y: /y", "", loss, "top1", 0};
    write_task(&task, "said.yaml", "1");
    E2E_EXIT(0, 0, "train said.yaml --run said-loss%d --steps 0 --log-level error", ++turn);
    E2E_EXIT(0, 0, "predict said-loss%d all-test.h5:0-3 --json --out said.h5 --overwrite", turn);
    read_array("said.h5", "/scores", 2, dims, said, 8);
    CU_ASSERT(dims[0] == 4 && dims[1] == 2);
}

/* A net trained by margins has scores and no probabilities; those of a likelihood are the softmax or the sigmoid of the
 * same scores. */
static void scores_of_margins(void) {
    float scores[8], probabilities[8], two[8], sure[8];
    write_all();
    read_said("hinge", 2, scores);
    E2E_SAID("\"score\":");
    CU_ASSERT(!e2e_said("probability"));
    read_said("softmax_cross_entropy", 2, probabilities);
    E2E_SAID("\"probability\":");
    read_said("squared_hinge", 1, two);
    E2E_SAID("\"score\":");
    read_said("logistic", 1, sure);
    for (int i = 0; i < 4; i++) {
        const float *s = scores + (size_t)2 * i;
        CU_ASSERT_DOUBLE_EQUAL(probabilities[2 * i + 1], 1 / (1 + exp(s[0] - s[1])), 1e-6);
        CU_ASSERT_EQUAL(two[2 * i], -two[2 * i + 1]);
        CU_ASSERT_DOUBLE_EQUAL(sure[2 * i + 1], 1 / (1 + exp(-two[2 * i + 1])), 1e-6);
    }
}

/* ---- Packed ---- */

/* A user's file, packed, is the same data: a network says the same of both. */
static void packed(void) {
    static const struct {
        const char *task, *how, *target, *name;
    } packs[] = {
        {"values", "--y /values --classes lit,side", "\"type\":\"values\",\"height\":1,\"width\":1,\"channels\":2",
         "\"name\":\"side\""},
        {"labels", "--y /labels --deflate 4", "\"type\":\"values\",\"height\":1,\"width\":1,\"channels\":4",
         "\"name\":\"3\""},
        {"unknown", "--y /unknown --ignore-label -1", "\"type\":\"values\",\"height\":1,\"width\":1,\"channels\":4",
         "\"ignore_label\":-1"},
        {"soft", "--y /soft --classes none,one,many", "\"type\":\"values\",\"height\":1,\"width\":1,\"channels\":3",
         "\"name\":\"many\""},
        {"map", "--y /map --ignore-label 255", "\"type\":\"classes\",\"height\":8,\"width\":8", "\"ignore_label\":255"},
    };
    write_all();
    for (size_t i = 0; i < COUNT(packs); i++) {
        char figures[4096];
        E2E_EXIT(0, 0, "data pack --format hdf5 all-test.h5 packed.h5 --overwrite --json %s", packs[i].how);
        E2E_SAID(packs[i].target);
        E2E_SAID(packs[i].name);
        E2E_EXIT(0, 0, "data verify packed.h5");
        train_for_predictions(packs[i].task);
        E2E_EXIT(0, 0, "eval said-%s --json", packs[i].task);
        strcpy(figures, e2e_stdout);
        E2E_EXIT(0, 0, "eval said-%s --data packed.h5 --json", packs[i].task);
        CU_ASSERT_STRING_EQUAL(e2e_stdout, figures);
        E2E_EXIT(0, 0, "data info packed.h5");
    }
    /* without its ignored class, which the message gives back */
    E2E_EXIT(0, 0, "data pack --format hdf5 all-test.h5 packed.h5 --overwrite --y /map");
    E2E_EXIT(3, 0, "eval said-map --data packed.h5");
    E2E_SAID("packed.h5 counts 255 as a class, which the loss ignores: pack it again with --ignore-label 255");
    E2E_EXIT(3, 0, "data pack --format hdf5 all-test.h5 other.h5 --y /nothing");
    E2E_EXIT(2, 0, "data pack --format hdf5 all-test.h5");
    E2E_EXIT(2, 0, "data pack --format hdf5 all-test.h5 all-test.h5 other.h5");
}

/* ---- What is wrong ---- */

static const struct {
    const char *task, *from, *to; /* in its experiment */
    int code;
    const char *words[4];
} bad[] = {
    {"values",
     "huber: {delta: 0.5}",
     "softmax_cross_entropy: {}",
     3,
     {"all-train.h5: sample 0 has a target that sums to 0", "softmax_cross_entropy takes distributions",
      "mse for values"}},
    {"values", "huber: {delta: 0.5}", "nll: {}", 3, {"bad.yaml:4:", "nll1", "1×1×2", "choose mse for values"}},
    {"values",
     "huber: {delta: 0.5}",
     "logistic: {}",
     3,
     {"all-train.h5: sample ", "logistic takes labels from 0 to 1"}},
    {"labels", "logistic", "softmax_cross_entropy", 3, {"all-train.h5: sample ", "choose logistic for several labels"}},
    {"unknown", "ignore_label: -1, ", "", 3, {"all-train.h5: sample 0 has -1 as a target", "as ignore_label"}},
    {"unknown", "[2, 1, 1, 0.5]", "[2, 1, 1]", 2, {"bad.yaml:4:", "pos_weight", "a list of 4"}},
    {"soft", "dense: 3", "dense: 4", 3, {"bad.yaml:4:", "end it with dense: 3", "distributions"}},
    {"soft", "label_smoothing: 0.05", "ignore_label: 2", 3, {"bad.yaml:4:", "ignore_label is a class", "drop it"}},
    {"inputs", "loss: mse", "loss: softmax_cross_entropy", 2, {"bad.yaml:4:", "data.target: input", "choose mse"}},
    {"values", "dense: 2", "dense: 3", 3, {"bad.yaml:4:", "huber1", "1×1×3", "all-train.h5 has 1×1×2 values"}},
    {"labels", "dense: 4", "dense: 5", 3, {"bad.yaml:4:", "logistic1", "1×1×5", "1×1×4 values"}},
    {"map",
     "filters: 3, kernel: 5",
     "filters: 3, stride: 2, kernel: 5",
     3,
     {"bad.yaml:4:", "4×4×3", "all-train.h5", "a map of 8×8 classes"}},
    {"map", "filters: 3,", "filters: 2,", 3, {"bad.yaml:4:", "3 classes", "tells 2 apart"}},
    {"map", "{ignore_label: 255}", "{}", 3, {"bad.yaml:4:", "256 classes", "tells 3 apart", "ignore_label"}},
    {"map", "softmax_cross_entropy: {ignore_label: 255}", "mse: {}", 3, {"bad.yaml:4:", "8×8×1 values", "8×8×3"}},
    {"values",
     "train: {file: all-train.h5, y: /values}",
     "train: {file: all-train.h5, y: /map}",
     3,
     {"bad.yaml:4:", "huber1", "all-train.h5 has 8×8×1 values"}},
    {"inputs", "filters: 1,", "filters: 3,", 3, {"bad.yaml:4:", "mse1", "8×8×3", "8×8×1 values"}},
    {"values",
     "learning_rate: 0.01",
     "learning_rate: {plateau: {value: 0.01, metric: top1}}",
     2,
     {"bad.yaml", "plateau goes by top1", "metric: loss"}},
    {"inputs", "target: input", "target: inputs", 2, {"bad.yaml:3:", "y|input"}},
};

static void bad_targets(void) {
    write_all();
    for (size_t i = 0; i < COUNT(bad); i++) {
        char text[2048], changed[2048];
        for (size_t t = 0; t < COUNT(tasks); t++)
            if (strcmp(tasks[t].name, bad[i].task) == 0) write_task(&tasks[t], "good.yaml", "2");
        e2e_read(e2e_path("good.yaml"), text, sizeof text);
        const char *found = strstr(text, bad[i].from);
        CU_ASSERT_PTR_NOT_NULL_FATAL(found);
        int length = snprintf(changed, sizeof changed, "%.*s%s%s", (int)(found - text), text, bad[i].to,
                              found + strlen(bad[i].from));
        e2e_write("bad.yaml", changed, (size_t)length);
        E2E_EXIT(bad[i].code, i % 4 == 0 ? 2 : 0, "train bad.yaml --run bad-target");
        for (int w = 0; w < 4 && bad[i].words[w]; w++) E2E_SAID(bad[i].words[w]);
        CU_ASSERT_EQUAL(e2e_error_lines(), 1);
        CU_ASSERT_EQUAL(e2e_newest_step("bad-target"), -1);
    }
}

/* Maps that were packed as classes are not what the same file is in place to a loss of values: it is said, and the
 * advice makes them so. */
static void packed_maps_of_values(void) {
    static const char text[] = "model: {input: [8, 8, 1], layers: [{conv: {filters: 1, kernel: 3, padding: same}}]}\n"
                               "data: {train: {file: all-train.h5, y: /map}}\n"
                               "train: {epochs: 1, batch: 16, leaf: 4, loss: mse, learning_rate: 0.0001}\n";
    write_all();
    e2e_write("maps.yaml", text, sizeof text - 1);
    E2E_EXIT(0, 0, "train maps.yaml --run maps-in-place");
    CU_ASSERT(!e2e_said("packed as classes"));
    E2E_EXIT(0, 0, "data pack --format hdf5 --y /map all-train.h5 maps.h5 --overwrite");
    E2E_EXIT(0, 0, "train maps.yaml --run maps-classes --set data.train=maps.h5");
    E2E_SAID("were packed as classes, 0 to 255");
    E2E_SAID("--values");
    E2E_EXIT(0, 0, "data pack --format hdf5 --y /map all-train.h5 maps.h5 --overwrite --values");
    E2E_EXIT(0, 0, "train maps.yaml --run maps-values --set data.train=maps.h5");
    CU_ASSERT(!e2e_said("packed as classes"));
    E2E_EXIT(0, 0, "ckpt diff maps-in-place maps-values");
}

static const struct test_case cases[] = {
    {"maps packed as classes, for a loss of values", packed_maps_of_values},
    {"each kind learns; eval says the same on 3 ranks", each_learns},
    {"same bits: 3 ranks, a kill, 2 ranks; 1 rank", same_bits},
    {"predictions: values, labels, maps", predictions},
    {"predictions of margins are scores", scores_of_margins},
    {"predictions of samples that do not count", ignored_labels},
    {"packed from HDF5", packed},
    {"targets that do not fit", bad_targets},
    {0},
};
const struct test_suite suite_e2e_targets = {"e2e_targets", cases, NULL};
