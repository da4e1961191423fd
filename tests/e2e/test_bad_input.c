/* Bad experiments, alone and under mpirun: the agreed exit code, one line that says what and where, nothing written. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e.h"

static const struct {
    const char *name, *from, *to; /* the change to the experiment */
    const char *options;
    int ranks; /* not 0: under mpirun too */
    int code;
    const char *words[3];
} bad[] = {
    {"misspelt key", "batch: 16", "bacth: 16", "", 2, 2, {"bad.yaml:20:3: ", "\"bacth\"", "did you mean \"batch\"?"}},
    {"misspelt section", "checkpoint:", "checkpiont:", "", 0, 2, {"bad.yaml:24:1: ", "did you mean \"checkpoint\"?"}},
    {"misspelt layer", "- maxpool: 2", "- maxpol: 2", "", 0, 2, {"bad.yaml:8:7: ", "did you mean \"maxpool\"?"}},
    {"misspelt layer key",
     "padding: same",
     "pading: same",
     "",
     0,
     2,
     {"bad.yaml:6:37: conv1: ", "did you mean \"padding\"?"}},
    {"misspelt optimiser", "{sgd:", "{sdg:", "", 0, 2, {"bad.yaml:22:15: ", "\"sdg\"", "sgd"}},
    {"misspelt schedule",
     "learning_rate: 0.02",
     "learning_rate: {cosin: 0.02}",
     "",
     0,
     2,
     {"bad.yaml:23:", "did you mean \"cosine\"?"}},
    {"misspelt augmentation", "flip]", "filp]", "", 0, 2, {"bad.yaml:17:", "\"filp\"", "flip"}},
    {"wrong type", "epochs: 3", "epochs: three", "", 0, 2, {"bad.yaml:19:11: ", "a whole number", "\"three\""}},
    {"out of range", "dropout: 0.1", "dropout: 1.5", "", 0, 2, {"bad.yaml:9:16: ", "out of range"}},
    {"not YAML", "[12, 12, 1]", "[12, 12, 1", "", 0, 2, {"bad.yaml:"}},
    {"key given twice", "  leaf: 4\n", "  leaf: 4\n  leaf: 8\n", "", 0, 2, {"bad.yaml:22:3: ", "leaf", "twice"}},
    {"kernel larger than its input",
     "kernel: 3, padding: same",
     "kernel: 13",
     "",
     2,
     2,
     {"bad.yaml:6:", "conv1", "13"}},
    {"input of another shape than the data",
     "[12, 12, 1]",
     "[14, 14, 1]",
     "",
     0,
     3,
     {"train.h5", "14×14×1", "12×12×1"}},
    {"fewer outputs than classes", "- dense: 4\n", "- dense: 3\n", "", 0, 3, {"train.h5", "3", "4 classes"}},
    {"batch smaller than the leaf", "leaf: 4", "leaf: 32", "", 0, 2, {"bad.yaml:21:", "batch 16", "leaf 32"}},
    {"leaf too small for batch norm",
     "- dense: 16\n",
     "- dense: 16\n    - batchnorm\n",
     "--set train.leaf=1",
     2,
     2,
     {"bad.yaml:12:7: batchnorm1", "the smallest leaf has 1 sample of 1×1×16", "sync: true"}},
    {"batch no multiple of the leaf", "leaf: 4", "leaf: 5", "", 0, 2, {"bad.yaml:21:", "multiple"}},
    {"means of other channels",
     "  test: test.h5\n",
     "  test: test.h5\n  mean: [1, 2]\n  std: [1, 2]\n",
     "--dry-run",
     0,
     2,
     {"bad.yaml:17:9: data.mean: has 2 numbers, the inputs have 1 channel", "one number for all"}},
    {"a mean that is no number",
     "  test: test.h5\n",
     "  test: test.h5\n  mean: [1/x]\n  std: [1]\n",
     "--dry-run",
     0,
     2,
     {"bad.yaml:17:10: data.mean: \"1/x\" is no number; write one such as 0.5 or 1/255"}},
    {"data missing", "train: train.h5", "train: nowhere.h5", "", 2, 3, {"nowhere.h5"}},
    {"no data", "train: train.h5", "# none", "", 0, 2, {"data.train"}},
    {"test data missing", "test: test.h5", "test: nowhere.h5", "", 0, 3, {"nowhere.h5"}},
    {"data is text", "train: train.h5", "train: notes.h5", "", 0, 3, {"notes.h5"}},
    {"data truncated", "train: train.h5", "train: cut.h5", "", 0, 3, {"cut.h5"}},
    {"more classes than outputs",
     "test: test.h5",
     "test: five.h5",
     "",
     2,
     3,
     {"five.h5: sample 4 has class 4", "4 classes"}},
    {"model file missing", "model:\n", "model: none.yaml\nunused:\n", "", 0, 2, {"none.yaml"}},
    {"--set of a misspelt key",
     NULL,
     NULL,
     "--set train.lef=4",
     0,
     2,
     {"--set train.lef:1:1: ", "did you mean \"leaf\"?"}},
    {"--set of a wrong type",
     NULL,
     NULL,
     "--set train.batch=many",
     0,
     2,
     {"--set train.batch:1:1: ", "a whole number"}},
    {"--set that is no YAML", NULL, NULL, "--set train.batch=[1", 0, 2, {"--set train.batch:", "not YAML"}},
    {"--set under what is no map",
     NULL,
     NULL,
     "--set seed.x=1",
     0,
     2,
     {"--set seed.x:1:1: ", "seed is \"1\", which has no settings"}},
    {"--set without a value", NULL, NULL, "--set train.batch", 0, 2, {"--set", "key=value"}},
    {"run folder under a file", NULL, NULL, "--run notes.h5/run", 2, 2, {"notes.h5"}},
    {"run folder that cannot be made", NULL, NULL, "--run /proc/convoy-run", 0, 2, {"/proc/convoy-run"}},
    {"weights from nowhere", "seed: 1\n", "seed: 1\ninit: {from: none.h5}\n", "", 2, 4, {"none.h5"}},
    {"weights from no checkpoint", "seed: 1\n", "seed: 1\ninit: {from: train.h5}\n", "", 0, 4, {"train.h5"}},
};

static void make_files(void) {
    static unsigned char images[30 * 144], labels[30];
    char out[256];
    e2e_home();
    for (int i = 0; i < 30; i++) labels[i] = (unsigned char)(i % 5);
    e2e_write("notes.h5", "words\n", 6);
    test_shell(out, sizeof out, "head -c 3000 '%s' > '%s'", e2e_path("train.h5"), e2e_path("cut.h5"));
    e2e_write_idx("five-x.idx", 2051, 30, 12, 12, images, sizeof images);
    e2e_write_idx("five-y.idx", 2049, 30, 0, 0, labels, sizeof labels);
    E2E_EXIT(0, 0, "data pack five-x.idx five-y.idx five.h5 --overwrite");
}

static void check_bad(size_t i, int ranks) {
    char run[32];
    snprintf(run, sizeof run, "bad%zu-%d", i, ranks);
    int code = e2e_convoy(ranks, "train bad.yaml --run %s --threads 1 %s", run, bad[i].options);
    e2e_expect_exit(bad[i].code, code, bad[i].name, ranks);
    for (int w = 0; w < 3 && bad[i].words[w]; w++) e2e_expect_said(bad[i].words[w], bad[i].name, ranks);
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    if (e2e_error_lines() != 1) fprintf(stderr, "\n    %s, %d ranks:\n%s", bad[i].name, ranks, e2e_output);
    CU_ASSERT_EQUAL(e2e_newest_step(run), -1); /* nothing was trained */
}

static void bad_experiments_are_refused(void) {
    make_files();
    for (size_t i = 0; i < COUNT(bad); i++) {
        e2e_write_experiment("bad.yaml", bad[i].from, bad[i].to);
        check_bad(i, 0);
        if (bad[i].ranks) check_bad(i, bad[i].ranks);
    }
}

/* All findings in one go, one line each. */
static void several_findings(void) {
    e2e_home();
    e2e_write_experiment("bad.yaml", "epochs: 3\n  batch: 16\n", "epochs: 0\n  bacth: 16\n");
    E2E_EXIT(2, 2, "train bad.yaml --run bad-run --set checkpoint.keep=none");
    E2E_SAID("bad.yaml:19:11: ");
    E2E_SAID("bad.yaml:20:3: ");
    E2E_SAID("--set checkpoint.keep:1:1: ");
    CU_ASSERT_EQUAL(e2e_error_lines(), 3);
}

static void experiment_missing(void) {
    e2e_home();
    for (int ranks = 0; ranks <= 2; ranks += 2) {
        E2E_EXIT(2, ranks, "train nowhere.yaml");
        E2E_SAID("nowhere.yaml");
        CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    }
    E2E_EXIT(2, 0, "describe nowhere.yaml");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    E2E_EXIT(2, 0, "bench nowhere.yaml");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
}

static void more_ranks_than_leaves(void) {
    e2e_home();
    e2e_write_experiment("wide.yaml", "leaf: 4", "leaf: 8");
    E2E_EXIT(2, 3, "train wide.yaml --run wide --threads 1");
    E2E_SAID("3 ranks");
    E2E_SAID("2 leaves");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
}

/* Every process of another MPI's mpirun believes that it is rank 0 of 1. Only the first may say so. */
static void foreign_mpirun(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    for (int rank = 0; rank < 2; rank++) {
        int code = test_shell(e2e_output, sizeof e2e_output,
                              "cd '%s' && PMI_SIZE=2 PMI_RANK=%d timeout 60 '%s' train tiny.yaml --run foreign",
                              e2e_home(), rank, test_program());
        e2e_expect_exit(2, code, __FILE__, __LINE__);
        CU_ASSERT_EQUAL(e2e_error_lines(), rank == 0);
        if (rank == 0) E2E_SAID("another MPI");
        CU_ASSERT_EQUAL(e2e_newest_step("foreign"), -1);
    }
}

/* ---- Runs and checkpoints ---- */

static void run_that_exists(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train tiny.yaml --run taken --steps 2");
    for (int ranks = 0; ranks <= 2; ranks += 2) {
        E2E_EXIT(2, ranks, "train tiny.yaml --run taken --threads 1");
        E2E_SAID("taken");
        E2E_SAID("--resume");
        CU_ASSERT_EQUAL(e2e_error_lines(), 1);
        CU_ASSERT_EQUAL(e2e_newest_step("taken"), 2); /* nothing is lost */
    }
}

static void experiment_that_changed(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train tiny.yaml --run changing --steps 2");
    E2E_EXIT(2, 2, "train tiny.yaml --run changing --steps 4 --resume --threads 1 --set train.batch=8");
    E2E_SAID("train.batch is 8, and was 16");
    E2E_SAID("--allow-change train.batch");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    E2E_EXIT(0, 0, "train tiny.yaml --run changing --steps 3 --resume --set log.every='2 steps'");
    E2E_EXIT(0, 0, "train tiny.yaml --run changing --steps 4 --resume --set train.epochs=9");
    E2E_EXIT(2, 0, "train tiny.yaml --run changing --steps 5 --resume --set seed=2");
    E2E_EXIT(3, 0, "train tiny.yaml --run changing --steps 5 --resume --set data.train=test.h5");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    CU_ASSERT_EQUAL(e2e_newest_step("changing"), 4);
}

static void checkpoint_of_another_network(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train tiny.yaml --run donor --steps 1");
    e2e_write_experiment("other.yaml", "dense: 16", "dense: 24");
    E2E_EXIT(4, 2, "train other.yaml --run other --threads 1 --set init.from=donor/checkpoints/step-00000001.h5");
    E2E_SAID("/param/dense1/");
    E2E_SAID("144×16");
    E2E_SAID("144×24");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    E2E_EXIT(0, 0, "train tiny.yaml --run heir --steps 0 --set init.from=donor/checkpoints/step-00000001.h5");
    E2E_EXIT(1, 0, "ckpt diff heir donor");
    CU_ASSERT(!e2e_said("/param/"));
}

/* Fewer samples than a batch: what comes of it is told before the first step, and what is advised does well. */
static void batch_of_more_than_all(void) {
    e2e_write_experiment("few.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train few.yaml --run few1 --steps 1 --set train.batch=200 --set train.leaf=8");
    E2E_SAID(
        "train.h5: has 90 samples, fewer than train.batch 200: each epoch is one step of all of them; for two steps "
        "an epoch and more: --set train.batch=45 --set train.leaf=5, or less");
    E2E_EXIT(0, 2, "train few.yaml --run few2 --steps 1 --set train.batch=200 --set train.leaf=100");
    E2E_SAID("one step of all of them in 1 leaf, so that 1 of 2 ranks have nothing to do; for two steps an epoch and "
             "more: --set train.batch=44 --set train.leaf=22, or less");
    E2E_EXIT(0, 2, "train few.yaml --run few3 --steps 1 --set train.batch=44 --set train.leaf=22");
    CU_ASSERT_FALSE(e2e_said("fewer than"));
    E2E_EXIT(0, 0, "train few.yaml --run few4 --steps 1 --set train.batch=90 --set train.leaf=9"); /* full batch */
    CU_ASSERT_FALSE(e2e_said("fewer than"));
    E2E_EXIT(2, 0, "train few.yaml --run few5 --set train.batch=200 --set train.leaf=8 --set train.last_batch=drop");
    E2E_SAID("lower train.batch to at most 90, or take --set train.last_batch=partial");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    E2E_EXIT(0, 0,
             "train few.yaml --run few6 --steps 1 --set train.batch=60 --set train.leaf=6 --set "
             "train.last_batch=drop");
    E2E_SAID("train.last_batch: drop leaves out 30 of 90 samples in each epoch");
}

static void no_checkpoint_where_demanded(void) {
    static const char *const calls[] = {"eval %s", "ckpt info %s", "ckpt verify %s", "ckpt diff %s %s",
                                        "predict %s test.h5:0"};
    e2e_home();
    e2e_write("notes.txt", "words\n", 6);
    mkdir(e2e_path("empty"), 0777);
    for (size_t i = 0; i < COUNT(calls); i++) {
        static const char *const froms[] = {"nowhere", "empty", "notes.txt"};
        for (size_t f = 0; f < COUNT(froms); f++) {
            char call[128];
            snprintf(call, sizeof call, i == 3 ? "ckpt diff %s %s" : calls[i], froms[f], froms[f]);
            E2E_EXIT(4, i == 0 ? 2 : 0, "%s", call);
            E2E_SAID(froms[f]);
            CU_ASSERT_EQUAL(e2e_error_lines(), 1);
        }
    }
    E2E_EXIT(4, 0, "ckpt list nowhere");
}

static const struct test_case cases[] = {
    {"bad experiments are refused, alone and on 2 ranks", bad_experiments_are_refused},
    {"several findings are several lines", several_findings},
    {"an experiment that is not there", experiment_missing},
    {"more ranks than leaves", more_ranks_than_leaves},
    {"mpirun of another MPI", foreign_mpirun},
    {"a run that exists is kept", run_that_exists},
    {"an experiment that changed", experiment_that_changed},
    {"a checkpoint of another network", checkpoint_of_another_network},
    {"a batch of more than all samples", batch_of_more_than_all},
    {"no checkpoint where one is demanded", no_checkpoint_where_demanded},
    {0},
};
const struct test_suite suite_e2e_bad_input = {"e2e_bad_input", cases, NULL};
