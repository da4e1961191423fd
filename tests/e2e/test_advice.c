/* What is said to someone with files of their own and a README: it is true, and what it advises is the way out. */
#include <stdio.h>
#include <string.h>

#include "e2e.h"
#include "hdf5_help.h"

enum { COUNT_OWN = 60, SIDE = 6, CLASSES = 4 };

/* 60 samples of 6×6×1 with the classes 0 … 3 in turn, but `odd` for the last and `shift` more for all. */
static void write_own(const char *name, int shift, int odd) {
    static float x[COUNT_OWN * SIDE * SIDE];
    int y[COUNT_OWN];
    for (int i = 0; i < COUNT_OWN * SIDE * SIDE; i++) x[i] = (float)(i * 7 % 13 + i / (SIDE * SIDE) % CLASSES);
    for (int i = 0; i < COUNT_OWN; i++) y[i] = i % CLASSES + shift;
    if (odd >= 0) y[COUNT_OWN - 1] = odd;
    const hsize_t dims[4] = {COUNT_OWN, SIDE, SIDE, 1};
    hid_t file = H5Fcreate(e2e_path("%s", name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, dims, x);
    hdf5_put(file, "/y", H5T_STD_I32LE, H5T_NATIVE_INT, 1, dims, y);
    H5Fclose(file);
}

/* adv.yaml, whose data are adv.h5. */
static void write_experiment(void) {
    static const char text[] =
        "model: {input: [6, 6, 1], layers: [{conv: {filters: 2, kernel: 3}}, relu, {dense: 4}]}\n"
        "data: {train: adv.h5, test: adv.h5}\n"
        "train: {epochs: 1, batch: 20, leaf: 10, optimizer: sgd, learning_rate: 0.01}\n";
    e2e_home();
    write_own("adv.h5", 0, -1);
    e2e_write("adv.yaml", text, sizeof text - 1);
}

/* Made by the first test that needs it: the run adv. */
static void have_run(void) {
    static bool made;
    if (!made) write_experiment();
    if (!made) E2E_EXIT(0, 0, "train adv.yaml --run adv");
    made = true;
}

static void settings_without_effect(void) {
    have_run();
    E2E_EXIT(0, 0, "eval adv --y-scale 3");
    E2E_SAID("adv.h5: y_scale (--y-scale) has no effect: its targets are classes");
    E2E_EXIT(0, 0, "eval adv --y-layout nchw");
    E2E_SAID("adv.h5: y_layout (--y-layout) has no effect: it is of targets of four axes");
    E2E_EXIT(0, 0, "train adv.yaml --dry-run --run adv-idle --set data.test.y_scale=3 --set data.train.y_layout=nchw");
    E2E_SAID("y_scale (--y-scale) has no effect");
    E2E_SAID("y_layout (--y-layout) has no effect");
    E2E_EXIT(0, 0, "eval adv");
    CU_ASSERT(!e2e_said("has no effect"));
}

/* As eval, which refuses them. */
static void classes_that_a_prediction_lacks(void) {
    have_run();
    write_own("adv-from-one.h5", 1, -1);
    E2E_EXIT(0, 0, "predict adv adv-from-one.h5:3");
    E2E_SAID(
        "predicted without its targets: adv-from-one.h5: sample 3 has class 4, but the network tells 4 classes apart");
    CU_ASSERT(!e2e_said("true class 4"));
    E2E_EXIT(0, 0, "predict adv adv.h5:3");
    E2E_SAID("(true class 3)");
}

static void stray_label(void) {
    have_run();
    write_own("adv-stray.h5", 0, 7);
    E2E_EXIT(3, 0, "train adv.yaml --run adv-stray --set data.train=adv-stray.h5");
    E2E_SAID("sample 59 is the first of class 7, and 1 of 60 samples has one above 3");
}

/* Their files have one name. */
static void runs_that_differ(void) {
    have_run();
    E2E_EXIT(0, 0, "train adv.yaml --run adv-adam --set train.optimizer=adam");
    E2E_EXIT(1, 0, "ckpt diff adv adv-adam");
    E2E_SAID("only in adv-adam/checkpoints/step-00000003.h5");
    E2E_EXIT(1, 0, "ckpt diff adv adv-adam --json");
    E2E_SAID("only in adv-adam/checkpoints/step-00000003.h5");
    E2E_EXIT(0, 0, "train adv.yaml --run adv-adam --set train.optimizer=adam --set train.epochs=2 --resume");
    E2E_EXIT(1, 0, "ckpt diff adv adv-adam");
    E2E_SAID("only in step-00000006.h5");
}

/* One line, and no second cause that follows from the first. */
static void size_too_large(void) {
    have_run();
    E2E_EXIT(3, 0, "predict adv adv.h5:0 --size 100000x100000");
    E2E_SAID("input: 100000×100000×1 is too large");
    CU_ASSERT(e2e_error_lines() == 1 && !e2e_said("\\n") && !e2e_said("1×1"));
}

static void keys_of_a_model(void) {
    e2e_home();
    E2E_EXIT(2, 0, "describe %s/configs/models/resnet20.yaml --set parameters.classes=4", test_root());
    E2E_SAID("its model has: --set model.parameters.classes=4");
    E2E_EXIT(0, 0, "describe %s/configs/models/resnet20.yaml --set model.parameters.classes=4", test_root());
}

static void test_set_that_was_moved(void) {
    have_run();
    write_own("adv-moved.h5", 0, -1);
    E2E_EXIT(0, 0, "train adv.yaml --run adv-moved --set data.test=adv-moved.h5");
    CU_ASSERT_EQUAL(remove(e2e_path("adv-moved.h5")), 0);
    E2E_EXIT(3, 0, "eval adv-moved");
    E2E_SAID("adv-moved.h5: is the data.test of adv-moved/checkpoints/");
    E2E_SAID("name it, or another data set, with --data");
    E2E_EXIT(0, 0, "eval adv-moved --data adv.h5");
}

static void misspelt_parameter(void) {
    have_run();
    E2E_EXIT(2, 0, "train adv.yaml --run adv-typo --set init.from=adv --set 'init.except=[dense1/bais]'");
    E2E_SAID("did you mean \"dense1/bias\"?");
}

/* As after a divergence before the first checkpoint. */
static void run_without_checkpoints(void) {
    have_run();
    E2E_EXIT(0, 0, "train adv.yaml --run adv-bare");
    E2E_EXIT(2, 0, "train adv.yaml --run adv-bare");
    E2E_SAID("adv-bare already holds a run; add --resume to go on with it");
    CU_ASSERT_EQUAL(remove(e2e_path("adv-bare/checkpoints/step-00000003.h5")), 0);
    E2E_EXIT(2, 0, "train adv.yaml --run adv-bare");
    E2E_SAID("no checkpoint to go on from; add --resume to start it afresh");
    E2E_EXIT(0, 0, "train adv.yaml --run adv-bare --resume");
}

/* Pictures as targets: maps of bytes. */
static void maps_of_bytes(void) {
    static unsigned char y[COUNT_OWN * SIDE * SIDE];
    have_run();
    write_own("adv-maps.h5", 0, -1);
    for (int i = 0; i < COUNT_OWN * SIDE * SIDE; i++) y[i] = (unsigned char)(i * 31);
    const hsize_t dims[4] = {COUNT_OWN, SIDE, SIDE, 1};
    hid_t file = H5Fopen(e2e_path("adv-maps.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    hdf5_put(file, "/maps", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 4, dims, y);
    H5Fclose(file);
    E2E_EXIT(0, 0, "data pack --format hdf5 adv-maps.h5 adv-classes.h5 --y /maps --overwrite");
    E2E_SAID("maps of whole numbers, taken as classes; data pack --values takes them as values");
    E2E_EXIT(0, 0, "data pack --format hdf5 adv-maps.h5 adv-values.h5 --y /maps --values --overwrite");
    E2E_SAID("uint8 maps, scaled to 0 … 1");
}

static void parts_of_a_step(void) {
    have_run();
    E2E_EXIT(0, 0, "bench adv.yaml --batch 20 --time 0.2s");
    E2E_SAID("ms (median), ");
    E2E_SAID("the median of other steps, which were timed part by part");
}

/* Sets of no samples, and of labels that are no classes. */
static void write_odd(void) {
    static const long long labels[2] = {0, 25769803776};
    static const float x[2 * SIDE * SIDE];
    const hsize_t dims[4] = {2, SIDE, SIDE, 1}, none[4] = {0, SIDE, SIDE, 1};
    hid_t file = H5Fcreate(e2e_path("adv-odd.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, dims, x);
    hdf5_put(file, "/y", H5T_STD_I64LE, H5T_NATIVE_LLONG, 1, dims, labels);
    hdf5_put(file, "/none", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, none, x);
    H5Fclose(file);
}

static void words_for_mistakes(void) {
    static const struct {
        int code;
        const char *call, *said;
    } cases[] = {
        {2, "eval adv --scale 1e36", "expected a number above 0 and below 1e30, or 1/255"},
        {3, "eval adv --data adv-odd.h5 --x /none", "has shape [0][6][6][1]: it is empty\n"},
        {3, "eval adv --data adv-odd.h5", "sample 1 has class 25769803776, but the network tells 4 classes apart"},
        {3, "data info adv-odd.h5", "sample 1 has label 25769803776, too large for a class (0 to 16777215)"},
        {3, "predict adv adv.h5:", "adv.h5: behind the colon stand the numbers of samples, as in F.h5:0-9"},
        {3, "predict adv adv-one.txt", "(it begins with 78)"},
        {0, "ckpt list adv-cut", "damaged  adv-cut/checkpoints/step-00000003.h5: damaged: cut off after 0 bytes\n"},
    };
    have_run();
    write_odd();
    e2e_write("adv-one.txt", "x", 1);
    CU_ASSERT_EQUAL(test_shell(e2e_output, sizeof e2e_output,
                               "cd '%s' && mkdir -p adv-cut/checkpoints && : >adv-cut/checkpoints/step-00000003.h5",
                               e2e_home()),
                    0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        E2E_EXIT(cases[i].code, 0, "%s", cases[i].call);
        E2E_SAID(cases[i].said);
    }
}

/* Which has no name but its number, and needs none. */
static void one_value(void) {
    static const char text[] = "model: {input: [6, 6, 1], layers: [{dense: 1}]}\n"
                               "data: {train: adv.h5, test: adv.h5}\n"
                               "train: {epochs: 1, batch: 20, optimizer: sgd, learning_rate: 0.0001, loss: mse}\n";
    have_run();
    e2e_write("adv-one.yaml", text, sizeof text - 1);
    E2E_EXIT(0, 0, "train adv-one.yaml --run adv-one");
    E2E_EXIT(0, 0, "eval adv-one --json");
    CU_ASSERT(e2e_said("\"rmse\"") && !e2e_said("\"classes\""));
    E2E_EXIT(0, 0, "predict adv-one adv.h5:0");
    CU_ASSERT(e2e_count("  ") == 1 && !e2e_said("  0\n"));
    E2E_EXIT(0, 0, "ckpt info adv-one");
    E2E_SAID("1 epoch and 0 samples");
}

static const struct test_case cases[] = {
    {"settings without effect", settings_without_effect},
    {"classes that the network lacks, in predict", classes_that_a_prediction_lacks},
    {"a stray label is named", stray_label},
    {"what only one of two runs has", runs_that_differ},
    {"a size that is too large", size_too_large},
    {"keys of a model's file", keys_of_a_model},
    {"a test set that was moved", test_set_that_was_moved},
    {"a misspelt parameter", misspelt_parameter},
    {"a run without checkpoints", run_without_checkpoints},
    {"maps of bytes as targets", maps_of_bytes},
    {"what the phases of a step are of", parts_of_a_step},
    {"words for mistakes", words_for_mistakes},
    {"one value", one_value},
    {0},
};
const struct test_suite suite_e2e_advice = {.name = "e2e_advice", .cases = cases};
