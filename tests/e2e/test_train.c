/* Whole trainings: the same bits on every number of ranks and threads, the run folder, and commands that look at the
 * result and must agree with one another. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/memory.h"
#include "hdf5_help.h"
#include "e2e.h"
#include "io/yaml.h"
#include "train/session/loop.h"

/* The run that others are compared with: 3 epochs, 18 steps, one process. */
static const char *reference(void) {
    static bool made;
    e2e_home();
    if (made) return "reference";
    made = true;
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train tiny.yaml --run reference --threads 1");
    return "reference";
}

/* ---- Law 1: same inputs, same bits ---- */

static const struct { int ranks, threads; } shares[] = {{0, 2}, {1, 1}, {2, 1}, {2, 2}, {3, 1}, {4, 1}, {4, 2}};

static void ranks_and_threads_change_nothing(void) {
    const char *one = reference();
    for (size_t i = 0; i < COUNT(shares); i++) {
        E2E_EXIT(0, shares[i].ranks, "train tiny.yaml --run share%zu --threads %d", i, shares[i].threads);
        E2E_EXIT(0, 0, "ckpt diff %s share%zu", one, i);
        E2E_SAID("bit-identical");
    }
}

/* Both batch norms, of the leaf and of the whole batch, beside dropout and augmentation: ranks, threads, sessions; the
 * running statistics are in the checkpoint, and evaluation reads them. */
static void batch_norm_on_any_ranks(void) {
    char alone[8192];
    e2e_home();
    e2e_write_experiment(
        "norms.yaml", "    - relu\n    - maxpool: 2\n    - dropout: 0.1\n    - flatten\n    - dense: 16\n",
        "    - batchnorm: {sync: true}\n    - relu\n    - maxpool: 2\n    - dropout: 0.1\n"
        "    - batchnorm\n    - flatten\n    - dense: 16\n    - batchnorm: {sync: true, momentum: 0.5}\n");
    E2E_EXIT(0, 0, "train norms.yaml --run norms --threads 1");
    for (int ranks = 1; ranks <= 4; ranks++) {
        E2E_EXIT(0, ranks, "train norms.yaml --run norms%d --threads %d", ranks, 1 + ranks % 2);
        E2E_EXIT(0, 0, "ckpt diff norms norms%d", ranks);
        E2E_SAID("bit-identical");
    }
    for (int stop = 5; stop <= 18; stop += 13)
        E2E_EXIT(0, stop == 5 ? 3 : 2, "train norms.yaml --run normed --resume --steps %d --threads 1", stop);
    E2E_EXIT(0, 0, "ckpt diff norms normed");
    E2E_EXIT(0, 0, "train norms.yaml --run normed2 --set seed=2");
    E2E_EXIT(1, 0, "ckpt diff norms normed2");
    E2E_SAID("/buffer/batchnorm1/running_mean");
    E2E_SAID("/buffer/batchnorm3/running_var");
    E2E_EXIT(0, 0, "eval norms --json --log-level error");
    snprintf(alone, sizeof alone, "%.8191s", e2e_stdout);
    CU_ASSERT(e2e_json_number(alone, "loss") < 0.9); /* by chance 1.39; 0.69 at best, as classes are flipped */
    E2E_EXIT(0, 3, "eval norms --json --log-level error --threads 1");
    CU_ASSERT_STRING_EQUAL(e2e_stdout, alone);
}

/* Less memory, the same bits; also when a run goes on the other way. */
static void recompute_changes_nothing(void) {
    e2e_home();
    e2e_write_experiment("repeats.yaml", "    - relu\n    - maxpool: 2\n",
                         "    - repeat: {times: 4, layers: [{conv: {filters: 4, kernel: 3, padding: same}}, batchnorm, "
                         "relu]}\n    - maxpool: 2\n");
    E2E_EXIT(0, 0, "train repeats.yaml --run held --set train.recompute=none");
    E2E_EXIT(0, 0, "train repeats.yaml --run repeated --set train.recompute=all --steps 7");
    E2E_EXIT(0, 2, "train repeats.yaml --run repeated --set train.recompute=none --resume");
    E2E_EXIT(0, 0, "ckpt diff held repeated");
    E2E_SAID("bit-identical");
    E2E_EXIT(0, 0, "describe repeats.yaml --json --leaf 512 --set train.recompute=none");
    const double kept = e2e_json_number(e2e_output, "memory_bytes");
    E2E_EXIT(0, 0, "describe repeats.yaml --json --leaf 512 --set train.recompute=all");
    CU_ASSERT(e2e_json_number(e2e_output, "memory_bytes") < kept - 512 * 12 * 12 * 4 * sizeof(float)); /* a map */
}

/* Everything else that draws numbers, joins paths, sums over the batch or has a loss of its own. */
static void canon_on_any_ranks(void) {
    e2e_home();
    e2e_write_experiment(
        "canon.yaml", "    - relu\n    - maxpool: 2\n    - dropout: 0.1\n    - flatten\n    - dense: 16\n",
        "    - prelu\n    - gaussian_noise: 0.1\n    - spatial_dropout: 0.2\n"
        "    - residual: {layers: [{conv: {filters: 4, kernel: 3, padding: 1, groups: 2}}, groupnorm: 2, silu]}\n"
        "    - aux: {weight: 0.4, layers: [{avgpool: 3}, dropout: 0.3, dense: 4]}\n"
        "    - branch: {paths: [[{maxpool: 2}], [{conv: {filters: 3, kernel: 2, stride: 2}}, lrn]]}\n"
        "    - conv_transpose: {filters: 4, kernel: 2, stride: 2, groups: 1}\n    - layernorm\n"
        "    - adaptive_maxpool: [3, 4]\n    - upsample: {factor: 2, mode: bilinear}\n    - dense: 16\n");
    const char *set = "--set 'train.loss={softmax_cross_entropy: {class_weights: [1, 2, 0.5, 1], ignore_label: 3}}'";
    E2E_EXIT(0, 0, "train canon.yaml --run canon --threads 1 %s", set);
    for (int ranks = 1; ranks <= 4; ranks++) {
        E2E_EXIT(0, ranks, "train canon.yaml --run canon%d --threads %d %s", ranks, 1 + ranks % 2, set);
        E2E_EXIT(0, 0, "ckpt diff canon canon%d", ranks);
        E2E_SAID("bit-identical");
    }
}

/* Steps taken in several sessions are the same steps; so is the ISA level capped on one rank only. */
static void sessions_change_nothing(void) {
    const char *one = reference();
    static const int stops[] = {0, 1, 5, 6, 7, 13, 18};
    for (size_t i = 0; i < COUNT(stops); i++)
        E2E_EXIT(0, i % 3 == 1 ? 2 : 0, "train tiny.yaml --run pieces --resume --steps %d --threads 1", stops[i]);
    E2E_EXIT(0, 0, "ckpt diff %s pieces", one);
    E2E_EXIT(0, 0, "train tiny.yaml --run pieces --resume"); /* nothing is left to do */
    E2E_EXIT(0, 0, "ckpt diff %s pieces", one);
}

static void another_seed_changes_much(void) {
    const char *one = reference();
    E2E_EXIT(0, 0, "train tiny.yaml --run seeded --set seed=2");
    E2E_EXIT(1, 0, "ckpt diff %s seeded", one);
    E2E_SAID("/param/conv1/weight");
    E2E_SAID("/param/dense2/weight");
    E2E_SAID("seed");
    CU_ASSERT_EQUAL(e2e_error_lines(), 0);
    E2E_EXIT(1, 2, "ckpt diff %s seeded --json", one);
    E2E_SAID("\"identical\":false");
}

/* ---- The run folder ---- */

static void run_folder_is_complete(void) {
    static const char *const files[] = {"experiment.yaml", "metrics.jsonl", "log.txt", "checkpoints/step-00000018.h5"};
    static char text[65536];
    const char *one = reference();
    for (size_t i = 0; i < COUNT(files); i++) CU_ASSERT_EQUAL(access(e2e_path("%s/%s", one, files[i]), R_OK), 0);
    e2e_read(e2e_path("%s/experiment.yaml", one), text, sizeof text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, e2e_path("train.h5"))); /* resolved: absolute */
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "maxpool"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\n  winograd: true\n"));           /* and whole: with every default */
    E2E_EXIT(0, 0, "train %s/experiment.yaml --run again --steps 18", one); /* and it is an experiment itself */
    E2E_EXIT(0, 0, "ckpt diff %s again", one);
}

/* One voice: a line is said once, whatever the number of ranks; on request every rank keeps a file of its own. */
static void one_voice(void) {
    static char text[65536];
    static const char line[] = "tiny: 2428 parameters";
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 3, "train tiny.yaml --run voice --steps 2 --threads 1 --rank-logs voices/all");
    char *once = strstr(e2e_output, line);
    CU_ASSERT(once != NULL && strstr(once + 1, line) == NULL);
    for (int rank = 0; rank < 3; rank++) {
        e2e_read(e2e_path("voices/all/rank-%04d.log", rank), text, sizeof text);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, line));
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "90 samples"));
    }
    e2e_read(e2e_path("voice/log.txt"), text, sizeof text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "90 samples"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "step 2"));
}

/* The run's log has all that is worth knowing, however quiet the console; and why the run ended. */
static void log_is_whole(void) {
    static char text[65536];
    static const char *const quiet[] = {"-q", "--quiet", "--log-level warn", "--log-level error",
                                        "-q --log-level debug"};
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    for (size_t i = 0; i < COUNT(quiet); i++) {
        E2E_EXIT(0, 0, "train tiny.yaml --run quiet%zu --steps 2 %s --set log.every='1 steps'", i, quiet[i]);
        CU_ASSERT(!e2e_said("90 samples,") && !e2e_said("step 1"));
        E2E_SAID("trained after step 2");
        e2e_read(e2e_path("quiet%zu/log.txt", i), text, sizeof text);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "90 samples"));
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "step 2"));
        CU_ASSERT_PTR_NULL(strstr(text, "debug:"));
    }
    E2E_EXIT(5, 0, "train tiny.yaml --run ended -q --set train.learning_rate=1e9");
    e2e_read(e2e_path("ended/log.txt"), text, sizeof text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "error: the loss is not finite at step"));
}

/* Nouns fit where there is one of a thing. */
static void one_of_each(void) {
    e2e_home();
    e2e_write_experiment("one.yaml", NULL, NULL);
    E2E_EXIT(
        0, 0,
        "train one.yaml --run one-of-each --threads 1 --set train.epochs=1 --set train.batch=90 --set train.leaf=30");
    E2E_SAID("(1 rank × 1 thread, ");
    E2E_SAID("1 step an epoch, 1 epoch;");
    E2E_EXIT(0, 0, "data split train.h5 one-first.h5 one-rest.h5 --samples 1");
    E2E_SAID("one-first.h5: 1 sample\n");
    E2E_EXIT(0, 0, "data verify one-first.h5");
    E2E_SAID("one-first.h5: good, 1 sample\n");
}

/* A step's own accuracy in metrics.jsonl: of a batch of all samples at a rate that moves nothing, what eval says. */
static void metrics_have_accuracies(void) {
    static char text[65536];
    static const char model[] = "{input: [12, 12, 1], layers: [{conv: {filters: 3, kernel: 3}}, relu, dense: 4]}";
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 2,
             "train tiny.yaml --run figures --steps 1 --threads 1 --set 'model=%s' --set train.batch=90 --set "
             "train.leaf=30 --set train.learning_rate=1e-30 --set data.augment= --set train.optimizer= --set "
             "log.every='1 steps'",
             model);
    e2e_read(e2e_path("figures/metrics.jsonl"), text, sizeof text);
    const char *step = strstr(text, "{\"kind\":\"step\"");
    CU_ASSERT_FATAL(step != NULL);
    E2E_EXIT(0, 0, "eval figures --data train.h5 --json --log-level error");
    CU_ASSERT_EQUAL(e2e_json_number(step, "top1"), e2e_json_number(e2e_output, "top1"));
    CU_ASSERT_DOUBLE_EQUAL(e2e_json_number(step, "loss"), e2e_json_number(e2e_output, "loss"), 1e-6);
    CU_ASSERT(e2e_json_number(step, "top1") > 0);
}

/* configs/FORMATS.md names every attribute of /run and every key of the metrics. */
static char formats[65536];

static void expect_in_formats(const char *name, size_t length) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "`%.*s`", (int)length, name);
    if (strstr(formats, quoted) == NULL) fprintf(stderr, "\n    configs/FORMATS.md does not say what %s is", quoted);
    CU_ASSERT_PTR_NOT_NULL(strstr(formats, quoted));
}

static herr_t check_attribute(hid_t where, const char *name, const H5A_info_t *info, void *arg) {
    (void)where, (void)info, (void)arg;
    expect_in_formats(name, strlen(name));
    return 0;
}

static void formats_are_told(void) {
    static char metrics[65536];
    char path[1024];
    const char *one = reference();
    snprintf(path, sizeof path, "%s/configs/FORMATS.md", test_root());
    e2e_read(path, formats, sizeof formats);
    hid_t file = H5Fopen(e2e_path("%s/checkpoints/step-00000018.h5", one), H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t run = H5Gopen2(file, "run", H5P_DEFAULT);
    CU_ASSERT(run >= 0 && H5Aiterate2(run, H5_INDEX_NAME, H5_ITER_INC, NULL, check_attribute, NULL) >= 0);
    H5Gclose(run);
    H5Fclose(file);
    file = H5Fopen(e2e_path("train.h5"), H5F_ACC_RDONLY, H5P_DEFAULT);
    CU_ASSERT(H5Aiterate2(file, H5_INDEX_NAME, H5_ITER_INC, NULL, check_attribute, NULL) >= 0);
    H5Fclose(file);
    e2e_read(e2e_path("%s/metrics.jsonl", one), metrics, sizeof metrics);
    for (const char *p = metrics; (p = strstr(p, "\":")); p += 2) {
        const char *start = p;
        while (start > metrics && start[-1] != '"') start--;
        expect_in_formats(start, (size_t)(p - start));
    }
}

static void checkpoints_are_kept(void) {
    const char *one = reference();
    E2E_EXIT(0, 0, "ckpt list %s --json", one);
    for (int step = 4; step <= 18; step++) {
        char words[32];
        bool kept = step == 12 || step == 16 || step == 18; /* every 4 steps and at the end; 3 of them */
        snprintf(words, sizeof words, "step-%08d.h5", step);
        CU_ASSERT_EQUAL(e2e_said(words), kept);
    }
    E2E_EXIT(0, 0, "ckpt info %s --json", one);
    CU_ASSERT_EQUAL(e2e_json_number(e2e_output, "step"), 18);
    CU_ASSERT_EQUAL(e2e_json_number(e2e_output, "params"), 40 + 2320 + 68);
    CU_ASSERT_EQUAL(e2e_json_number(e2e_output, "seed"), 1);
    E2E_SAID("\"name\":\"tiny\"");
    E2E_EXIT(0, 0, "ckpt info %s", one);
    E2E_SAID("parameters    2,428\n");
    E2E_EXIT(0, 0, "ckpt verify %s/checkpoints/step-00000012.h5", one);
}

static void dry_run_writes_nothing(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 2, "train tiny.yaml --run dry --dry-run --threads 1");
    CU_ASSERT_NOT_EQUAL(access(e2e_path("dry"), F_OK), 0);
    e2e_write_experiment("bad.yaml", "leaf: 4", "leaf: 5");
    E2E_EXIT(2, 0, "train bad.yaml --run dry --dry-run");
}

/* What the command itself would refuse, it refuses: a run that is there, and what does not fit it. */
static void dry_run_compares(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train tiny.yaml --run dried --steps 0");
    E2E_SAID("the initial weights are written");
    E2E_EXIT(2, 0, "train tiny.yaml --run dried --dry-run");
    E2E_SAID("dried already holds a run; add --resume");
    E2E_EXIT(2, 2, "train tiny.yaml --run dried --dry-run --resume --set train.batch=8 --threads 1");
    E2E_SAID("--allow-change train.batch");
    E2E_EXIT(0, 0, "train tiny.yaml --run dried --dry-run --resume");
    E2E_EXIT(0, 0, "train tiny.yaml --run dried --dry-run --resume --set train.batch=8 --allow-change train.batch");
    CU_ASSERT_EQUAL(e2e_newest_step("dried"), 0);
}

/* The digest of a packed set is another than that of the file that it was made of. */
static void packed_for_in_place(void) {
    e2e_home();
    test_shell(e2e_output, sizeof e2e_output, "cd '%s' && cp train.h5 again.h5", e2e_home());
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train tiny.yaml --run placed --steps 1");
    E2E_EXIT(0, 0, "data pack --format hdf5 test.h5 other-set.h5");
    E2E_EXIT(3, 0, "train tiny.yaml --run placed --resume --set data.train=other-set.h5");
    E2E_SAID("as that of a packed set always does from that of the file it was made of");
    E2E_SAID("train.h5, or start a new run");
    E2E_EXIT(0, 0, "train tiny.yaml --run placed --resume --steps 2 --set data.train=again.h5");
}

/* A usual batch and no leaf: one that divides it is chosen, said, and the same on every number of ranks. */
static void leaf_is_chosen(void) {
    e2e_home();
    e2e_write_experiment("unleafed.yaml", "  batch: 16\n  leaf: 4\n", "  batch: 50\n");
    E2E_EXIT(0, 0, "train unleafed.yaml --run leaf-alone");
    E2E_SAID("train.leaf is not given: 25 is taken, the largest divisor of train.batch 50 up to 32");
    E2E_EXIT(0, 2, "train unleafed.yaml --run leaf-two --threads 1");
    E2E_EXIT(0, 0, "ckpt diff leaf-alone leaf-two");
    E2E_SAID("bit-identical");
    E2E_EXIT(0, 0, "describe unleafed.yaml --json");
    CU_ASSERT_EQUAL(e2e_json_number(e2e_output, "leaf"), 25);
    E2E_EXIT(0, 0, "bench unleafed.yaml --time 0.1s --json");
    E2E_EXIT(2, 3, "train unleafed.yaml --run leaf-three --threads 1");
    E2E_SAID(
        "3 ranks, but a batch of 50 has only 2 leaves of 25 samples; start at most 2 ranks, or lower train.leaf to 10");
    E2E_EXIT(0, 3, "train unleafed.yaml --run leaf-three --set train.leaf=10 --threads 1");
    CU_ASSERT(!e2e_said("train.leaf is not given"));
    E2E_EXIT(2, 0, "train unleafed.yaml --run leaf-none --set train.leaf=32");
    E2E_SAID("train.batch 50 is not a multiple of train.leaf 32; take a leaf of 25 or 10, or a batch of 32 or 64");
    E2E_EXIT(2, 0, "bench unleafed.yaml --batch 50 --leaf 32 --time 0.1s");
    E2E_SAID("take a leaf of 25 or 10");
}

/* Networks and schedules that train, and not as they were meant: each is told once, on whatever number of ranks. */
static void traps_are_told(void) {
    e2e_home();
    e2e_write_experiment("trap.yaml", "    - dense: 4\n",
                         "    - dense: 4\n    - {softmax: , name: odds}\n    - flatten\n");
    E2E_EXIT(0, 2, "train trap.yaml --run trap --threads 1");
    E2E_SAID("odds stands before the loss softmax_cross_entropy");
    E2E_SAID("leave odds out");
    CU_ASSERT_EQUAL(e2e_count("warning: "), 1);
    E2E_EXIT(0, 0, "train trap.yaml --run trap-nll --set train.loss=nll");
    E2E_SAID("put log_softmax in the place of odds");
    CU_ASSERT_EQUAL(e2e_count("warning: "), 0);
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 2,
             "train tiny.yaml --run late --threads 1 --set 'train.learning_rate={multi_step: {value: 0.1, "
             "milestones: [2, 7], warmup_epochs: 5}}'");
    E2E_SAID("warning: --set train.learning_rate:1:1: learning_rate: multi_step: milestone 7 lies behind the 3 epochs");
    E2E_SAID("warmup_epochs 5 takes more than the 3 epochs");
    CU_ASSERT_EQUAL(e2e_count("warning: "), 2);
    E2E_EXIT(2, 2, "train tiny.yaml --run low --threads 1 --set 'train.learning_rate={cosine: {peak: 0.1, floor: 1}}'");
    E2E_SAID("cosine: floor 1 is above peak 0.1");
    E2E_EXIT(0, 2, "train tiny.yaml --run no-traps --threads 1");
    CU_ASSERT_EQUAL(e2e_count("warning: "), 0);
}

/* Nothing to learn: trained to the end, with a word, whether there are no weights or fixed ones alone. */
static void nothing_to_learn(void) {
    static const char *const layers[] = {"[{slice: {height: [0, 2], width: [0, 2]}}, flatten]",
                                         "[{conv: {filters: 4, kernel: 3, weights: sobel_x}}, global_avgpool]"};
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    for (int i = 0; i < 2; i++) {
        E2E_EXIT(0, 2, "train tiny.yaml --run still-%d --set 'model.layers=%s' --threads 1", i, layers[i]);
        E2E_SAID("warning: tiny.yaml: the network has no weights that could learn");
        CU_ASSERT_EQUAL(e2e_count("warning: "), 1);
        E2E_EXIT(0, 0, "train tiny.yaml --run still-parts-%d --set 'model.layers=%s' --steps 7", i, layers[i]);
        E2E_EXIT(0, 0, "train tiny.yaml --run still-parts-%d --set 'model.layers=%s' --resume", i, layers[i]);
        E2E_EXIT(0, 0, "ckpt diff still-%d still-parts-%d", i, i);
        E2E_EXIT(0, 0, "eval still-%d --json", i);
        E2E_EXIT(0, 0, "predict still-%d test.h5:0-3", i);
    }
}

/* ---- Commands that must agree ---- */

static void evaluation_counts_each_sample_once(void) {
    char alone[8192];
    const char *one = reference();
    E2E_EXIT(0, 0, "eval %s --json --log-level error", one);
    snprintf(alone, sizeof alone, "%.8191s", e2e_stdout);
    CU_ASSERT_EQUAL(e2e_json_number(alone, "samples"), 40);
    /* It has learnt something: by chance the loss is ln 4 = 1.386. Flips make mirrored classes alike, so that at best
     * it is ln 2, and which of the two wins is chance. */
    CU_ASSERT(e2e_json_number(alone, "loss") < 1.2);
    CU_ASSERT(!e2e_said("top5")); /* of 4 classes */
    for (int ranks = 2; ranks <= 3; ranks++) {
        E2E_EXIT(0, ranks, "eval %s --json --log-level error --threads 1", one);
        CU_ASSERT_STRING_EQUAL(e2e_stdout, alone);
    }
    E2E_EXIT(0, 0, "eval %s --data train.h5 --json", one);
    CU_ASSERT_EQUAL(e2e_json_number(e2e_output, "samples"), 90);
    E2E_EXIT(0, 0, "eval %s", one);
    E2E_SAID("precision  recall  samples");
    E2E_SAID("true \\ predicted");
}

/* Text behind "key":" up to the quote. */
static bool next_text(const char **p, const char *key, char *out, size_t room) {
    char quoted[32];
    snprintf(quoted, sizeof quoted, "\"%s\":\"", key);
    const char *found = strstr(*p, quoted);
    if (found == NULL) return false;
    found += strlen(quoted);
    snprintf(out, room, "%.*s", (int)strcspn(found, "\""), found);
    *p = found;
    return true;
}

/* As many predictions are right as eval counts. */
static void predictions_agree_with_evaluation(void) {
    char truth[32], said[32];
    int right = 0, inputs = 0;
    const char *one = reference();
    E2E_EXIT(0, 0, "eval %s --json", one);
    double top1 = e2e_json_number(e2e_output, "top1");
    E2E_EXIT(0, 0, "predict %s test.h5:0-38 test.h5:39 --top 1 --json", one);
    for (const char *p = e2e_output; next_text(&p, "true", truth, sizeof truth); inputs++) {
        CU_ASSERT(next_text(&p, "class", said, sizeof said));
        right += strcmp(truth, said) == 0;
    }
    CU_ASSERT_EQUAL(inputs, 40);
    CU_ASSERT_DOUBLE_EQUAL(right / 40.0, top1, 1e-9);
    E2E_EXIT(0, 0, "predict %s test.h5:3", one);
    E2E_SAID("test.h5:3 (true class c1)\n");
    E2E_SAID("  c2\n");
    E2E_EXIT(3, 0, "predict %s test.h5:40", one);
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    E2E_EXIT(3, 0, "predict %s nothing.png", one);
    E2E_EXIT(2, 0, "predict %s test.h5:5-2", one);
}

static void description_counts(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "describe tiny.yaml --json");
    CU_ASSERT_EQUAL(e2e_json_number(e2e_output, "params"), 40 + 2320 + 68);
    CU_ASSERT_EQUAL(e2e_json_number(e2e_output, "macs"), 144 * 36 + 2304 + 64);
    E2E_SAID("\"name\":\"conv1\",\"op\":\"conv\",\"inputs\":[\"input\"],\"output\":[12,12,4],\"params\":40,"
             "\"frozen_params\":0,\"macs\":5184");
    E2E_SAID("\"receptive_field\":[3,3]");
    E2E_SAID("\"output\":[6,6,4]");
    E2E_EXIT(0, 2, "describe tiny.yaml");
    E2E_SAID("2,428 (9.5 KiB)");
    e2e_write("model.yaml", "input: [8, 8, 2]\nlayers: [{conv: {filters: 2, kernel: 3}}, flatten, {dense: 3}]\n", 79);
    E2E_EXIT(0, 0, "describe model.yaml");
    E2E_SAID("6×6×2");
}

/* The graph by its edges, and what of it does not learn. */
static void description_has_edges(void) {
    static const char model[] = "input: [8, 8, 2]\nlayers:\n"
                                "  - {conv: {filters: 3, kernel: 3, padding: same}, name: stem, frozen: true}\n"
                                "  - relu\n"
                                "  - residual: {layers: [{conv: {filters: 3, kernel: 1}}, batchnorm]}\n"
                                "  - {concat: , inputs: [stem, add1, input]}\n"
                                "  - dense: 3\n";
    static const char *const words[] = {
        "\"frozen_params\":57,\"macs\"", /* of all */
        "\"name\":\"stem\",\"op\":\"conv\",\"inputs\":[\"input\"],\"output\":[8,8,3],\"params\":57,\"frozen_params\":"
        "57",
        "\"name\":\"relu1\",\"op\":\"relu\",\"inputs\":[\"stem\"]",
        "\"name\":\"conv2\",\"op\":\"conv\",\"inputs\":[\"relu1\"],\"output\":[8,8,3],\"params\":12,\"frozen_params\":"
        "0",
        "\"name\":\"add1\",\"op\":\"add\",\"inputs\":[\"batchnorm1\",\"relu1\"]",
        "\"op\":\"concat\",\"inputs\":[\"stem\",\"add1\",\"input\"]",
        "\"op\":\"dense\",\"inputs\":[\"concat1\"]",
    };
    e2e_home();
    e2e_write("edges.yaml", model, sizeof model - 1);
    E2E_EXIT(0, 0, "describe edges.yaml --json");
    for (size_t i = 0; i < COUNT(words); i++) E2E_SAID(words[i]);
    E2E_EXIT(0, 0, "describe edges.yaml");
    E2E_SAID("frozen        57 of them\n");
}

static double number(const struct cvy_node *event, const char *key) {
    double value = NAN;
    (void)cvy_node_real(cvy_node_get(event, key), &value);
    return value;
}

/* Of a rank: in all steps but the last what it did, in order, each from where the one before ended. */
static void expect_trace(const struct cvy_node *trace, int rank, int steps) {
    static const char *const names[] = {"data wait", "compute", "exposed communication", "update"};
    int events = 0;
    double end = 0, compute = 0;
    for (size_t i = 0; i < trace->count; i++) {
        const struct cvy_node *e = trace->items[i];
        if (number(e, "pid") != rank || strcmp(cvy_node_get(e, "ph")->text, "X") != 0) continue;
        const bool first = events % 4 == 0;
        CU_ASSERT_STRING_EQUAL(cvy_node_get(e, "name")->text, names[events % 4]);
        CU_ASSERT_EQUAL(number(cvy_node_get(e, "args"), "step"), events / 4 + 1);
        CU_ASSERT(number(e, "dur") >= 0);
        CU_ASSERT(first || fabs(number(e, "ts") - end) < 0.01);
        if (events % 4 == 1) compute += number(e, "dur");
        end = number(e, "ts") + number(e, "dur");
        events++;
    }
    CU_ASSERT_EQUAL(events, 4 * (steps - 1));
    CU_ASSERT(compute > 0);
}

static void trace_is_written(void) {
    struct cvy_tree *tree;
    struct cvy_node *trace;
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 2, "train tiny.yaml --run runs/traced --steps 6 --trace trace.json -q");
    TEST_OK(cvy_tree_create(&tree));
    TEST_OK(cvy_yaml_load(tree, e2e_path("trace.json"), &trace));
    CU_ASSERT_FATAL(trace->kind == CVY_NODE_LIST && trace->count == 2 + 2 * 4 * 5);
    CU_ASSERT_STRING_EQUAL(cvy_node_get(trace->items[1], "name")->text, "process_name");
    CU_ASSERT(strncmp(cvy_node_find(trace->items[1], "args.name")->text, "rank 1 on ", 10) == 0);
    for (int rank = 0; rank < 2; rank++) expect_trace(trace, rank, 6);
    cvy_tree_destroy(&tree);
    /* The same weights as without it; and the times of all ranks are in the metrics, too. */
    E2E_EXIT(0, 1, "train tiny.yaml --run runs/untraced --steps 6 -q");
    E2E_EXIT(0, 0, "ckpt diff runs/traced runs/untraced");
    char metrics[65536];
    e2e_read(e2e_path("runs/traced/metrics.jsonl"), metrics, sizeof metrics);
    CU_ASSERT_PTR_NOT_NULL(strstr(metrics, "\"by_rank\":{\"data_wait_ms\":["));
    CU_ASSERT(e2e_json_number(strstr(metrics, "\"kind\":\"step\""), "update_ms") > 0);
    e2e_read(e2e_path("runs/untraced/metrics.jsonl"), metrics, sizeof metrics);
    CU_ASSERT_PTR_NULL(strstr(metrics, "by_rank"));
    E2E_EXIT(2, 0, "train tiny.yaml --run runs/nowhere --steps 1 --trace nowhere/trace.json");
    E2E_SAID("nowhere/trace.json: the trace cannot be written: No such file or directory");
}

static void bench_measures_messages(void) {
    e2e_home();
    E2E_EXIT(2, 0, "bench --network --time 0.1s");
    E2E_SAID("convoy: error: one rank sends no messages; put mpirun -n 2");
    E2E_EXIT(2, 2, "bench tiny.yaml --network --time 0.1s");
    E2E_SAID("bench --network takes no MODEL");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    E2E_EXIT(0, 2, "bench --network --time 0.2s --json");
    E2E_SAID("{\"ranks\":2,\"hosts\":1,\"node\":{\"pairs\":1,");
    CU_ASSERT(e2e_json_number(e2e_output, "us") > 0);
    CU_ASSERT(e2e_json_number(e2e_output, "gb_s") >= 0);
    CU_ASSERT_EQUAL(e2e_count("\"bytes\""), 11);
    CU_ASSERT(!e2e_said("across"));
    E2E_EXIT(0, 2, "bench --network --time 0.2s");
    E2E_SAID("4.0 MiB");
    E2E_SAID("2 on 1 host\n");
    CU_ASSERT_EQUAL(e2e_count("not measured"), 1);
}

static void bench_measures(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "bench tiny.yaml --batch 16 --time 0.1s --threads 1 --json");
    CU_ASSERT(e2e_json_number(e2e_output, "samples_per_s") > 0);
    CU_ASSERT(e2e_json_number(e2e_output, "fma_gflops") > 0);
    CU_ASSERT(e2e_json_number(e2e_output, "read_gbs") > 0);
    E2E_SAID("\"name\":\"conv1\",\"pass\":\"forward\"");
    E2E_SAID("\"pass\":\"backward-weights\",\"algorithm\":\"single\"");
    E2E_SAID("\"pass\":\"backward-data\",\"algorithm\":\"pointwise\"");
    E2E_SAID("\"pass\":\"update\"");
    CU_ASSERT_EQUAL(e2e_json_number(e2e_output, "planned_ms"), 0); /* of the step: nothing was planned */
    E2E_EXIT(0, 0, "bench tiny.yaml --batch 16 --time 0.1s --threads 1 --plan 64");
    E2E_SAID("64 threads: ");
    E2E_SAID("loops have fewer than 64 tasks; more samples");
    E2E_EXIT(0, 0, "bench tiny.yaml --batch 16 --time 0.1s --threads 1 --plan 1");
    E2E_SAID("1 thread: ");
    E2E_SAID(", 100 % of what they could");
    E2E_SAID("0 of ");
    E2E_EXIT(0, 0, "bench tiny.yaml --batch 16 --time 0.1s --threads 1 --json --inference");
    E2E_SAID("\"pass\":\"forward\"");
    CU_ASSERT_EQUAL(e2e_json_number(e2e_output, "backward_ms"), 0);
}

/* The rate of a step's line in a text, the number before " samples/s"; −1: there is no such line. */
static double rate_in_log(const char *log, int step) {
    char mark[32];
    double rate;
    snprintf(mark, sizeof mark, "  step %d  loss ", step);
    const char *line = strstr(log, mark), *end = line ? strstr(line, " samples/s") : NULL;
    if (end == NULL) return -1;
    while (end[-1] != ' ') end--;
    return sscanf(end, "%lf", &rate) == 1 ? rate : -1;
}

/* What log and console show is the rate of metrics.jsonl: since the last line, and not since the start. */
static void rates_are_since_the_last_line(void) {
    static char log[1 << 16], metrics[1 << 16];
    char mark[64];
    e2e_home();
    e2e_write_experiment("rates.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train rates.yaml --run rates --threads 1");
    e2e_read(e2e_path("rates/log.txt"), log, sizeof log);
    e2e_read(e2e_path("rates/metrics.jsonl"), metrics, sizeof metrics);
    for (int step = 1; step <= 18; step++) {
        snprintf(mark, sizeof mark, "{\"kind\":\"step\",\"step\":%d,", step);
        const char *line = strstr(metrics, mark);
        CU_ASSERT_PTR_NOT_NULL_FATAL(line);
        CU_ASSERT_DOUBLE_EQUAL(rate_in_log(log, step), e2e_json_number(line, "samples_per_s"), 0.51);
    }
}

static void summary_is_json(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 2, "train tiny.yaml --run summary --json --log-level error --threads 1");
    CU_ASSERT_EQUAL(e2e_stdout[0], '{'); /* the only output */
    CU_ASSERT_EQUAL(e2e_json_number(e2e_output, "step"), 18);
    CU_ASSERT_DOUBLE_EQUAL(e2e_json_number(e2e_output, "epoch"), 3, 1e-9);
    CU_ASSERT(e2e_json_number(e2e_output, "samples_per_s") > 0);
    CU_ASSERT(e2e_json_number(e2e_output, "first_step_s") > 0);
    E2E_SAID("\"stopped\":false}\n");
}

/* ---- Law 5: no allocation inside a step ---- */

static void count_blocks(struct cvy_session *s) {
    struct cvy_step_report report;
    struct cvy_metric_totals score;
    TEST_OK(cvy_loop_step(s, &report));
    const size_t before = cvy_memory_blocks();
    for (int i = 0; i < 8; i++) TEST_OK(cvy_loop_step(s, &report)); /* over the short batch at an epoch's end */
    TEST_OK(cvy_evaluate(&s->evaluations[CVY_TEST], &score, NULL));
    TEST_OK(cvy_loop_step(s, &report));
    TEST_OK(cvy_evaluate(&s->evaluations[CVY_TEST], &score, NULL));
    CU_ASSERT_EQUAL(score.samples, 40);
    CU_ASSERT_EQUAL(cvy_memory_blocks() - before, 0);
}

static void steps_allocate_nothing(void) {
    static const char *const optimizers[] = {"{sgd: {momentum: 0.9}}", "lamb"};
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    for (size_t i = 0; i < COUNT(optimizers); i++) {
        struct cvy_context *ctx;
        struct cvy_session *s;
        char run[1024], file[1024], optimizer[64];
        snprintf(file, sizeof file, "%s", e2e_path("tiny.yaml"));
        snprintf(run, sizeof run, "%s", e2e_path("blocks%zu", i));
        snprintf(optimizer, sizeof optimizer, "train.optimizer=%s", optimizers[i]);
        const char *const set[] = {optimizer, "train.clip={norm: 1}", "train.ema={decay: 0.9}"};
        const struct cvy_train_options options = {
            .size = sizeof options, .experiment = file, .run_folder = run, .set = set, .set_count = 3};
        TEST_OK(cvy_context_create(&CVY_INIT(cvy_context_options, .threads = 2, .log_level = CVY_LOG_ERROR), &ctx));
        TEST_OK(cvy_session_create(ctx, &options, &s));
        if (s) count_blocks(s);
        cvy_session_destroy(&s);
        cvy_context_destroy(&ctx);
    }
}

/* Max windows of more than 256 places, in both precisions: a run like any other, and known to describe and bench. */
static void large_windows(void) {
    e2e_home();
    e2e_write_experiment("windows.yaml", "    - maxpool: 2\n",
                         "    - maxpool: {kernel: 17, stride: 2, padding: 8}\n"
                         "    - upsample: 7\n    - adaptive_maxpool: [2, 1]\n");
    for (int bf16 = 0; bf16 < 2; bf16++) {
        const char *precision = bf16 ? "bf16" : "fp32";
        E2E_EXIT(0, 0, "train windows.yaml --run windows-%s --set train.precision=%s", precision, precision);
        E2E_EXIT(0, 3, "train windows.yaml --run windowed-%s --set train.precision=%s --threads 1", precision,
                 precision);
        E2E_EXIT(0, 0, "ckpt diff windows-%s windowed-%s", precision, precision);
        E2E_SAID("bit-identical");
        E2E_EXIT(0, 0, "eval windows-%s --json --log-level error", precision);
        CU_ASSERT(isfinite(e2e_json_number(e2e_output, "loss")));
        E2E_EXIT(0, 0, "bench windows.yaml --json --batch 8 --time 1s --precision %s", precision);
        CU_ASSERT(e2e_json_number(e2e_output, "samples_per_s") > 0);
        E2E_SAID("\"name\":\"adaptive_maxpool1\"");
    }
    E2E_EXIT(0, 0, "describe windows.yaml");
    E2E_SAID("adaptive_maxpool1");
}

/* Not an error: class numbers may have gaps. But said. */
static void idle_outputs_are_told(void) {
    e2e_home();
    e2e_write_experiment("wide.yaml", "- dense: 4\n", "- dense: 7\n");
    E2E_EXIT(0, 2, "train wide.yaml --run gaps --steps 1 --threads 1");
    E2E_SAID("train.h5: has 4 classes, the model's last layer tells 7 apart");
    E2E_EXIT(0, 0, "train tiny.yaml --run busy --steps 1");
    CU_ASSERT(!e2e_said("apart"));
}

static const struct test_case cases[] = {
    {"ranks and threads change no bit", ranks_and_threads_change_nothing},
    {"batch norm, of leaf and batch: no bit either", batch_norm_on_any_ranks},
    {"values made again in backward: no bit either, less memory", recompute_changes_nothing},
    {"noise, heads, paths, class weights: no bit either", canon_on_any_ranks},
    {"sessions change no bit", sessions_change_nothing},
    {"another seed changes much", another_seed_changes_much},
    {"steps and evaluations allocate nothing", steps_allocate_nothing},
    {"max windows of more than 256 places", large_windows},
    {"outputs that no class uses are told", idle_outputs_are_told},
    {"the run folder is complete", run_folder_is_complete},
    {"one voice, and a log of each rank on request", one_voice},
    {"the run's log is whole, however quiet the console", log_is_whole},
    {"one of each", one_of_each},
    {"accuracies of training are in the metrics", metrics_have_accuracies},
    {"the page on formats leaves nothing out", formats_are_told},
    {"checkpoints are kept and told", checkpoints_are_kept},
    {"a leaf is chosen where none is written", leaf_is_chosen},
    {"traps are told", traps_are_told},
    {"nothing to learn", nothing_to_learn},
    {"a dry run refuses what the command would", dry_run_compares},
    {"another digest is explained", packed_for_in_place},
    {"a dry run writes nothing", dry_run_writes_nothing},
    {"evaluation counts each sample once", evaluation_counts_each_sample_once},
    {"predictions agree with evaluation", predictions_agree_with_evaluation},
    {"describe counts", description_counts},
    {"describe has edges, and what is frozen", description_has_edges},
    {"bench measures", bench_measures},
    {"a trace of all ranks is written", trace_is_written},
    {"bench times messages between ranks", bench_measures_messages},
    {"rates are since the last line", rates_are_since_the_last_line},
    {"the summary is one JSON object", summary_is_json},
    {0},
};
const struct test_suite suite_e2e_train = {"e2e_train", cases, NULL};
