/* HDF5 files of other people, through the real program: labels in every form train like class numbers do, to the bit;
 * what is missing, unreadable or no number is refused by name; packing can be stopped. */
#define _GNU_SOURCE
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "e2e.h"
#include "hdf5_help.h"

enum { N = 96, SIDE = 6, PIXELS = SIDE * SIDE, CLASSES = 3 };

static int class_of(int sample) {
    return (sample * 5 + sample / 7) % CLASSES;
}

static float bright(int sample, int pixel) {
    unsigned noise = (unsigned)(sample * PIXELS + pixel) * 2654435761U >> 8;
    return 0.3F * (float)(noise % 1024) / 1024 + (pixel / 12 == class_of(sample) ? 0.7F : 0.0F);
}

static hid_t begin_set(const char *name, hid_t x_type, int bad, float value) {
    static float x[N * PIXELS];
    for (int i = 0; i < N * PIXELS; i++) x[i] = bright(i / PIXELS, i % PIXELS);
    if (bad >= 0) x[bad * PIXELS + 5] = value;
    hid_t file = H5Fcreate(e2e_path("%s", name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", x_type, H5T_NATIVE_FLOAT, 4, (hsize_t[]){N, SIDE, SIDE, 1}, x);
    return file;
}

/* ---- Labels ---- */

static const struct {
    const char *name;
    bool floats;
    int rank, k;
    double add;
} forms[] = {
    {"ints.h5", false, 1, 1, 0},      {"floats.h5", true, 1, 1, 0},          {"column.h5", true, 2, 1, 0},
    {"rows.h5", true, 2, CLASSES, 0}, {"int-rows.h5", false, 2, CLASSES, 0}, {"halves.h5", true, 1, 1, 0.5},
};

static void write_labels(void) {
    e2e_home();
    for (size_t f = 0; f < COUNT(forms); f++) {
        double y[N * CLASSES];
        const int k = forms[f].k;
        for (int i = 0; i < N * k; i++) y[i] = forms[f].add + (k > 1 ? class_of(i / k) == i % k : class_of(i));
        hid_t file = begin_set(forms[f].name, H5T_IEEE_F32LE, -1, 0);
        hdf5_put(file, "/y", forms[f].floats ? H5T_IEEE_F32LE : H5T_STD_I64LE, H5T_NATIVE_DOUBLE, forms[f].rank,
                 (hsize_t[]){N, (hsize_t)k}, y);
        H5Fclose(file);
    }
    static const char *const words[CLASSES] = {"ant", "bee", "cat"};
    const char *y[N];
    for (int i = 0; i < N; i++) y[i] = words[class_of(i)];
    hid_t text = H5Tcopy(H5T_C_S1), file = begin_set("names.h5", H5T_IEEE_F32LE, -1, 0);
    H5Tset_size(text, H5T_VARIABLE);
    hdf5_put(file, "/y", text, text, 1, (hsize_t[]){N}, y);
    H5Fclose(file);
    for (int i = 0; i < N; i++) y[i] = words[class_of(i) ? class_of(i) : 1]; /* no ants */
    file = begin_set("fewer-names.h5", H5T_IEEE_F32LE, -1, 0);
    hdf5_put(file, "/y", text, text, 1, (hsize_t[]){N}, y);
    H5Fclose(file);
    H5Tclose(text);
}

static int train(const char *set, const char *test, const char *run, int ranks) {
    char text[512];
    int length = snprintf(text, sizeof text,
                          "model: {input: [6, 6, 1], layers: [{dense: 3}]}\n"
                          "data: {train: %s, test: %s}\n"
                          "train: {epochs: 3, batch: 16, leaf: 4, learning_rate: 0.2}\n",
                          set, test);
    e2e_write("forms.yaml", text, (size_t)length);
    return e2e_convoy(ranks, "train forms.yaml --run %s --threads 1 --log-level error", run);
}

static void labels_in_every_form(void) {
    static const char *const same[] = {"floats.h5", "column.h5", "rows.h5", "int-rows.h5", "names.h5"};
    write_labels();
    E2E_EXIT(0, 0, "--version");
    CU_ASSERT_EQUAL(train("ints.h5", "ints.h5", "form-ints", 0), 0);
    for (size_t i = 0; i < COUNT(same); i++) {
        char run[64];
        snprintf(run, sizeof run, "form-%zu", i);
        e2e_expect_exit(0, train(same[i], same[i], run, i == 2 ? 3 : 0), same[i], 0);
        E2E_EXIT(0, 0, "ckpt diff form-ints %s", run);
        E2E_SAID("bit-identical");
    }
    CU_ASSERT_EQUAL(train("halves.h5", "halves.h5", "form-halves", 0), 3);
    E2E_SAID("halves.h5: sample 0 has");
    E2E_SAID("which is no class");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
}

/* Names are numbered by the training set's, wherever they are read; what it does not know is refused. */
static void names_keep_their_numbers(void) {
    write_labels();
    CU_ASSERT_EQUAL(train("names.h5", "fewer-names.h5", "form-names", 0), 0);
    E2E_EXIT(0, 0, "eval form-names --data names.h5 --json");
    CU_ASSERT(e2e_json_number(e2e_output, "top1") > 0.9);
    E2E_EXIT(0, 0, "eval form-names --data fewer-names.h5");
    E2E_EXIT(0, 0, "predict form-names names.h5:0-2 --top 1");
    E2E_SAID("ant");
    CU_ASSERT_EQUAL(train("fewer-names.h5", "names.h5", "form-unknown", 0), 3);
    E2E_SAID("is named \"ant\"");
    E2E_EXIT(0, 0, "data pack --format hdf5 fewer-names.h5 packed-names.h5 --overwrite");
    CU_ASSERT_EQUAL(train("names.h5", "packed-names.h5", "form-other", 0), 0);
    E2E_EXIT(0, 0, "eval form-names --data fewer-names.h5 --json");
    const double top1 = e2e_json_number(e2e_output, "top1");
    E2E_EXIT(0, 2, "eval form-names --data packed-names.h5 --json");
    CU_ASSERT_EQUAL(e2e_json_number(e2e_output, "top1"), top1);
    E2E_EXIT(0, 0, "data pack --format hdf5 packed-names.h5 repacked-names.h5 --overwrite --classes cat,ant,bee");
    E2E_EXIT(0, 0, "eval form-names --data repacked-names.h5 --json");
    CU_ASSERT_EQUAL(e2e_json_number(e2e_output, "top1"), top1);
    E2E_EXIT(0, 0, "data pack --format hdf5 ints.h5 other-names.h5 --overwrite --classes x,y,z");
    E2E_EXIT(3, 0, "data pack --format hdf5 fewer-names.h5 renamed.h5 --classes ant,x");
    E2E_SAID("name it in --classes, too: these are the words that the file has");
    E2E_EXIT(3, 0, "eval form-names --data other-names.h5");
    E2E_SAID("class 0 is \"ant\"");
    E2E_EXIT(0, 0, "predict form-names other-names.h5:0-2");
    E2E_SAID("predicted without its targets");
    CU_ASSERT_EQUAL(train("ints.h5", "names.h5", "form-numbers", 0), 3); /* no name is a number */
}

static void pack_says_what_it_took(void) {
    write_labels();
    E2E_EXIT(0, 0, "data pack --format hdf5 floats.h5 taken.h5 --overwrite");
    E2E_SAID("whole numbers stored as floats, taken as classes");
    E2E_EXIT(0, 0, "data pack --format hdf5 floats.h5 taken.h5 --overwrite --values --json");
    E2E_SAID("\"type\":\"values\"");
    E2E_EXIT(0, 0, "data pack --format hdf5 rows.h5 taken.h5 --overwrite --json");
    E2E_SAID("\"note\":\"numbers, kept as values; a loss of classes takes one-hot rows as classes\"");
    CU_ASSERT_EQUAL(train("taken.h5", "ints.h5", "form-taken", 0), 0);
    CU_ASSERT_EQUAL(train("ints.h5", "ints.h5", "form-plain", 0), 0);
}

/* ---- What is no number ---- */

static void not_a_number(void) {
    static const unsigned char y[N];
    e2e_home();
    for (int i = 0; i < 2; i++) {
        hid_t file = begin_set("nan.h5", i ? H5T_IEEE_F64LE : H5T_IEEE_F32LE, 61, i ? INFINITY : NAN);
        hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, (hsize_t[]){N}, y);
        H5Fclose(file);
        static const char *const calls[] = {"data verify nan.h5", "data pack --format hdf5 nan.h5 nan-out.h5"};
        for (size_t c = 0; c < COUNT(calls); c++) {
            E2E_EXIT(3, 0, "%s", calls[c]);
            E2E_SAID(i ? "sample 61 holds infinity in /x" : "sample 61 holds NaN in /x");
            CU_ASSERT_EQUAL(e2e_error_lines(), 1);
        }
        CU_ASSERT_NOT_EQUAL(test_shell(e2e_output, sizeof e2e_output, "ls '%s' | grep '^nan-out'", e2e_home()), 0);
        CU_ASSERT_EQUAL(train("nan.h5", "null", "nan-run", i ? 3 : 0), 3); /* the rank that reads it speaks */
        E2E_SAID("nan.h5: sample 61 holds");
        CU_ASSERT(!e2e_said("learning_rate") && e2e_error_lines() == 1);
    }
}

/* What a training would find before its first step, in the test set as well. */
static void dry_run_reads_all(void) {
    static const char *const sets[] = {"--set data.train=dry-nan.h5", "--set data.test=dry-nan.h5"};
    write_labels();
    hid_t file = begin_set("dry-nan.h5", H5T_IEEE_F32LE, 61, NAN);
    hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, (hsize_t[]){N}, (unsigned char[N]){0});
    H5Fclose(file);
    CU_ASSERT_EQUAL(train("ints.h5", "ints.h5", "dry-base", 0), 0);
    E2E_EXIT(0, 2, "train forms.yaml --run dry --dry-run --threads 1 --set init.from=dry-base");
    E2E_SAID("starting from the weights of");
    E2E_SAID("inputs are normalised as those of");
    E2E_SAID("everything is checked, nothing was trained");
    for (size_t i = 0; i < COUNT(sets); i++)
        for (int ranks = 0; ranks <= 2; ranks += 2) {
            E2E_EXIT(3, ranks, "train forms.yaml --run dry --dry-run --threads 1 %s", sets[i]);
            E2E_SAID("dry-nan.h5: sample 61 holds NaN in /x");
            CU_ASSERT(!e2e_said("everything is checked") && e2e_error_lines() == 1);
        }
}

/* The file is what it was; the loss makes values of what were classes, allowed or not. */
static void loss_changes_targets(void) {
    write_labels();
    CU_ASSERT_EQUAL(train("rows.h5", "rows.h5", "loss", 0), 0);
    for (int i = 0; i < 2; i++) {
        E2E_EXIT(2, 0, "train forms.yaml --run loss --resume --set train.loss=mse %s",
                 i ? "--allow-change train.loss" : "");
        E2E_SAID("train.loss is mse, which takes the targets of");
        E2E_SAID("and was softmax_cross_entropy in the run, which took them as classes");
        CU_ASSERT(!e2e_said("digest"));
    }
}

/* What eval refuses by the network that it is read for. */
static void verified_for_a_run(void) {
    static const float turned[2 * N * PIXELS] = {0};
    double y[N * CLASSES] = {0};
    write_labels();
    CU_ASSERT_EQUAL(train("rows.h5", "null", "for", 0), 0);
    for (int i = 0; i < N; i++)
        if (i != 50) y[i * CLASSES + class_of(i)] = 1;
    hid_t file = begin_set("hole.h5", H5T_IEEE_F32LE, -1, 0);
    hdf5_put(file, "/y", H5T_IEEE_F32LE, H5T_NATIVE_DOUBLE, 2, (hsize_t[]){N, CLASSES}, y);
    H5Fclose(file);
    file = H5Fcreate(e2e_path("turned.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, (hsize_t[]){N, SIDE, 1, SIDE}, turned);
    H5Fclose(file);
    E2E_EXIT(0, 0, "data verify rows.h5 --like for");
    E2E_EXIT(3, 0, "data verify hole.h5 --like for");
    E2E_SAID("hole.h5: sample 50 has");
    E2E_EXIT(3, 0, "data verify turned.h5 --like for");
    E2E_SAID("channels stand last in it");
    file = H5Fcreate(e2e_path("twice.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, (hsize_t[]){N, SIDE, SIDE, 2}, turned);
    H5Fclose(file);
    E2E_EXIT(3, 0, "predict for twice.h5");
    E2E_SAID("give samples of as many channels as the network takes");
    CU_ASSERT(!e2e_said("resize"));
}

/* One sample may be what is wrong with all targets: it is named, in training as by data verify --like and eval. */
static void one_wrong_target(void) {
    enum { WRONG = 7, K = 3 };
    static float x[N * PIXELS], rows[N][K];
    static int32_t classes[N], maps[N * PIXELS];
    static char names[N][8];
    static const struct {
        const char *set, *layers, *words;
    } trials[] = {
        {"odd-rows.h5", "{dense: 3}, log_softmax",
         "; its rows are one-hot but for a few: mend these, or leave them out, first of all sample 7"},
        {"odd-class.h5", "{dense: 3}, log_softmax", "; sample 7 is the first of class 3"},
        {"odd-name.h5", "{dense: 3}, log_softmax", "; the rarest is \"typo\", of 1 sample, the first of them sample 7"},
        {"odd-map.h5", "{conv: {filters: 3, kernel: 3, padding: same}}, log_softmax",
         "; sample 7 is the first of class 3"},
    };
    char text[512];
    e2e_home();
    for (int i = 0; i < N; i++) {
        rows[i][i % K] = 1;
        classes[i] = i == WRONG ? K : i % K;
        snprintf(names[i], sizeof names[i], "%s", i == WRONG ? "typo" : i % K ? i % K == 1 ? "dog" : "emu" : "cat");
    }
    rows[WRONG][0] = 0.5F;
    maps[WRONG * PIXELS + 3] = K;
    hid_t word = H5Tcopy(H5T_C_S1);
    H5Tset_size(word, sizeof names[0]);
    for (size_t i = 0; i < COUNT(trials); i++) {
        hid_t file = H5Fcreate(e2e_path("%s", trials[i].set), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
        hdf5_put(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, (hsize_t[]){N, SIDE, SIDE, 1}, x);
        if (i == 0) hdf5_put(file, "/y", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 2, (hsize_t[]){N, K}, rows);
        if (i == 1) hdf5_put(file, "/y", H5T_STD_I32LE, H5T_NATIVE_INT, 1, (hsize_t[]){N}, classes);
        if (i == 2) hdf5_put(file, "/y", word, word, 1, (hsize_t[]){N}, names);
        if (i == 3) hdf5_put(file, "/y", H5T_STD_I32LE, H5T_NATIVE_INT, 3, (hsize_t[]){N, SIDE, SIDE}, maps);
        H5Fclose(file);
        const int length = snprintf(text, sizeof text,
                                    "model: {input: [6, 6, 1], layers: [%s]}\ndata: {train: %s}\n"
                                    "train: {epochs: 1, batch: 16, loss: nll}\n",
                                    trials[i].layers, trials[i].set);
        e2e_write("odd.yaml", text, (size_t)length);
        E2E_EXIT(3, 0, "train odd.yaml --run odd");
        E2E_SAID(trials[i].words);
        E2E_EXIT(3, 0, "data verify %s --like odd.yaml", trials[i].set);
        E2E_SAID(i == 0 ? trials[i].words : "sample 7");
    }
    H5Tclose(word);
    e2e_write("odd.yaml", text,
              (size_t)snprintf(text, sizeof text,
                               "model: {input: [6, 6, 1], layers: [{dense: 3}, log_softmax]}\n"
                               "data: {train: ints.h5, test: odd-rows.h5}\ntrain: {loss: nll}\n"));
    write_labels();
    E2E_EXIT(3, 0, "train odd.yaml --run odd");
    E2E_SAID("has values; pack both alike (data pack --values makes values of numbers); its rows are one-hot but for a "
             "few: ");
}

/* What it is by its first bytes is told, whoever reads it, and what makes a data set of it. */
static void others_as_set(void) {
    static const char *const calls[] = {"data info %s",
                                        "data verify %s",
                                        "data pack --format hdf5 %s o.h5",
                                        "data split %s o.h5 p.h5 --samples 3",
                                        "eval alien --data %s",
                                        "train alien.yaml --run none --set data.train=%s"};
    static const unsigned char png[] = "\211PNG\r\n\032\n and the rest";
    static const char numpy[] = "\223NUMPY\1\0";
    char call[256];
    e2e_write_experiment("alien.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train alien.yaml --run alien --steps 0");
    e2e_write("picture.png", png, sizeof png);
    e2e_write("array.npy", numpy, sizeof numpy);
    test_shell(e2e_output, sizeof e2e_output, "cd '%s' && mkdir -p photos/a && cp picture.png photos/a", e2e_home());
    for (size_t i = 0; i < COUNT(calls); i++) {
        snprintf(call, sizeof call, calls[i], "picture.png");
        E2E_EXIT(3, 0, "%s", call);
        E2E_SAID("picture.png: not a readable HDF5 file, but a PNG picture; pictures are for convoy predict; to train");
        snprintf(call, sizeof call, calls[i], "array.npy");
        E2E_EXIT(3, 0, "%s", call);
        E2E_SAID("array.npy: not a readable HDF5 file, but a NumPy array; where Python has h5py, python3 -c ");
        snprintf(call, sizeof call, calls[i], "photos");
        E2E_EXIT(3, 0, "%s", call);
        E2E_SAID("is a folder of pictures, such as ");
        E2E_SAID("photos/a/picture.png; pictures are for");
        CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    }
    E2E_EXIT(3, 0, "data pack array.npy train-y.idx o.h5");
    E2E_SAID("found 93 4e 55 4d, but a NumPy array; ");
    E2E_EXIT(3, 0, "data pack test.h5 train-y.idx o.h5");
    E2E_SAID("but an HDF5 file; --format hdf5 packs it");
}

static void constant_inputs(void) {
    static const float x[N * PIXELS] = {0};
    static const unsigned char y[N];
    write_labels();
    hid_t file = H5Fcreate(e2e_path("flat.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, (hsize_t[]){N, SIDE, SIDE, 1}, x);
    hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, (hsize_t[]){N}, y);
    H5Fclose(file);
    train("ints.h5", "null", "flat", 0);
    E2E_EXIT(0, 2, "train forms.yaml --run flat2 --steps 1 --threads 1 --set data.train=flat.h5");
    CU_ASSERT_EQUAL(e2e_count("every input that was looked at is 0, so nothing can be learned"), 1);
    E2E_EXIT(0, 0, "train forms.yaml --run flat3 --steps 1");
    CU_ASSERT(!e2e_said("nothing can be learned"));
    E2E_EXIT(0, 0, "data pack --format hdf5 flat.h5 flat-packed.h5 --overwrite");
    E2E_EXIT(0, 0, "train forms.yaml --run flat4 --steps 1 --set data.train=flat-packed.h5");
    CU_ASSERT_EQUAL(e2e_count("every input that was looked at is 0, so nothing can be learned"), 1);
}

/* A channel that says nothing is named, is normalised without NaN, and changes nothing of the others. */
static void constant_channels(void) {
    enum { CHANNELS = 3 };
    static float x[N * PIXELS * CHANNELS];
    static unsigned char y[N];
    static const char *const sets[] = {"dull.h5", "dull-packed.h5"};
    for (int i = 0; i < N; i++) y[i] = (unsigned char)(i % 2);
    for (int i = 0; i < N * PIXELS; i++) {
        x[CHANNELS * i] = 0.1F;
        x[CHANNELS * i + 1] = i % 3 == 0 ? -1 : 1; /* a std that is not 1 */
        x[CHANNELS * i + 2] = 1e6F;
    }
    e2e_write_experiment("dull.yaml", "input: [12, 12, 1]", "input: [6, 6, 3]");
    hid_t file = H5Fcreate(e2e_path("dull.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, (hsize_t[]){N, SIDE, SIDE, CHANNELS}, x);
    hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, (hsize_t[]){N}, y);
    H5Fclose(file);
    E2E_EXIT(0, 0, "data pack --format hdf5 dull.h5 dull-packed.h5 --overwrite");
    for (size_t s = 0; s < COUNT(sets); s++) {
        E2E_EXIT(0, 0, "train dull.yaml --run %.4s%zu --steps 3 --set data.train=%s --set data.test=null", sets[s], s,
                 sets[s]);
        E2E_SAID("2 of the 3 channels of its inputs, 0 to 2, tell no samples apart, holding one value wherever it was "
                 "looked at: 0 (0.1), 2 (1e+06); is it the right array?");
        CU_ASSERT_FALSE(e2e_said("nan"));
    }
    for (int i = 0; i < N * PIXELS; i++) x[CHANNELS * i + 1] = i % 2 ? -1 : 1; /* mean 0 and std 1 are no constant */
    file = H5Fcreate(e2e_path("signs.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, (hsize_t[]){N, SIDE, SIDE, CHANNELS}, x);
    hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, (hsize_t[]){N}, y);
    H5Fclose(file);
    E2E_EXIT(0, 0, "train dull.yaml --run signs --steps 0 --set data.train=signs.h5 --set data.test=null");
    E2E_SAID("2 of the 3 channels");
}

/* ---- Parts that are missing ---- */

static void missing_parts(void) {
    static const unsigned char y[N];
    static const char *const calls[] = {"data info virtual.h5", "data verify virtual.h5",
                                        "data pack --format hdf5 virtual.h5 virtual-out.h5", "eval virtual-run",
                                        "predict virtual-run virtual.h5:0"};
    e2e_home();
    H5Fclose(begin_set("source.h5", H5T_IEEE_F32LE, -1, 0));
    hid_t file = H5Fcreate(e2e_path("virtual.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(4, (hsize_t[]){N, SIDE, SIDE, 1}, NULL), mapped = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_virtual(mapped, space, "source.h5", "/x", space);
    hdf5_put_as(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, (hsize_t[]){N, SIDE, SIDE, 1}, mapped, NULL);
    hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, (hsize_t[]){N}, y);
    H5Sclose(space);
    H5Fclose(file);
    CU_ASSERT_EQUAL(train("virtual.h5", "virtual.h5", "virtual-run", 2), 0);
    CU_ASSERT_EQUAL(rename(e2e_path("source.h5"), e2e_path("away.h5")), 0);
    for (size_t c = 0; c < COUNT(calls); c++) {
        E2E_EXIT(3, 0, "%s", calls[c]);
        E2E_SAID("source.h5 is missing");
        CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    }
    CU_ASSERT_EQUAL(train("virtual.h5", "null", "virtual-again", 2), 3);
    E2E_SAID("source.h5 is missing");
}

/* ---- Stopping ---- */

static bool is_being_written(void) {
    char out[256];
    return test_shell(out, sizeof out, "ls '%s' | grep '^stopped.d'", e2e_home()) == 0;
}

/* In the middle of it, by either signal; another call is not disturbed by what is left, for nothing is. */
static void packing_stops(void) {
    enum { MANY = 150000 };
    static unsigned char y[MANY];
    e2e_home();
    hid_t file = H5Fcreate(e2e_path("large.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t chunks = hdf5_chunks(3, (hsize_t[]){64, 64, 64}, 1); /* never written: zeros, at no cost */
    hdf5_put_as(file, "/x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 3, (hsize_t[]){MANY, 64, 64}, chunks, NULL);
    hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, (hsize_t[]){MANY}, y);
    H5Fclose(file);
    const int numbers[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        struct e2e_job job = e2e_start(0, "data pack --format hdf5 large.h5 stopped.h5 --shard-mib 4");
        for (int wait = 0; wait < 2000 && !is_being_written(); wait++) usleep(5000);
        e2e_signal(job, numbers[i]);
        e2e_expect_exit(75, e2e_wait(job), __FILE__, __LINE__);
        E2E_SAID("stopped.h5: stopped on request");
        CU_ASSERT_NOT_EQUAL(test_shell(e2e_output, sizeof e2e_output, "ls '%s' | grep '^stopped'", e2e_home()), 0);
    }
}

static const struct test_case cases[] = {
    {"labels in every form train alike", labels_in_every_form},
    {"names keep their numbers", names_keep_their_numbers},
    {"pack says what it took", pack_says_what_it_took},
    {"NaN and infinity name their sample", not_a_number},
    {"a dry run finds what a training finds at its start", dry_run_reads_all},
    {"another loss that takes targets otherwise", loss_changes_targets},
    {"inputs that are all alike are told", constant_inputs},
    {"channels that are all alike are told", constant_channels},
    {"data verify --like refuses what eval does", verified_for_a_run},
    {"one wrong target is named", one_wrong_target},
    {"files of other programs in the place of a set", others_as_set},
    {"parts that are missing", missing_parts},
    {"packing stops on request", packing_stops},
    {0},
};
const struct test_suite suite_e2e_hdf5 = {"e2e_hdf5", cases, NULL};
