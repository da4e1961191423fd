/* Files by whatever name: nothing that is there is replaced by an output, and paths mean what they mean in a shell. */
#define _GNU_SOURCE
#include <hdf5.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e.h"
#include "hdf5_help.h"
#include "io/file.h"

/* In home. */
__attribute__((format(printf, 1, 2))) static void sh(const char *fmt, ...) {
    char command[1024], out[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    int code = test_shell(out, sizeof out, "cd '%s' && { %s; }", e2e_home(), command);
    if (code != 0) fprintf(stderr, "\n    %s: exit %d: %s\n", command, code, out);
    CU_ASSERT_EQUAL(code, 0);
}

static uint64_t digest_of(const char *name) {
    uint64_t digest = 0;
    const char *path = e2e_path("%s", name);
    TEST_OK(cvy_file_hash(path, 0, cvy_file_size(path), &digest));
    return digest;
}

/* A file of a user's own, 9000 samples: two shards of 1 MiB when it is packed. */
static void make_own_file(const char *name) {
    enum { SAMPLES = 9000, PIXELS = 144 };
    static unsigned char x[SAMPLES * PIXELS];
    static int y[SAMPLES];
    const hsize_t dims[4] = {SAMPLES, 12, 12, 1};
    for (int i = 0; i < SAMPLES; i++) x[(size_t)i * PIXELS] = (unsigned char)(i * 7), y[i] = i % 4;
    hid_t file = H5Fcreate(e2e_path("%s", name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 4, dims, x);
    hdf5_put(file, "y", H5T_STD_I32LE, H5T_NATIVE_INT, 1, dims, y);
    H5Fclose(file);
}

/* /x and /y of `name` are those of `source`. */
static void make_virtual(const char *name, const char *source) {
    const hsize_t dims[4] = {9000, 12, 12, 1};
    hid_t file = H5Fcreate(e2e_path("%s", name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    for (int i = 0; i < 2; i++) {
        hid_t space = H5Screate_simple(i ? 1 : 4, dims, NULL), how = H5Pcreate(H5P_DATASET_CREATE);
        CU_ASSERT(H5Pset_virtual(how, space, source, i ? "y" : "x", space) >= 0);
        hid_t array =
            H5Dcreate2(file, i ? "y" : "x", i ? H5T_STD_I32LE : H5T_STD_U8LE, space, H5P_DEFAULT, how, H5P_DEFAULT);
        H5Dclose(array);
        H5Pclose(how);
        H5Sclose(space);
    }
    H5Fclose(file);
}

static void make_run(void) {
    static bool made;
    e2e_home();
    if (made) return;
    made = true;
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train tiny.yaml --run safe --steps 2");
    make_own_file("own.h5");
    E2E_EXIT(0, 0, "data pack --format hdf5 own.h5 big.h5 --shard-mib 1");
    sh("cp test.h5 set.h5; ln set.h5 twin.h5; ln -s set.h5 link.h5; mkdir in; mv twin.h5 in; ln -s in door; "
       "ln -s big.h5 far.h5; echo notes > notes.txt; ln -s nowhere dangling.h5; mkdir dir.h5; rm -f pipe; mkfifo pipe");
}

/* ---- Nothing is overwritten ---- */

#define CKPT "safe/checkpoints/step-00000002.h5"

static void predictions_replace_nothing(void) {
    static const struct {
        const char *file, *arguments, *words; /* the file must stay as it is */
    } refused[] = {
        {"set.h5", "safe set.h5:0 --out set.h5", "set.h5: is read here (set.h5)"},
        {"set.h5", "safe set.h5:0-3 --out ./in/../set.h5 --overwrite", "is read here"},
        {"set.h5", "safe link.h5:0 --out set.h5 --overwrite", "is read here (link.h5)"},
        {"set.h5", "safe set.h5:0 --out link.h5 --overwrite", "link.h5: is read here"},
        {"set.h5", "safe set.h5:0 --out in/twin.h5 --overwrite", "is read here (set.h5)"},
        {"set.h5", "safe train.h5:0 set.h5:0 --out door/twin.h5 --overwrite", "is read here (set.h5)"},
        {"big.d/00001.h5", "safe big.h5:0 --out big.d/00001.h5 --overwrite", "is read here (big.h5)"},
        {"big.d/00000.h5", "safe far.h5:0 --out big.d/00000.h5 --overwrite", "is read here (far.h5)"},
        {CKPT, CKPT " set.h5:0 --out " CKPT, "is read here (" CKPT ")"},
        {CKPT, "safe set.h5:0 --out " CKPT " --overwrite", "is read here"},
        {CKPT, "safe set.h5:0 --out safe/checkpoints/step-00000009.h5", "for a run's checkpoints alone"},
        {"safe/metrics.jsonl", "safe set.h5:0 --out safe/metrics.jsonl --overwrite", "is the run's own"},
        {"safe/experiment.yaml", "safe set.h5:0 --out safe/experiment.yaml", "is the run's own"},
        {"notes.txt", "safe set.h5:0 --out notes.txt", "there is such a file already; name another, or overwrite it"},
        {"notes.txt", "safe set.h5:0 --out dangling.h5", "there is such a file already"},
        {"notes.txt", "safe set.h5:0 --out dir.h5 --overwrite", "dir.h5: is a folder"},
        {"notes.txt", "safe set.h5:0 --out in/ --overwrite", "names no file"},
        {"notes.txt", "safe set.h5:0 --out pipe --overwrite", "no regular file"},
        {"notes.txt", "safe set.h5:0 --out notes.txt/out.h5", "notes.txt"},
    };
    make_run();
    for (size_t i = 0; i < COUNT(refused); i++) {
        const uint64_t before = digest_of(refused[i].file);
        E2E_EXIT(2, 0, "predict %s", refused[i].arguments);
        E2E_SAID(refused[i].words);
        CU_ASSERT_EQUAL(e2e_error_lines(), 1);
        CU_ASSERT_EQUAL(digest_of(refused[i].file), before);
    }
    sh("test -h link.h5 && test -h dangling.h5 && test -d dir.h5 && ! test -e safe/checkpoints/step-00000009.h5");
    E2E_EXIT(0, 0, "predict safe set.h5:0 --out fresh/folder/new.h5");
    E2E_EXIT(2, 0, "predict safe set.h5:0 --out fresh/folder/new.h5");
    E2E_EXIT(0, 0, "predict safe set.h5:0 --out fresh/folder/new.h5 --overwrite");
    E2E_EXIT(0, 0, "predict safe set.h5:0 --out safe/mine.h5"); /* beside the run's own files */
}

static void data_sets_replace_nothing(void) {
    static const struct {
        const char *file, *arguments, *words;
    } refused[] = {
        {"train-x.idx", "data pack train-x.idx train-y.idx train-x.idx --overwrite", "is read here (train-x.idx)"},
        {"train-y.idx", "data pack train-x.idx train-y.idx ./train-y.idx --overwrite", "is read here (train-y.idx)"},
        {"own.h5", "data pack --format hdf5 own.h5 own.h5 --overwrite", "own.h5: is read here"},
        {"set.h5", "data pack --format hdf5 set.h5 door/twin.h5 --overwrite", "door/twin.h5: is read here"},
        {"own.h5", "data pack --format hdf5 virtual.h5 own.h5 --overwrite", "own.h5: is read here (virtual.h5)"},
        {"big.d/00000.h5", "data pack --format hdf5 big.d/00000.h5 big.h5 --overwrite", "its folder would be replaced"},
        {"raw.d/00000.h5", "data pack --format hdf5 own.h5 raw.h5 --overwrite", "no shard of a data set"},
        {"big.h5", "data pack --format hdf5 own.h5 big.h5", "there is such a data set already"},
        {"notes.txt", "data pack --format hdf5 own.h5 dir.h5 --overwrite", "dir.h5: is a folder"},
        {CKPT, "data pack --format hdf5 own.h5 " CKPT " --overwrite", "for a run's checkpoints alone"},
        {"set.h5", "data split set.h5 link.h5 rest.h5 --samples 3 --overwrite", "link.h5: is read here"},
        {"set.h5", "data split set.h5 first.h5 in/twin.h5 --samples 3 --overwrite", "in/twin.h5: is read here"},
        {"big.d/00000.h5", "data split far.h5 big.d/00000.h5 rest.h5 --samples 3 --overwrite", "is read here (far.h5)"},
        {"notes.txt", "data split set.h5 in/a.h5 door/a.h5 --samples 3", "in/a.h5 and door/a.h5 are one file"},
        {"notes.txt", "data split set.h5 a.h5 a --samples 3", "a.h5 and a are one file"},
    };
    make_run();
    make_virtual("virtual.h5", "own.h5");
    sh("mkdir -p raw.d; cp own.h5 raw.d/00000.h5");
    for (size_t i = 0; i < COUNT(refused); i++) {
        const uint64_t before = digest_of(refused[i].file);
        E2E_EXIT(2, 0, "%s", refused[i].arguments);
        E2E_SAID(refused[i].words);
        CU_ASSERT_EQUAL(e2e_error_lines(), 1);
        CU_ASSERT_EQUAL(digest_of(refused[i].file), before);
    }
    sh("! test -e first.h5 && ! test -e rest.h5 && ! test -e a && ! test -e a.h5 && ! test -e in/a.h5");
}

/* A link to somebody's shards goes, the shards stay. */
static void linked_shards_stay(void) {
    make_run();
    sh("mkdir -p linked; ln -sf ../big.h5 linked/t.h5; ln -sfn ../big.d linked/t.d");
    E2E_EXIT(0, 0, "data pack train-x.idx train-y.idx linked/t.h5 --overwrite");
    E2E_EXIT(0, 0, "data verify big.h5");
    E2E_EXIT(0, 0, "data verify linked/t.h5");
    E2E_SAID("90 samples");
    sh("! test -e linked/t.d && ! test -h linked/t.h5");
}

/* A folder of something else is no place for a run's files of the same name. */
static void run_folders_replace_nothing(void) {
    make_run();
    sh("mkdir -p foreign-logs; echo mine > foreign-logs/metrics.jsonl");
    const uint64_t before = digest_of("foreign-logs/metrics.jsonl");
    for (int resume = 0; resume < 2; resume++) {
        E2E_EXIT(2, 0, "train tiny.yaml --run foreign-logs --steps 0%s", resume ? " --resume" : "");
        E2E_SAID("foreign-logs/metrics.jsonl: is no run's");
    }
    CU_ASSERT_EQUAL(digest_of("foreign-logs/metrics.jsonl"), before);
    sh("mkdir -p here; cp tiny.yaml here/experiment.yaml; cp train.h5 test.h5 here");
    const uint64_t written = digest_of("here/experiment.yaml");
    E2E_EXIT(2, 0, "train here/experiment.yaml --run here");
    E2E_EXIT(2, 0, "train here/experiment.yaml --run here --resume"); /* would start afresh */
    E2E_SAID("here/experiment.yaml: is no run's, and a run in this folder would replace it");
    CU_ASSERT_EQUAL(digest_of("here/experiment.yaml"), written);
    E2E_EXIT(0, 0, "train here/experiment.yaml --run there --steps 0");
    sh("rm there/checkpoints/*");
    E2E_EXIT(0, 0, "train there/experiment.yaml --run there --steps 0 --resume"); /* the run's own */
}

/* ---- Paths ---- */

/* An experiment whose data are at `train` (and no test set). */
static void write_experiment(const char *name, const char *train) {
    char to[256];
    snprintf(to, sizeof to, "train: %s\n", train);
    e2e_write_experiment(name, "train: train.h5\n  test: test.h5\n", to);
}

static void data_sets_through_links(void) {
    static const char *const names[] = {"chain/one.h5", "chain/full.h5", "room/big.h5"};
    make_run();
    sh("mkdir -p chain/deep; ln -sf ../../big.h5 chain/deep/two.h5; ln -sf deep/two.h5 chain/one.h5; "
       "ln -sf \"$PWD/big.h5\" chain/full.h5; ln -sfn . room");
    for (size_t i = 0; i < COUNT(names); i++) {
        E2E_EXIT(0, 0, "data verify %s", names[i]);
        E2E_SAID("9,000 samples");
    }
    E2E_EXIT(0, 0, "predict safe chain/one.h5:8999");
    sh("cp big.h5 chain/copy.h5");
    E2E_EXIT(3, 0, "data verify chain/copy.h5");
    E2E_SAID("shard big.d/00000.h5 is missing");
    sh("ln -sfn safe chain/run; ln -sfn ../safe chain/run");
    E2E_EXIT(0, 0, "eval chain/run");
    E2E_EXIT(0, 0, "ckpt list chain/run");
    E2E_EXIT(2, 0, "train tiny.yaml --run chain/run");
    E2E_SAID("already holds a run");
    E2E_EXIT(0, 0, "train tiny.yaml --run chain/run --resume --steps 3");
    CU_ASSERT_EQUAL(e2e_newest_step("safe"), 3);
}

static void experiments_behind_links(void) {
    make_run();
    sh("mkdir -p real/project/configs real/project/data view; cp train.h5 real/project/data/t.h5; "
       "ln -sfn ../real/project/configs view/configs; mkdir -p mine");
    write_experiment("real/project/configs/up.yaml", "../data/t.h5");
    E2E_EXIT(0, 0, "train view/configs/up.yaml --run up --steps 0");
    char text[4096];
    e2e_read(e2e_path("up/experiment.yaml"), text, sizeof text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "real/project/data/t.h5"));
    sh("ln -sf ../view/configs/up.yaml mine/up.yaml"); /* data beside what the link leads to */
    E2E_EXIT(0, 0, "train mine/up.yaml --dry-run --run none");
    E2E_EXIT(0, 0, "train tiny.yaml --dry-run --run none --set data.train=view/configs/../data/t.h5");
    write_experiment("real/project/configs/far.yaml", "../../../big.h5");
    E2E_EXIT(0, 0, "train view/configs/far.yaml --dry-run --run none");
}

static void what_a_shell_would_make_of_it(void) {
    static const struct {
        const char *train;
        int code;
        const char *words;
    } paths[] = {
        {"~/train.h5", 0, ""},
        {"{file: ~/train.h5}", 0, ""},
        {"$CVY_DATA/train.h5", 0, ""},
        {"${CVY_DATA}/in/../train.h5", 0, ""},
        {"{file: \"${CVY_DATA}/train.h5\"}", 0, ""},
        {"$CVY_NONE/train.h5", 2, "shell.yaml:15:10: $CVY_NONE/train.h5: CVY_NONE is not set in the environment"},
        {"~nobody-at-all/train.h5", 2, "shell.yaml:15:10: ~nobody-at-all/train.h5: there is no user nobody-at-all"},
        {"$(pwd)/train.h5", 2, "shell.yaml:15:10: $(pwd)/train.h5: in a path only $NAME and ${NAME}"},
    };
    make_run();
    char *home = strdup(getenv("HOME") ? getenv("HOME") : "");
    setenv("HOME", e2e_home(), 1);
    setenv("CVY_DATA", e2e_home(), 1);
    for (size_t i = 0; i < COUNT(paths); i++) {
        write_experiment("shell.yaml", paths[i].train);
        E2E_EXIT(paths[i].code, 0, "train shell.yaml --dry-run --run none");
        E2E_SAID(paths[i].words);
        CU_ASSERT_EQUAL(e2e_error_lines(), paths[i].code != 0);
    }
    e2e_write_experiment("shell.yaml", "seed: 1\n", "seed: 1\ninit: {from: ~/safe}\n");
    E2E_EXIT(0, 0, "train shell.yaml --dry-run --run none");
    E2E_EXIT(
        0, 0,
        "train tiny.yaml --steps 0 --run=~/by-home --set 'data.train=~/train.h5' --set 'data.test=$CVY_DATA/test.h5'");
    CU_ASSERT_EQUAL(e2e_newest_step("by-home"), 0);
    E2E_EXIT(0, 0, "eval by-home --data=~/train.h5");
    E2E_EXIT(0, 0, "predict by-home test.h5:0 --out=~/by-home.h5");
    sh("test -s by-home.h5 && ! test -e '~'");
    E2E_EXIT(2, 0, "train tiny.yaml --dry-run --run='~nobody-at-all/run'");
    E2E_SAID("--run ~nobody-at-all/run: there is no user nobody-at-all");
    E2E_EXIT(0, 0, "data pack --format hdf5 '~/train.h5' '~/by-word.h5'");
    E2E_EXIT(0, 0, "predict '~/by-home' '~/by-word.h5:0'");
    sh("test -s by-word.h5 && ! test -e '~'");
    E2E_EXIT(2, 0, "data info '$HOME/train.h5'");
    E2E_SAID("data info: FILE.h5 $HOME/train.h5: quotes kept the shell from $HOME; write it in double quotes");
    E2E_EXIT(2, 0, "train tiny.yaml --dry-run --run '$HOME/run'");
    E2E_SAID("--run $HOME/run: quotes kept the shell from $HOME");
    setenv("HOME", home, 1);
    free(home);
}

/* ---- IDX files that lie ---- */

static void giant_idx(void) {
    static const unsigned char head[20] = {0, 0, 8, 3, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x40, 0};
    e2e_home();
    e2e_write("giant.idx", head, sizeof head);
    sh("gzip -c giant.idx > giant.idx.gz");
    for (int zip = 0; zip < 2; zip++) {
        E2E_EXIT(3, zip ? 2 : 0, "data pack giant.idx%s train-y.idx giant.h5", zip ? ".gz" : "");
        E2E_SAID("its head says 2147483648 items of 1073741824 bytes");
        CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    }
    sh("! ls giant.h5 giant.d* 2>/dev/null");
}

/* Names in another encoding serve as they are, where no experiment has to keep them; a newline breaks no message. */
static void odd_names(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    CU_ASSERT_EQUAL(
        test_shell(e2e_output, sizeof e2e_output, "cp '%s' '%s'", e2e_path("test.h5"), e2e_path("caf\xe9.h5")), 0);
    E2E_EXIT(0, 0, "data verify 'caf\xe9.h5'");
    E2E_EXIT(2, 0, "train tiny.yaml --run odd --set data.train='caf\xe9.h5'");
    E2E_SAID("it is no UTF-8 text (byte 4:");
    E2E_EXIT(3, 0, "data info 'no\nfile.h5'");
    E2E_SAID("convoy: error: no\\nfile.h5: cannot be opened");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
}

static const struct test_case cases[] = {
    {"names in other encodings, and with newlines", odd_names},
    {"predictions replace nothing", predictions_replace_nothing},
    {"data sets replace nothing", data_sets_replace_nothing},
    {"shards behind a link stay", linked_shards_stay},
    {"run folders replace nothing", run_folders_replace_nothing},
    {"data sets and runs through links", data_sets_through_links},
    {"experiments behind links", experiments_behind_links},
    {"~ and $NAME", what_a_shell_would_make_of_it},
    {"an IDX head of a giant size", giant_idx},
    {0},
};
const struct test_suite suite_e2e_paths = {"e2e_paths", cases, NULL};
