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

/* own.yaml, whose data are own.h5. */
static void write_experiment(void) {
    static const char text[] =
        "model: {input: [6, 6, 1], layers: [{conv: {filters: 2, kernel: 3}}, relu, {dense: 4}]}\n"
        "data: {train: own.h5, test: own.h5}\n"
        "train: {epochs: 1, batch: 20, leaf: 10, optimizer: sgd, learning_rate: 0.01}\n";
    e2e_home();
    write_own("own.h5", 0, -1);
    e2e_write("own.yaml", text, sizeof text - 1);
}

/* Made by the first test that needs it: the run own. */
static void have_run(void) {
    static bool made;
    if (!made) write_experiment();
    if (!made) E2E_EXIT(0, 0, "train own.yaml --run own");
    made = true;
}

static void settings_without_effect(void) {
    have_run();
    E2E_EXIT(0, 0, "eval own --y-scale 3");
    E2E_SAID("own.h5: y_scale (--y-scale) has no effect: its targets are classes");
    E2E_EXIT(0, 0, "eval own --y-layout nchw");
    E2E_SAID("own.h5: y_layout (--y-layout) has no effect: it is of targets of four axes");
    E2E_EXIT(0, 0, "train own.yaml --dry-run --run idle --set data.test.y_scale=3 --set data.train.y_layout=nchw");
    E2E_SAID("y_scale (--y-scale) has no effect");
    E2E_SAID("y_layout (--y-layout) has no effect");
    E2E_EXIT(0, 0, "eval own");
    CU_ASSERT(!e2e_said("has no effect"));
}

/* As eval, which refuses them. */
static void classes_that_a_prediction_lacks(void) {
    have_run();
    write_own("from-one.h5", 1, -1);
    E2E_EXIT(0, 0, "predict own from-one.h5:3");
    E2E_SAID("predicted without its targets: from-one.h5: sample 3 has class 4, but the network tells 4 classes apart");
    CU_ASSERT(!e2e_said("true class 4"));
    E2E_EXIT(0, 0, "predict own own.h5:3");
    E2E_SAID("(true class 3)");
}

static void stray_label(void) {
    have_run();
    write_own("stray.h5", 0, 7);
    E2E_EXIT(3, 0, "train own.yaml --run stray --set data.train=stray.h5");
    E2E_SAID("sample 59 is the first of class 7, and 1 of 60 samples has one above 3");
}

/* Their files have one name. */
static void runs_that_differ(void) {
    have_run();
    E2E_EXIT(0, 0, "train own.yaml --run adam --set train.optimizer=adam");
    E2E_EXIT(1, 0, "ckpt diff own adam");
    E2E_SAID("only in adam/checkpoints/step-00000003.h5");
    E2E_EXIT(1, 0, "ckpt diff own adam --json");
    E2E_SAID("only in adam/checkpoints/step-00000003.h5");
    E2E_EXIT(0, 0, "train own.yaml --run adam --set train.optimizer=adam --set train.epochs=2 --resume");
    E2E_EXIT(1, 0, "ckpt diff own adam");
    E2E_SAID("only in step-00000006.h5");
}

static const struct test_case cases[] = {
    {"settings without effect", settings_without_effect},
    {"classes that the network lacks, in predict", classes_that_a_prediction_lacks},
    {"a stray label is named", stray_label},
    {"what only one of two runs has", runs_that_differ},
    {0},
};
const struct test_suite suite_e2e_advice = {.name = "e2e_advice", .cases = cases};
