/* Law 1 with everything that stands between gradient and weights: optimisers with state and norms, clipping, noise, an
 * average of the weights, a schedule with a memory, frozen layers. */
#define _GNU_SOURCE
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "e2e.h"
#include "hdf5_help.h"

#define PLAIN "  optimizer: {sgd: {momentum: 0.9}}\n  learning_rate: 0.02\n"

static const struct {
    const char *name, *how;
} mixtures[] = {
    {"adamw", "  optimizer: {adamw: {weight_decay: 0.05, amsgrad: true}}\n"
              "  weight_decay_on: weights\n"
              "  learning_rate: {cosine_restarts: {peak: 0.004, first_epochs: 0.7, multiply: 2, warmup_epochs: 0.5}}\n"
              "  clip: {norm: 0.5}\n"
              "  gradient_noise: {eta: 0.001}\n"
              "  ema: {decay: 0.8}\n"},
    {"lamb", "  optimizer: {lamb: {weight_decay: 0.1}}\n"
             "  learning_rate: {exponential: {value: 0.02, factor: 0.5}}\n"
             "  clip: {value: 0.05}\n"},
    {"lars", "  optimizer: {lars: {trust_coefficient: 0.01}}\n"
             "  learning_rate: {polynomial: {peak: 0.5, power: 2, warmup_epochs: 1}}\n"},
    {"rmsprop", "  optimizer: {rmsprop: {centered: true, momentum: 0.5}}\n"
                "  learning_rate: {plateau: {value: 0.004, patience: 0, threshold: 0.5, factor: 0.5}}\n"
                "  ema: {}\n"},
};
enum { ADAMW, LAMB, LARS, RMSPROP };

static char file[64];
static const char *write_mixture(size_t m) {
    e2e_home();
    snprintf(file, sizeof file, "mix-%s.yaml", mixtures[m].name);
    e2e_write_experiment(file, PLAIN, mixtures[m].how);
    return file;
}

/* ---- ranks, threads, sessions ---- */

static const struct { int ranks, threads; } shares[] = {{0, 2}, {1, 1}, {2, 1}, {3, 1}};

static void ranks_and_threads_change_nothing(void) {
    for (size_t m = 0; m < COUNT(mixtures); m++) {
        const char *name = mixtures[m].name, *yaml = write_mixture(m);
        E2E_EXIT(0, 0, "train %s --run %s-one --threads 1", yaml, name);
        for (size_t i = 0; i < COUNT(shares); i++) {
            E2E_EXIT(0, shares[i].ranks, "train %s --run %s-%zu --threads %d", yaml, name, i, shares[i].threads);
            E2E_EXIT(0, 0, "ckpt diff %s-one %s-%zu", name, name, i);
            E2E_SAID("bit-identical");
        }
    }
}

/* In pieces that end inside epochs and at their ends (6 steps each), on changing numbers of ranks. */
static void sessions_change_nothing(void) {
    static const int stops[] = {0, 5, 6, 13, 18};
    for (size_t m = 0; m < COUNT(mixtures); m++) {
        const char *name = mixtures[m].name, *yaml = write_mixture(m);
        for (size_t i = 0; i < COUNT(stops); i++)
            E2E_EXIT(0, (int)(i + m) % 3, "train %s --run %s-pieces --resume --steps %d --threads 1", yaml, name,
                     stops[i]);
        E2E_EXIT(0, 0, "train %s --run %s-whole", yaml, name);
        E2E_EXIT(0, 0, "ckpt diff %s-pieces %s-whole", name, name);
        E2E_SAID("bit-identical");
    }
}

static void killed_and_resumed(void) {
    static const struct { int ranks, kill_after, resume_ranks; } kills[] = {{0, 8, 2}, {2, 20, 3}, {3, 12, 0}};
    const char *yaml = write_mixture(ADAMW);
    for (size_t i = 0; i < COUNT(kills); i++) {
        char run[32];
        snprintf(run, sizeof run, "mix-killed%zu", i);
        struct e2e_job job =
            e2e_start(kills[i].ranks, "train %s --run %s --threads 1 --set train.epochs=100000", yaml, run);
        CU_ASSERT(e2e_wait_for_step(run, kills[i].kill_after));
        e2e_signal_rank(job, SIGKILL);
        e2e_expect_exit(137, e2e_wait(job), __FILE__, __LINE__);
        int last = e2e_newest_step(run) + 9;
        E2E_EXIT(0, kills[i].resume_ranks,
                 "train %s --run %s --resume --steps %d --threads 1 --set train.epochs=100000", yaml, run, last);
        E2E_EXIT(0, 0, "train %s --run %s-untouched --steps %d --set train.epochs=100000 --log-level error", yaml, run,
                 last);
        E2E_EXIT(0, 0, "ckpt diff %s-untouched %s", run, run);
        E2E_SAID("bit-identical");
    }
}

/* ---- The average ---- */

/* The last "eval" line's number. */
static double last_evaluation(const char *run, const char *key) {
    static char text[1 << 16];
    const char *last = NULL;
    e2e_read(e2e_path("%s/metrics.jsonl", run), text, sizeof text);
    for (const char *p = text; (p = strstr(p, "{\"kind\":\"eval\"")); p++) last = p;
    return last ? e2e_json_number(last, key) : NAN;
}

/* It changes no weight; evaluation goes by it, in training and afterwards. */
static void average_is_what_is_evaluated(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train tiny.yaml --run raw");
    E2E_EXIT(0, 2, "train tiny.yaml --run averaged --set 'train.ema={decay: 0.9}' --threads 1");
    E2E_EXIT(1, 0, "ckpt diff raw averaged");
    E2E_SAID("/ema/conv1/weight");
    CU_ASSERT_FALSE(e2e_said("/param/") || e2e_said("/optim/"));
    CU_ASSERT(fabs(last_evaluation("raw", "loss") - last_evaluation("averaged", "loss")) > 1e-4);
    for (int i = 0; i < 2; i++) {
        const char *run = i ? "averaged" : "raw";
        E2E_EXIT(0, 0, "eval %s --json", run);
        CU_ASSERT_DOUBLE_EQUAL(e2e_json_number(e2e_output, "loss"), last_evaluation(run, "loss"), 1e-9);
    }
    E2E_EXIT(2, 0, "train tiny.yaml --run averaged --resume --steps 18");
    E2E_SAID("train.ema");
}

/* With batch normalisation: the average of the weights is evaluated with the average of the statistics. */
static const char *write_averaged(void) {
    e2e_home();
    e2e_write_experiment("averaged.yaml", "    - relu\n    - maxpool: 2\n",
                         "    - batchnorm\n    - relu\n    - maxpool: 2\n");
    return "averaged.yaml --set 'train.ema={decay: 0.6}' --set train.leaf=8 --set checkpoint.keep=100 "
           "--set 'checkpoint.every=1 steps'";
}

static void read_tensor(const char *run, int step, const char *name, float out[16]) {
    hid_t h5 = H5Fopen(e2e_path("%s/checkpoints/step-%08d.h5", run, step), H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t tensor = H5Dopen2(h5, name, H5P_DEFAULT), space = H5Dget_space(tensor);
    CU_ASSERT_FATAL(tensor >= 0 && H5Sget_simple_extent_npoints(space) <= 16);
    CU_ASSERT(H5Dread(tensor, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0);
    H5Sclose(space);
    H5Dclose(tensor);
    H5Fclose(h5);
}

/* Step by step: mean += (1 − min(decay, (1 + t)/(10 + t)))·(x − mean), from the initial values on. */
static void average_follows_its_formula(void) {
    static const struct {
        const char *raw, *averaged;
    } tensors[] = {{"/param/batchnorm1/bias", "/ema/batchnorm1/bias"},
                   {"/param/batchnorm1/weight", "/ema/batchnorm1/weight"},
                   {"/buffer/batchnorm1/running_mean", "/ema/batchnorm1/running_mean"},
                   {"/buffer/batchnorm1/running_var", "/ema/batchnorm1/running_var"}};
    const char *yaml = write_averaged();
    E2E_EXIT(0, 0, "train %s --run formula --steps 0", yaml);
    E2E_EXIT(0, 0, "train %s --run formula --resume", yaml);
    for (size_t i = 0; i < COUNT(tensors); i++) {
        float raw[16], found[16], first[16];
        double mean[4];
        read_tensor("formula", 0, tensors[i].raw, first);
        for (int c = 0; c < 4; c++) mean[c] = first[c];
        for (int t = 0; t < 18; t++) {
            const double early = (1.0 + t) / (10.0 + t), share = 1 - (early < 0.6 ? early : 0.6);
            read_tensor("formula", t + 1, tensors[i].raw, raw);
            read_tensor("formula", t + 1, tensors[i].averaged, found);
            for (int c = 0; c < 4; c++) {
                mean[c] += share * (raw[c] - mean[c]);
                CU_ASSERT_DOUBLE_EQUAL(found[c], mean[c], 1e-5);
            }
        }
        CU_ASSERT(fabsf(raw[0] - first[0]) > 1e-4F && fabsf(raw[0] - found[0]) > 1e-5F);
    }
}

static void average_has_statistics_of_its_own(void) {
    char yaml[512], alone[8192];
    snprintf(yaml, sizeof yaml, "%s", write_averaged());
    E2E_EXIT(0, 0, "train %s --run statistics", yaml);
    for (int ranks = 1; ranks <= 2; ranks++) {
        E2E_EXIT(0, ranks, "train %s --run statistics-%d --threads 1 --steps 7", yaml, ranks);
        E2E_EXIT(0, 3 - ranks, "train %s --run statistics-%d --threads 1 --resume", yaml, ranks);
        E2E_EXIT(0, 0, "ckpt diff statistics statistics-%d", ranks);
        E2E_SAID("bit-identical");
        CU_ASSERT_EQUAL(last_evaluation("statistics", "loss"),
                        last_evaluation(ranks == 1 ? "statistics-1" : "statistics-2", "loss"));
    }
    E2E_EXIT(0, 0, "eval statistics --json --log-level error");
    strcpy(alone, e2e_stdout);
    CU_ASSERT_DOUBLE_EQUAL(e2e_json_number(alone, "loss"), last_evaluation("statistics", "loss"), 1e-9);
    E2E_EXIT(0, 2, "eval statistics --json --log-level error --threads 1");
    CU_ASSERT_STRING_EQUAL(e2e_stdout, alone);
    /* predict says the same of each sample: its probabilities of the true classes give eval's loss. */
    double loss = 0;
    for (int i = 0; i < 40; i++) {
        char class[16] = "", key[64];
        E2E_EXIT(0, 0, "predict statistics test.h5:%d --json", i);
        const char *truth = strstr(e2e_output, "\"true\":\"");
        if (truth) sscanf(truth + 8, "%15[^\"]", class);
        snprintf(key, sizeof key, "{\"class\":\"%s\"", class);
        const char *entry = strstr(e2e_output, key);
        CU_ASSERT_FATAL(entry != NULL);
        loss -= log(e2e_json_number(entry, "probability")) / 40;
    }
    CU_ASSERT_DOUBLE_EQUAL(loss, e2e_json_number(alone, "loss"), 1e-5);
}

/* ---- The schedule with a memory ---- */

/* patience 0 and a threshold that nothing meets: the rate halves after every evaluation but the first. */
static void plateau_remembers(void) {
    static char text[1 << 16];
    int steps = 0;
    const char *yaml = write_mixture(RMSPROP);
    for (int stop = 3; stop <= 18; stop += 3)
        E2E_EXIT(0, 0, "train %s --run remembers --resume --steps %d --threads 1", yaml, stop);
    e2e_read(e2e_path("remembers/metrics.jsonl"), text, sizeof text);
    for (const char *p = text; (p = strstr(p, "{\"kind\":\"step\"")); p++, steps++) {
        double halvings = steps < 12 ? 0 : 1;
        CU_ASSERT_DOUBLE_EQUAL(e2e_json_number(p, "lr"), 0.004 * pow(0.5, halvings), 1e-9);
    }
    CU_ASSERT_EQUAL(steps, 18);
}

/* ---- Frozen layers ---- */

static void frozen_layers_keep_their_bits(void) {
    e2e_home();
    e2e_write_experiment("frozen.yaml", "- conv: {filters: 4, kernel: 3, padding: same}",
                         "- {conv: {filters: 4, kernel: 3, padding: same}, frozen: true}");
    E2E_EXIT(0, 0, "train frozen.yaml --run frozen-start --steps 0");
    E2E_EXIT(0, 0, "train frozen.yaml --run frozen-end");
    E2E_EXIT(0, 3, "train frozen.yaml --run frozen-ranks --threads 1");
    E2E_EXIT(0, 0, "ckpt diff frozen-end frozen-ranks");
    E2E_EXIT(1, 0, "ckpt diff frozen-start frozen-end");
    E2E_SAID("/param/dense1/weight");
    CU_ASSERT_FALSE(e2e_said("/conv1/"));
}

/* ---- What does not go ---- */

static const struct {
    const char *set, *said;
} bad[] = {
    {"'train.clip={value: 1, norm: 1}'", "clip: expected {value: v} or {norm: v}, above zero"},
    {"'train.clip={}'", "clip: expected {value: v} or {norm: v}, above zero"},
    {"'train.clip={nrom: 1}'", "clip: unknown key \"nrom\"; did you mean \"norm\"?"},
    {"'train.gradient_noise={gamma: 1}'", "gradient_noise: \"eta\" is missing"},
    {"'train.ema={decay: 1}'", "decay: 1 is out of range"},
    {"'train.learning_rate={multi_step: {value: 1, milestones: [3, 2]}}'",
     "milestones: expected a list of 1 to 64 epochs above 0, each above the one before"},
    {"'train.learning_rate={plateau: {value: 1}}' --set data.test=", "there is no data.validation or data.test"},
    {"'train.learning_rate={one_cycle: {peak: 1, three_phase: true, pct_start: 0.6}}'", "must be below 0.5"},
};

static void bad_settings(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    for (size_t i = 0; i < COUNT(bad); i++) {
        E2E_EXIT(2, (int)i % 3, "train tiny.yaml --run bad-optim --set %s --threads 1", bad[i].set);
        E2E_SAID(bad[i].said);
        CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    }
    e2e_write_experiment("stiff.yaml",
                         "- conv: {filters: 4, kernel: 3, padding: same}\n    - relu\n    - maxpool: 2\n"
                         "    - dropout: 0.1\n    - flatten\n    - dense: 16\n    - relu\n    - dense: 4\n",
                         "- {dense: 4, frozen: true}\n");
    E2E_EXIT(2, 2, "train stiff.yaml --run bad-optim --threads 1");
    E2E_SAID("every layer is frozen");
}

/* Only where rounding noise would become whole steps: with that advice followed, nothing is said. */
static void noise_is_told(void) {
    static const struct {
        const char *set;
        bool told;
    } tries[] = {
        {"train.optimizer='{adam: {eps: 1e-12}}'", true},
        {"train.optimizer='{rmsprop: {eps: 1e-9}}'", true},
        {"train.optimizer=adagrad", true},
        {"train.optimizer='{adagrad: {initial_accumulator_value: 0.1}}'", false},
        {"train.optimizer=adam", false},
        {"train.optimizer=sgd", false},
        {"train.optimizer='{adam: {eps: 1e-12}}' --set train.winograd=false", false},
    };
    e2e_home();
    e2e_write_experiment("noisy.yaml", "    - relu\n    - maxpool: 2\n",
                         "    - repeat: {times: 2, layers: [{conv: {filters: 16, kernel: 3, padding: same}}, relu]}\n"
                         "    - maxpool: 2\n");
    for (size_t i = 0; i < COUNT(tries); i++) {
        E2E_EXIT(0, 0, "train noisy.yaml --run noisy --dry-run --set %s", tries[i].set);
        CU_ASSERT_EQUAL(e2e_said("weights whose gradient is zero may be moved by its rounding"), tries[i].told);
    }
    e2e_write_experiment("narrow.yaml", PLAIN, "  optimizer: {adam: {eps: 1.0e-12}}\n  learning_rate: 0.001\n");
    E2E_EXIT(0, 0, "train narrow.yaml --run narrow --dry-run");
    CU_ASSERT(!e2e_said("rounding")); /* its convolutions have too few channels to be transformed */
}

static const struct test_case cases[] = {
    {"ranks and threads change no bit", ranks_and_threads_change_nothing},
    {"sessions change no bit", sessions_change_nothing},
    {"killed and resumed: the same bits", killed_and_resumed},
    {"the average is what is evaluated", average_is_what_is_evaluated},
    {"the average follows its formula", average_follows_its_formula},
    {"the average has statistics of its own", average_has_statistics_of_its_own},
    {"plateau remembers", plateau_remembers},
    {"frozen layers keep their bits", frozen_layers_keep_their_bits},
    {"a tiny eps beside Winograd's algorithm is told", noise_is_told},
    {"bad settings", bad_settings},
    {0},
};
const struct test_suite suite_e2e_optim = {"e2e_optim", cases, NULL};
