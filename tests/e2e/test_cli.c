/* The command line: help and version everywhere, refusals that name what was meant, one voice under mpirun. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e.h"
#include "hdf5_help.h"

static const char *const commands[] = {"help",      "train",     "eval",        "predict",   "describe",
                                       "bench",     "plan",      "data pack",   "data info", "data verify",
                                       "ckpt list", "ckpt info", "ckpt verify", "ckpt diff"};

static void every_command_has_help(void) {
    e2e_home();
    for (size_t i = 0; i < COUNT(commands); i++) {
        char usage[64];
        snprintf(usage, sizeof usage, "Usage: convoy %s [OPTIONS]", commands[i]);
        E2E_EXIT(0, 0, "%s --help", commands[i]);
        E2E_SAID(usage);
        E2E_SAID("--threads T");
        E2E_SAID("Example:\n  ");
        E2E_SAID("Exit codes:\n  0 ");
        const bool trains = strcmp(commands[i], "train") == 0;
        CU_ASSERT_EQUAL(e2e_said("--resume"), trains);
        CU_ASSERT_EQUAL(e2e_said("diverged"), trains);
        E2E_EXIT(0, 0, "--help");
        E2E_SAID(commands[i]);
    }
    E2E_EXIT(0, 0, "ckpt --help");
    E2E_SAID("ckpt diff");
    CU_ASSERT(!e2e_said("data pack"));
    E2E_EXIT(0, 2, "train --help");
    CU_ASSERT_EQUAL(e2e_count("Usage:"), 1);
}

/* Layers, losses and the rest, from the tables. */
static void reference(void) {
    e2e_home();
    E2E_EXIT(0, 0, "help layers");
    E2E_SAID("\nconv_transpose ");
    E2E_EXIT(0, 2, "help step");
    E2E_SAID("step (layers)");
    E2E_SAID("step (schedules)");
    E2E_SAID("every_epochs");
    CU_ASSERT_EQUAL(e2e_count("step (layers)"), 1);
    E2E_EXIT(0, 0, "help schedules step --json");
    E2E_SAID("{\"topic\":\"schedules\",\"name\":\"step\"");
    CU_ASSERT_EQUAL(e2e_count("\"topic\""), 1);
    E2E_EXIT(2, 0, "help batchnrom");
    E2E_SAID("did you mean \"batchnorm\"?");
    E2E_EXIT(0, 0, "help conv layers");
    E2E_SAID("conv (layers)"); /* words that are no topic and its name: one by one */
    E2E_EXIT(0, 0, "help ckpt diff");
    E2E_SAID("Usage: convoy ckpt diff");
}

/* `convoy help` alone has commands and topics; a section of an experiment has its settings, also where a command is
 * called so, which then comes first. */
static void help_says_all(void) {
    static const char *const sections[][2] = {
        {"experiment", "  seed "},       {"data", "  augment "},    {"data", "  data pack "},
        {"train", "  epochs "},          {"train", "  decay "},     {"init", "  except "},
        {"comm", "  bucket_mib "},       {"checkpoint", "  keep "}, {"log", "  every "},
        {"model", "  blocks "},          {"layer", "  lr_factor "}, {"train.clip", "  norm "},
        {"train", "Usage: convoy train"}};
    e2e_home();
    E2E_EXIT(0, 0, "help");
    E2E_SAID("ckpt diff");
    E2E_SAID("\nschedules ");
    E2E_SAID("\nexperiment ");
    for (size_t i = 0; i < COUNT(sections); i++) {
        E2E_EXIT(0, 0, "help %s", sections[i][0]);
        E2E_SAID(sections[i][1]);
    }
    E2E_EXIT(0, 0, "help epochs"); /* a setting: with those beside it */
    E2E_SAID("train (experiment)");
    E2E_SAID("  epochs ");
    static const char *const held[][2] = {{"frozen", "lr_factor"},
                                          {"blocks", "model (experiment)"},
                                          {"train.batch", "last_batch"},
                                          {"train.clip.norm", "train.clip (experiment)"},
                                          {"adam.beta1", "adam (optimizers)"},
                                          {"warmup_epochs", "(schedules)"}};
    for (size_t i = 0; i < COUNT(held); i++) {
        E2E_EXIT(0, 0, "help %s", held[i][0]);
        E2E_SAID(held[i][1]);
    }
    E2E_EXIT(2, 0, "help adam.stride");
    E2E_EXIT(0, 0, "help momentum");
    E2E_SAID("sgd (optimizers)");
    E2E_EXIT(0, 0, "help seed");
    E2E_SAID("experiment (experiment)");
    CU_ASSERT(!e2e_said("train (experiment)"));
    E2E_EXIT(2, 0, "help layers epochs");
    E2E_EXIT(2, 0, "help Linear");
    E2E_SAID("did you mean \"dense\"?");
    E2E_EXIT(0, 2, "help train");
    CU_ASSERT_EQUAL(e2e_count("Usage:"), 1);
    CU_ASSERT_EQUAL(e2e_count("train (experiment)"), 1);
    E2E_EXIT(0, 0, "help train --json");
    E2E_SAID("{\"kinds\":[{\"topic\":\"experiment\",\"name\":\"train\"");
    E2E_EXIT(0, 0, "help data pack");
    CU_ASSERT(!e2e_said("data.train"));
}

/* Any word that stands in an experiment or on the command line leads to where it is told. */
static void help_finds_words(void) {
    static const struct {
        const char *word, *said[3];
    } words[] = {
        {"kernel", {"setting of conv (layers) ", "convoy help maxpool ", "its height and width"}},
        {"padding", {"setting of avgpool (layers) ", "setting of pad (layers) ", "same"}},
        {"every", {"convoy help checkpoint ", "convoy help log ", "20 steps"}},
        {"resume", {"--resume, option of train ", "convoy train --help ", "newest"}},
        {"time-limit", {"--time-limit, option of train ", "checkpoint", "90s"}},
        {"steps", {"--steps, option of train ", "", ""}},
        {"pack", {"data pack ", "convoy data pack --help ", ""}},
        {"bf16", {"value of precision in train (experiment) ", "convoy help train ", ""}},
        {"metrics", {"configs/FORMATS.md", "", ""}},
        {"accuracy", {"convoy eval --help ", "", ""}},
        {"leaf", {"samples a gradient leaf", "option of describe", "option of bench"}},
        {"flip", {"flip (augmentations)", "setting of conv (layers)", ""}},
        {"pictures", {"option of predict", "", ""}}, /* in texts alone */
        {"jpeg", {"INPUT, argument of predict", "", ""}},
        {"png", {"INPUT, argument of predict", "", ""}},
        {"regression", {"convoy help losses", "mse", ""}},
        {"segmentation", {"a map of classes", "", ""}},
        {"multi-label", {"convoy help logistic", "", ""}},
        {"mask", {"a map of classes", "", ""}},
        {"warmup", {"warmup_epochs", "", ""}},
        {"nan", {"names the sample", "", ""}},
        {"normalize", {"data.mean", "", ""}},
        {"slurm", {"launch/slurm.sh", "", ""}},
        {"pooling", {"maxpool", "", ""}},
        {"exit", {"convoy train --help", "", ""}},
        {"exit codes", {"convoy train --help", "", ""}},
        {"kill", {"exits 75", "", ""}},
        {"batch size", {"train (experiment)", "samples of a step", ""}},
        {"learning rate", {"train (experiment)", "learning_rate", ""}},
        {"conv dense", {"conv (layers)", "dense (layers)", ""}},
    };
    e2e_home();
    for (size_t i = 0; i < COUNT(words); i++) {
        E2E_EXIT(0, 0, "help %s", words[i].word);
        for (int w = 0; w < 3; w++) E2E_SAID(words[i].said[w]);
    }
    E2E_EXIT(0, 0, "help kernel --json");
    E2E_SAID("\"name\":\"conv\"");
    E2E_SAID("\"name\":\"maxpool\"");
    E2E_EXIT(0, 0, "help train.loss");
    CU_ASSERT_EQUAL(strncmp(e2e_stdout, "train (experiment)", strlen("train (experiment)")), 0);
    E2E_EXIT(2, 0, "help kernal");
    E2E_SAID("did you mean \"kernel\"?");
    E2E_EXIT(2, 0, "help frobnicate");
    E2E_SAID("no help on \"frobnicate\"");
}

static void version(void) {
    e2e_home();
    E2E_EXIT(0, 0, "-V");
    E2E_SAID("convoy 0.1.0\n");
    E2E_EXIT(0, 0, "train -V");
    E2E_SAID("convoy 0.1.0\n");
    E2E_EXIT(0, 0, "--version");
    E2E_SAID("convoy 0.1.0\n");
    E2E_EXIT(0, 0, "--version --json");
    E2E_SAID("\"version\":\"0.1.0\"");
    E2E_EXIT(0, 2, "--version");
    CU_ASSERT_EQUAL(e2e_count("convoy 0.1.0"), 1);
}

static const struct {
    const char *arguments, *words;
    bool with_ranks; /* under mpirun -n 2 too */
} refusals[] = {
    {"", "a command is missing", true},
    {"trian x.yaml", "unknown command \"trian\"; did you mean \"train\"?", true},
    {"frobnicate", "unknown command \"frobnicate\"", false},
    {"data", "\"data\" needs a second word", false},
    {"data pakc a b c", "did you mean \"data pack\"?", false},
    {"--threads 2 train x.yaml", "--threads: options come after the command", false},
    {"train", "EXPERIMENT.yaml is missing", false},
    {"train a.yaml b.yaml", "\"b.yaml\" is one argument too many", false},
    {"train a.yaml --stesp 3", "unknown option --stesp; did you mean --steps?", true},
    {"train --unheard-of a.yaml", "unknown option --unheard-of; convoy train --help lists them", false},
    {"train a.yaml --epochs 3", "--epochs is a setting of the experiment; write --set train.epochs=3", true},
    {"train a.yaml --epochs=3", "write --set train.epochs=3", false},
    {"train --batch 64 a.yaml", "write --set train.batch=64", false},
    {"train a.yaml --batch-size 64", "write --set train.batch=64", false},
    {"train a.yaml --lr 0.1", "write --set train.learning_rate=0.1", false},
    {"train a.yaml --seed 7", "write --set seed=7", false},
    {"train a.yaml --seed", "write --set seed=VALUE", false},
    {"train a.yaml --optimizer adam", "write --set train.optimizer=adam", false},
    {"describe a.yaml --batch 3", "write --set train.batch=3", false},
    {"train a.yaml --output-dir r", "did you mean --run?", false},
    {"fit a.yaml", "did you mean \"train\"?", false},
    {"train -z a.yaml", "unknown option -z", false},
    {"train a.yaml --steps", "--steps needs a value N", false},
    {"train a.yaml --steps 1.5", "--steps 1.5: expected a whole number of at least 0", false},
    {"train a.yaml --steps -1", "--steps -1: expected a whole number of at least 0", false},
    {"train a.yaml --threads 0", "--threads 0: expected a whole number of at least 1", false},
    {"train a.yaml --resume=yes", "--resume takes no value", false},
    {"train a.yaml --time-limit 55", "--time-limit 55: expected a time such as 90s, 55m", false},
    {"train a.yaml --time-limit 0s", "expected a time", false},
    {"train a.yaml --time-limit 1:70:00", "expected a time", false},
    {"train a.yaml --log-level loud", "expected error|warn|info|debug", false},
    {"data pack a", "OUT.h5 is missing", false},
    {"data pack a b", "packing idx takes two inputs, images and labels, and OUT.h5 behind them", false},
    {"data pack a b c --like runs/x", "packing idx: --x, --y, --layout, --y-layout, --like and --values say how",
     false},
    {"data pack a b c --deflate 10", "expected a whole number of at least 0 and at most 9", false},
    {"data pack --format png a b c", "--format png: expected idx", false},
    {"ckpt diff a", "B is missing", false},
};

static void refusals_name_what_was_meant(void) {
    e2e_home();
    for (size_t i = 0; i < COUNT(refusals); i++)
        for (int ranks = 0; ranks <= (refusals[i].with_ranks ? 2 : 0); ranks += 2) {
            E2E_EXIT(2, ranks, "%s", refusals[i].arguments);
            E2E_SAID(refusals[i].words);
            CU_ASSERT_EQUAL(e2e_error_lines(), 1);
        }
}

/* A folder in the place of a file, a file in that of a folder: one line that says so, and what may be meant. */
static void folders_for_files(void) {
    static const struct {
        int code;
        const char *call, *words;
    } calls[] = {
        {2, "train many/one", " train many/one/experiment.yaml --run many/one --resume\n"},
        {2, "train many/one/checkpoints", " train many/one/experiment.yaml --run many/one --resume\n"},
        {2, "train many/one/checkpoints/step-00000003.h5",
         "is a checkpoint of a run, and no experiment; to go on with"},
        {2, "train train.h5", "train.h5: is an HDF5 file such as a data set or a checkpoint; name a text file"},
        {2, "train array.npy", "array.npy: is a NumPy array; name a text file, an experiment or a model"},
        {4, "eval array.npy", "array.npy: not a checkpoint, but a NumPy array, or its head is damaged"},
        {4, "train folders.yaml --run no --set init.from=array.npy", "array.npy: not a checkpoint, but a NumPy array"},
        {2, "describe many/one/checkpoints/step-00000003.h5", "is an HDF5 file such as a data set or a checkpoint; "},
        {4, "eval folders.yaml",
         "folders.yaml: is a text file such as an experiment, and no checkpoint; name the folder"},
        {4, "predict folders.yaml test.h5:0", "made (runs/folders, unless its name or --run said otherwise)"},
        {4, "ckpt list folders.yaml", "and no checkpoint; name the folder of the run"},
        {4, "train folders.yaml --run no --set init.from=folders.yaml",
         "and no checkpoint; name the folder of the run"},
        {4, "eval many/one/experiment.yaml",
         "is the experiment of a run, and no checkpoint; name the run's folder, many/one"},
        {4, "eval pipe", "pipe: is a pipe or a device; give a file"},
        {3, "predict many/one pipe", "pipe: is a pipe or a device; give a file"},
        {3, "data info pipe", "pipe: is a pipe or a device; give a file"},
        {4, "eval train.h5", "train.h5: not a checkpoint, but an HDF5 file such as a data set"},
        {2, "describe many/one", "many/one: is a folder; name a file, such as many/one/experiment.yaml"},
        {2, "bench void", "void: is a folder; name a file\n"},
        {2, "describe folders.yaml --set model=void", "void: is a folder"},
        {3, "train folders.yaml --run no --set data.train=sets", "sets: is a folder; name a file, such as "},
        {3, "train folders.yaml --run no --set data.test=void", "void: is a folder; name a file\n"},
        {4, "train folders.yaml --run no --set init.from=void", "void: is a folder, but no run"},
        {4, "train folders.yaml --run no --set init.from=many", "many: is a folder of 2 runs; name one, such as "},
        {3, "data info sets", "sets: is a folder; name a file, such as sets/a.h5"},
        {3, "data info shards.d", "shards.d: is a folder; name a file, such as shards.h5"},
        {3, "data verify void", "void: is a folder; name a file\n"},
        {3, "data split sets a.h5 b.h5 --samples 3", "sets: is a folder; name a file, such as sets/a.h5"},
        {3, "data pack void train-y.idx packed.h5", "void: is a folder; name a file\n"},
        {3, "data pack --format hdf5 sets packed.h5", "sets: is a folder; name a file, such as sets/a.h5"},
        {2, "data pack train-x.idx train-y.idx void", "void: is a folder; name a file to write"},
        {2, "data split train.h5 void b.h5 --samples 3", "void: is a folder; name a file to write"},
        {4, "eval void", "void: is a folder, but no run"},
        {4, "eval many", "many: is a folder of 2 runs; name one, such as many/one"},
        {3, "eval many/one --data sets", "sets: is a folder"},
        {2, "predict many/one test.h5:0 --out void", "void: is a folder; name a file to write"},
        {3, "predict many/one sets:0", "sets: is a folder; name a file, such as sets/a.h5"},
        {4, "predict void train.h5:0", "void: is a folder, but no run"},
        {4, "ckpt info many", "many: is a folder of 2 runs; name one, such as many/one"},
        {4, "ckpt verify void", "void: is a folder, but no run"},
        {4, "ckpt diff void many/one", "void: is a folder, but no run"},
        {4, "ckpt list void", "void: is a folder, but no run"},
        {4, "ckpt list train.h5", "train.h5: is a file; name a run folder"},
        {2, "train folders.yaml --run train.h5", "train.h5: is a file, where a folder is wanted"},
        {2, "train folders.yaml --run no --rank-logs train.h5", "train.h5: is a file, where a folder is wanted"},
    };
    e2e_home();
    e2e_write_experiment("folders.yaml", NULL, NULL);
    e2e_write("array.npy", "\223NUMPY\1\0", 8);
    E2E_EXIT(0, 0, "train folders.yaml --run many/one --steps 3 -q");
    E2E_EXIT(0, 0, "train folders.yaml --run many/two --steps 2 -q");
    test_shell(e2e_output, sizeof e2e_output,
               "cd '%s' && rm -f pipe && mkfifo pipe && mkdir -p void sets shards.d && cp train.h5 sets/b.h5 && cp "
               "test.h5 sets/a.h5 && cp test.h5 "
               "shards.h5",
               e2e_home());
    for (size_t i = 0; i < COUNT(calls); i++) {
        E2E_EXIT(calls[i].code, 0, "%s", calls[i].call);
        E2E_SAID(calls[i].words);
        CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    }
    E2E_EXIT(4, 2, "eval void");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
}

/* The experiment of one run would go on in another; the command that is printed goes on with the run. */
static void a_run_goes_on_in_its_folder(void) {
    e2e_home();
    e2e_write_experiment("own.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train own.yaml --run 'own run' --steps 3 -q");
    E2E_EXIT(0, 0, "train 'own run/experiment.yaml' --steps 4 --resume");
    E2E_SAID("own run/experiment.yaml: is of the run own run, and this goes on in ");
    E2E_EXIT(2, 0, "train 'own run'");
    E2E_SAID(" train 'own run/experiment.yaml' --run 'own run' --resume\n");
    E2E_EXIT(0, 0, "train 'own run/experiment.yaml' --run 'own run' --resume --steps 5");
    CU_ASSERT(!e2e_said("warning"));
    CU_ASSERT_EQUAL(e2e_newest_step("own run"), 5);
}

/* Options that an experiment's message names are the program's. */
static void options_are_no_settings(void) {
    static const char *const words[] = {"run",     "resume",    "allow-change", "steps",   "time-limit", "dry-run",
                                        "threads", "log-level", "rank-logs",    "silence", "json",       "quiet"};
    char option[32];
    e2e_home();
    e2e_write_experiment("options.yaml", NULL, NULL);
    for (size_t i = 0; i < COUNT(words); i++) {
        snprintf(option, sizeof option, "--%s", words[i]);
        E2E_EXIT(2, 0, "train options.yaml --set %s=3", words[i]);
        E2E_SAID("an option of convoy train?");
        E2E_SAID(option);
        E2E_EXIT(0, 0, "train --help");
        E2E_SAID(option);
    }
    E2E_EXIT(2, 0, "train options.yaml --ranks 4");
    E2E_SAID("unknown option --ranks; it is mpirun's: mpirun -n 4 convoy train …");
}

/* A folder of runs has a list of its own; that of a run, and its folder of checkpoints, stay what they were. */
static void runs_are_listed(void) {
    e2e_home();
    e2e_write_experiment("runs.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train runs.yaml --run listed/b --steps 3 -q");
    E2E_EXIT(0, 0, "train runs.yaml --run listed/a --steps 5 -q");
    test_shell(e2e_output, sizeof e2e_output, "cd '%s' && mkdir -p listed/none listed/c/checkpoints", e2e_home());
    E2E_EXIT(0, 0, "ckpt list listed");
    E2E_SAID("listed/a\n");
    E2E_SAID("good   listed/b\n");
    E2E_SAID("empty  listed/c\n");
    CU_ASSERT(!e2e_said("listed/none"));
    E2E_EXIT(0, 2, "ckpt list listed --json");
    E2E_SAID("{\"runs\":[{\"path\":\"listed/a\",\"checkpoints\":2,\"step\":5,");
    E2E_SAID("{\"path\":\"listed/c\",\"checkpoints\":0,\"bytes\":0,\"good\":false}]}\n");
    test_shell(e2e_output, sizeof e2e_output, "cd '%s' && : >listed/b/checkpoints/step-00000003.h5", e2e_home());
    E2E_EXIT(0, 0, "ckpt list listed");
    E2E_SAID("damaged  listed/b: listed/b/checkpoints/step-00000003.h5: damaged: cut off");
    E2E_EXIT(0, 0, "ckpt list listed/a");
    E2E_SAID("listed/a/checkpoints/step-00000004.h5\n");
    E2E_EXIT(0, 0, "ckpt list listed/a/checkpoints");
    E2E_SAID("listed/a/checkpoints/step-00000004.h5\n");
    E2E_EXIT(0, 0, "ckpt info listed/a/checkpoints --json");
    CU_ASSERT_EQUAL(e2e_json_number(e2e_output, "step"), 5);
}

/* What describe says of memory is what comes to be. (A sanitizer's shadow is memory too.) */
static void memory_as_described(void) {
    static const char model[] = "configs/models/resnet18.yaml";
    double described, used;
    e2e_home();
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return;
#endif
    E2E_EXIT(0, 0, "describe %s/%s --leaf 2 --json", test_root(), model);
    described = e2e_json_number(e2e_output, "memory_bytes") / (1 << 20);
    E2E_EXIT(0, 0, "bench %s/%s --batch 2 --time 1s --json", test_root(), model);
    used = e2e_json_number(e2e_output, "peak_rss_mib");
    if (!(used > 0.95 * described && used < 1.05 * described))
        fprintf(stderr, "\n    %s: %.1f MiB described, %.1f used", model, described, used);
    CU_ASSERT(used > 0.95 * described && used < 1.05 * described);
}

/* A set of noise. */
static void write_noise(const char *name, int count, int side, int channels) {
    const size_t size = (size_t)count * (size_t)side * (size_t)side * (size_t)channels;
    unsigned char *x = calloc(size, 1), *y = calloc((size_t)count, 1);
    CU_ASSERT_FATAL(x != NULL && y != NULL);
    for (size_t i = 0; i < size; i++) x[i] = (unsigned char)((uint32_t)i * 2654435761u >> 24);
    for (int i = 0; i < count; i++) y[i] = (unsigned char)(i % 10);
    const hsize_t dims[4] = {(hsize_t)count, (hsize_t)side, (hsize_t)side, (hsize_t)channels};
    hid_t file = H5Fcreate(e2e_path("%s", name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hdf5_put(file, "/x", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 4, dims, x);
    hdf5_put(file, "/y", H5T_STD_U8LE, H5T_NATIVE_UCHAR, 1, dims, y);
    H5Fclose(file);
    free(x);
    free(y);
}

/* Of an experiment describe counts all that train takes: data, evaluation, checkpoints. LeNet-5 is mostly data, the
 * other, like AlexNet, parameters; in one leaf and in several. Within 5 % and what libraries take beside: 16 MiB. */
static void training_as_described(void) {
    enum { LIBRARIES = 16 };
    static const struct {
        const char *name, *model;
        int side, channels, samples, batch, leaf;
    } cases[] = {
        {"lenet", "model: {file: %s/configs/models/lenet5.yaml}", 28, 1, 40000, 256, 32},
        {"dense",
         "model: {input: [64, 64, 3], layers: [conv: {filters: 32, kernel: 11, stride: 4}, relu, dense: 2048, relu, "
         "dense: 2048, relu, dense: 10]} # %s",
         64, 3, 64, 32, 32},
        {"leaves",
         "model: {input: [64, 64, 3], layers: [conv: {filters: 32, kernel: 11, stride: 4}, relu, dense: 1024, relu, "
         "dense: 10]} # %s",
         64, 3, 64, 32, 8},
    };
    e2e_home();
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return;
#endif
    for (size_t i = 0; i < COUNT(cases); i++) {
        char model[512], text[1024];
        snprintf(model, sizeof model, cases[i].model, test_root());
        int length = snprintf(text, sizeof text,
                              "name: %s\n%s\ndata: {train: noise.h5, test: noise.h5}\n"
                              "train: {epochs: 1, batch: %d, leaf: %d, optimizer: {sgd: {momentum: 0.9}}, "
                              "learning_rate: 0.0001}\n",
                              cases[i].name, model, cases[i].batch, cases[i].leaf);
        write_noise("noise.h5", cases[i].samples, cases[i].side, cases[i].channels);
        e2e_write("memory.yaml", text, (size_t)length);
        E2E_EXIT(0, 0, "describe memory.yaml --threads 2 --json");
        E2E_SAID("\"memory_whole\":true");
        double described = e2e_json_number(e2e_output, "memory_bytes") / (1 << 20);
        E2E_EXIT(0, 0, "train memory.yaml --run memory-%s --threads 2 --json --log-level error", cases[i].name);
        double used = e2e_json_number(e2e_output, "peak_rss_mib");
        bool good = fabs(used - described) < 0.05 * described + LIBRARIES;
        if (!good) fprintf(stderr, "\n    %s: %.1f MiB described, %.1f used", cases[i].name, described, used);
        CU_ASSERT(good);
    }
}

/* One object, and a newline behind it: what a shell, and a reader of lines, expect. */
static void json_ends_its_line(void) {
    static const char *const calls[] = {
        "--version --json",
        "help --json",
        "help conv --json",
        "help train --json",
        "train json.yaml --run json --json -q --steps 3",
        "train json.yaml --run json-dry --json -q --dry-run",
        "eval json --json -q",
        "predict json test.h5:0 --json -q",
        "describe json.yaml --json",
        "bench --json",
        "plan json.yaml --json",
        "data info train.h5 --json",
        "data verify train.h5 --json",
        "data pack train-x.idx train-y.idx json-set.h5 --json",
        "data split train.h5 json-a.h5 json-b.h5 --samples 9 --json",
        "ckpt list json --json",
        "ckpt list . --json",
        "ckpt info json --json",
        "ckpt verify json --json",
        "ckpt diff json json --json",
    };
    e2e_home();
    e2e_write_experiment("json.yaml", NULL, NULL);
    for (size_t i = 0; i < COUNT(calls); i++) {
        E2E_EXIT(0, 0, "%s", calls[i]);
        const size_t length = strlen(e2e_stdout);
        bool good = length > 3 && e2e_stdout[0] == '{' && strcmp(e2e_stdout + length - 2, "}\n") == 0;
        if (!good) fprintf(stderr, "\n    %s: …%s", calls[i], length > 20 ? e2e_stdout + length - 20 : e2e_stdout);
        CU_ASSERT(good);
        CU_ASSERT_PTR_EQUAL(strchr(e2e_stdout, '\n'), e2e_stdout + length - 1);
    }
}

/* Options may stand before or behind the arguments. */
static void options_anywhere(void) {
    char before[4096];
    e2e_home();
    E2E_EXIT(0, 0, "data info --json train.h5");
    snprintf(before, sizeof before, "%.4095s", e2e_stdout);
    E2E_EXIT(0, 0, "data info train.h5 --json");
    CU_ASSERT_STRING_EQUAL(before, e2e_stdout);
}

/* What another option or argument would give it is said, and the command runs. */
static void options_without_effect(void) {
    static const struct {
        const char *call, *alone;
    } calls[] = {
        {"train idle.yaml --run idle --steps 0 --allow-change train.batch",
         "warning: train: --allow-change has no effect without --resume; add that, or leave --allow-change out"},
        {"predict idle test.h5:0 --overwrite", "warning: predict: --overwrite has no effect without --out"},
        {"bench --time 1s --leaf 3 -q", "warning: bench: --leaf has no effect without MODEL"},
    };
    e2e_write_experiment("idle.yaml", NULL, NULL);
    for (size_t i = 0; i < COUNT(calls); i++) {
        E2E_EXIT(0, 0, "%s", calls[i].call);
        E2E_SAID(calls[i].alone);
    }
    E2E_EXIT(0, 2, "train idle.yaml --run idle2 --steps 0 --allow-change train.batch");
    CU_ASSERT_EQUAL(e2e_count("has no effect"), 1);
    E2E_EXIT(0, 0, "train idle.yaml --run idle --steps 0 --resume --allow-change train.batch");
    CU_ASSERT_FALSE(e2e_said("has no effect"));
    E2E_EXIT(0, 0, "predict idle test.h5:0 --out idle.h5 --overwrite --x /x");
    CU_ASSERT_FALSE(e2e_said("no effect"));
}

/* Nothing is lost in silence: a full disk behind stdout is an error. */
static void full_output(void) {
    e2e_home();
    E2E_EXIT(1, 0, "data info train.h5 > /dev/full");
    E2E_EXIT(1, 0, "--help > /dev/full");
}

static const struct test_case cases[] = {
    {"every command has help, said once", every_command_has_help},
    {"the reference of what may be written", reference},
    {"help on commands, topics and sections", help_says_all},
    {"help finds any word", help_finds_words},
    {"version", version},
    {"refusals name what was meant", refusals_name_what_was_meant},
    {"the experiment of a run goes on in its folder", a_run_goes_on_in_its_folder},
    {"options that are taken for settings", options_are_no_settings},
    {"a folder in the place of a file", folders_for_files},
    {"runs are listed", runs_are_listed},
    {"memory is what describe says", memory_as_described},
    {"memory of a whole training, too", training_as_described},
    {"JSON is one line that ends", json_ends_its_line},
    {"options may stand anywhere", options_anywhere},
    {"options without effect are told", options_without_effect},
    {"output that cannot be written is an error", full_output},
    {0},
};
const struct test_suite suite_e2e_cli = {"e2e_cli", cases, NULL};
