/* What is measured while a run goes on, and when: evaluations at steps and epochs, training figures beside them. The
 * lines are those of one run, on any ranks, and whether or not it was stopped. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e.h"
#include "hdf5_help.h"
#include "io/ckpt/ckpt_head.h"
#include "io/file.h"

static char text[1 << 17], other[1 << 17];

/* The lines of a kind of the run's metrics, without what a clock says of them. */
static const char *lines_of(const char *run, const char *kind, char *out, size_t room) {
    static char all[1 << 18];
    char head[32];
    size_t used = 0;
    snprintf(head, sizeof head, "{\"kind\":\"%s\"", kind);
    e2e_read(e2e_path("%s/metrics.jsonl", run), all, sizeof all);
    out[0] = '\0';
    for (const char *line = all; (line = strstr(line, head)); line++)
        used += (size_t)snprintf(out + used, room - used, "%.*s\n", (int)strcspn(line, "\n"), line);
    return out;
}

static int steps_of(const char *lines, int steps[64]) {
    int count = 0;
    for (const char *p = lines; (p = strstr(p, "\"step\":")) && count < 64; p++) steps[count++] = atoi(p + 7);
    return count;
}

static bool steps_are(const char *lines, const int *steps, int count) {
    int found[64];
    return steps_of(lines, found) == count && memcmp(found, steps, (size_t)count * sizeof *steps) == 0;
}

/* The mean of a figure over "step" lines first … last, by the samples of each: 16, and 10 in every sixth. */
static double mean_of_steps(const char *lines, const char *key, int first, int last) {
    double sum = 0, samples = 0;
    for (const char *p = lines; (p = strstr(p, "\"step\":")); p++) {
        const int step = atoi(p + 7), count = step % 6 ? 16 : 10;
        if (step < first || step > last) continue;
        sum += count * e2e_json_number(p, key);
        samples += count;
    }
    return sum / samples;
}

/* 6 steps an epoch. Every 4 steps: within epochs, and at the end, which is none of these. */
static void every_few_steps(void) {
    static const int steps[] = {4, 8, 12, 16, 18};
    e2e_home();
    e2e_write_experiment("steps.yaml", "log: {every: 1 step}", "log: {every: 1 step}\neval: {every: 4 steps}");
    E2E_EXIT(0, 0, "train steps.yaml --run ev-by-steps --threads 1");
    E2E_SAID("epoch 1/3  step 4  test loss");
    E2E_SAID("epoch 2/3  test loss"); /* step 12 ends it */
    const char *lines = lines_of("ev-by-steps", "eval", text, sizeof text);
    CU_ASSERT(steps_are(lines, steps, COUNT(steps)));
    lines_of("ev-by-steps", "step", other, sizeof other);
    for (int i = 0; i < (int)COUNT(steps); i++, lines = strchr(lines, '\n') + 1) {
        static const char *const keys[][2] = {{"train_loss", "loss"}, {"train_top1", "top1"}};
        for (int k = 0; k < 2; k++) {
            const double expected = mean_of_steps(other, keys[k][1], i ? steps[i - 1] + 1 : 1, steps[i]);
            CU_ASSERT_DOUBLE_EQUAL(e2e_json_number(lines, keys[k][0]), expected, 1e-8); /* of nine digits */
        }
    }
    E2E_EXIT(0, 0, "train steps.yaml --run ev-by-epochs --set 'eval.every=2 epochs' --threads 1");
    CU_ASSERT(steps_are(lines_of("ev-by-epochs", "eval", other, sizeof other), (int[]){12, 18}, 2));
    E2E_EXIT(0, 0, "ckpt diff ev-by-steps ev-by-epochs");
    E2E_SAID("bit-identical");
}

/* Stopped between two evaluations, and gone on with on other ranks: the lines are those of the run of one piece. */
static void evaluated_as_one_run(void) {
    e2e_home();
    e2e_write_experiment("steps.yaml", "log: {every: 1 step}", "log: {every: 1 step}\neval: {every: 4 steps}");
    E2E_EXIT(0, 0, "train steps.yaml --run ev-whole --threads 1");
    E2E_EXIT(0, 2, "train steps.yaml --run ev-pieces --threads 1 --steps 5");
    E2E_EXIT(0, 3, "train steps.yaml --run ev-pieces --threads 1 --steps 15 --resume");
    E2E_EXIT(0, 0, "train steps.yaml --run ev-pieces --threads 1 --resume");
    CU_ASSERT_STRING_EQUAL(lines_of("ev-pieces", "eval", text, sizeof text),
                           lines_of("ev-whole", "eval", other, sizeof other));
    E2E_EXIT(0, 0, "ckpt diff ev-whole ev-pieces");
    E2E_SAID("bit-identical");
}

/* A schedule that goes by evaluations goes by as many as there are: then their rhythm may not change. */
static void rhythm_of_a_plateau(void) {
    const char *plateau = "--set 'train.learning_rate={plateau: {value: 0.02, patience: 0, threshold: 0.9}}'";
    e2e_home();
    e2e_write_experiment("steps.yaml", "log: {every: 1 step}", "log: {every: 1 step}\neval: {every: 4 steps}");
    E2E_EXIT(0, 0, "train steps.yaml --run ev-plateau %s --steps 9 --threads 1", plateau);
    E2E_EXIT(2, 0, "train steps.yaml --run ev-plateau %s --set 'eval.every=1 epoch' --resume", plateau);
    E2E_SAID("eval.every is 1 epoch, and was 4 steps in the run");
    E2E_EXIT(0, 0, "train steps.yaml --run ev-plateau %s --resume --threads 1", plateau);
    const char *lines = lines_of("ev-plateau", "step", text, sizeof text);
    CU_ASSERT_DOUBLE_EQUAL(e2e_json_number(strstr(lines, "\"step\":8"), "lr"), 0.02, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(e2e_json_number(strstr(lines, "\"step\":9"), "lr"), 0.002, 1e-12); /* the second's verdict */
    CU_ASSERT_DOUBLE_EQUAL(e2e_json_number(strstr(lines, "\"step\":13"), "lr"), 0.0002, 1e-12);
}

/* ---- A share of the training data that is held out ---- */

static void write_held_out(const char *share) {
    char data[64];
    e2e_home();
    snprintf(data, sizeof data, "  test: test.h5\n  validation: %s\n", share);
    e2e_write_experiment("held.yaml", "  test: test.h5\n", data);
    e2e_write_experiment("tiny.yaml", NULL, NULL);
}

/* Of 90 samples 81 are trained on, in 6 steps; 9 are evaluated, and named so. */
static void share_held_out(void) {
    write_held_out("10%");
    E2E_EXIT(0, 0, "train held.yaml --run ev-held --threads 1 --json");
    CU_ASSERT_PTR_NOT_NULL(strstr(e2e_stdout, "\"validation\":{\"loss\":"));
    E2E_SAID("epoch 1/3  validation loss");
    lines_of("ev-held", "run", text, sizeof text);
    CU_ASSERT_EQUAL(e2e_json_number(text, "train_samples"), 81);
    const char *lines = lines_of("ev-held", "eval", text, sizeof text);
    CU_ASSERT(steps_are(lines, (int[]){6, 6, 12, 12, 18, 18}, 6));
    int of_validation = 0;
    for (const char *p = lines; (p = strstr(p, "\"split\":\"validation\"")); p++) of_validation++;
    CU_ASSERT_EQUAL(of_validation, 3);
    for (int ranks = 2; ranks <= 3; ranks++) {
        char run[32];
        snprintf(run, sizeof run, "ev-held%d", ranks);
        E2E_EXIT(0, ranks, "train held.yaml --run %s --threads 1", run);
        E2E_EXIT(0, 0, "ckpt diff ev-held %s", run);
        CU_ASSERT_STRING_EQUAL(lines_of(run, "eval", other, sizeof other), text);
    }
    E2E_EXIT(0, 2, "train held.yaml --run ev-held-pieces --threads 1 --steps 7");
    static const char *const others[] = {"data.validation=20%", "data.validation=null", "data.validation=test.h5",
                                         "seed=8"};
    for (size_t i = 0; i < COUNT(others); i++) { /* what was trained on would be validated on */
        E2E_EXIT(2, i ? 0 : 2,
                 "train held.yaml --run ev-held-pieces --resume --set %s --allow-change data.validation "
                 "--allow-change seed --threads 1",
                 others[i]);
        E2E_SAID(i < 3 ? "data.validation holds out " : "seed is 8, and was ");
    }
    E2E_EXIT(0, 0, "train tiny.yaml --run ev-all --steps 7");
    E2E_EXIT(2, 0, "train tiny.yaml --run ev-all --resume --set data.validation=10%% --allow-change data.validation");
    E2E_SAID("data.validation holds out 10 % of the training data, and 0 % in the run");
    E2E_EXIT(0, 3, "train held.yaml --run ev-held-pieces --threads 1 --resume");
    E2E_EXIT(0, 0, "ckpt diff ev-held ev-held-pieces");
    CU_ASSERT_STRING_EQUAL(lines_of("ev-held-pieces", "eval", other, sizeof other), text);
}

/* A file takes nothing from the training data; where both are there, the schedule goes by validation. */
static void validation_file(void) {
    write_held_out("test.h5");
    E2E_EXIT(0, 0, "train held.yaml --run ev-beside --threads 1");
    const char *lines = lines_of("ev-beside", "eval", text, sizeof text);
    const char *test = strstr(lines, "\"split\":\"test\"");
    CU_ASSERT_FATAL(test != NULL);
    CU_ASSERT_EQUAL(e2e_json_number(lines, "loss"), e2e_json_number(test, "loss"));
    E2E_EXIT(0, 0, "train held.yaml --run ev-plain --set data.validation=null --threads 1");
    E2E_EXIT(0, 0, "ckpt diff ev-beside ev-plain");
    E2E_EXIT(0, 0,
             "train held.yaml --run ev-alone --set data.test=null --set "
             "'train.learning_rate={plateau: {value: 0.02}}' --threads 1");
    E2E_SAID("validation loss");
}

static const struct {
    const char *share, *said;
} refused[] = {
    {"0.1", "held.yaml:17:15: data.validation: 0.1 is neither a share nor a file; write a share such as 10%"},
    {"0%", "held.yaml:17:15: data.validation: 0%; a share is more than 0% and less than 100%, such as 10%"},
    {"100%", "data.validation: 100%; a share is more than 0% and less than 100%, such as 10%"},
    {"0.5%", "data.validation: 0.5% of the 90 samples of"},
    {"nothere.h5", "nothere.h5"},
};

static void refused_shares(void) {
    for (size_t i = 0; i < COUNT(refused); i++) {
        write_held_out(refused[i].share);
        E2E_EXIT(i < 4 ? 2 : 3, 0, "train held.yaml --run ev-refused");
        E2E_SAID(refused[i].said);
        CU_ASSERT_EQUAL(e2e_error_lines(), 1);
    }
    E2E_EXIT(2, 0,
             "train held.yaml --run ev-refused --set data.validation=90%% --set train.batch=20 --set "
             "train.last_batch=drop");
    E2E_SAID("9 samples without data.validation, fewer than a batch of 20");
}

/* ---- The best so far ---- */

static bool is_there(const char *run, const char *name) {
    FILE *file = fopen(e2e_path("%s/checkpoints/%s", run, name), "rb");
    if (file) fclose(file);
    return file != NULL;
}

/* The step of the best evaluation among the run's lines, by a figure of which more, or less, is better. */
static int best_step(const char *run, const char *key, bool more, double *value) {
    int best = 0;
    const char *lines = lines_of(run, "eval", text, sizeof text);
    for (const char *p = lines; (p = strstr(p, "{\"kind\"")); p++) {
        const double now = e2e_json_number(p, key);
        if (best && (more ? now <= *value : now >= *value)) continue;
        *value = now;
        best = (int)e2e_json_number(p, "step");
    }
    return best;
}

static const struct {
    const char *figure;
    bool more;
} figures[] = {{"loss", false}, {"top1", true}};

/* A rate that is too high, so that the best is none of the last. */
static const char *best_settings = "--set eval.every='2 steps' --set train.epochs=6 --set train.learning_rate=0.3 "
                                   "--set checkpoint.keep=2 --threads 1";

static void best_is_kept(void) {
    e2e_home();
    e2e_write_experiment("best.yaml", NULL, NULL);
    for (size_t i = 0; i < COUNT(figures); i++) {
        char run[32], pieces[32];
        double value = 0;
        snprintf(run, sizeof run, "ev-best%zu", i);
        snprintf(pieces, sizeof pieces, "ev-best%zu-pieces", i);
        E2E_EXIT(0, 0, "train best.yaml --run %s %s --set checkpoint.best=%s", run, best_settings, figures[i].figure);
        E2E_SAID("checkpoints/best.h5");
        const int step = best_step(run, figures[i].figure, figures[i].more, &value);
        CU_ASSERT(step > 0 && step < 36);
        E2E_EXIT(0, 0, "ckpt info %s/checkpoints/best.h5 --json", run);
        CU_ASSERT_EQUAL(e2e_json_number(e2e_output, "step"), step);
        E2E_EXIT(0, 2, "eval %s --best --json --threads 1", run);
        CU_ASSERT_DOUBLE_EQUAL(e2e_json_number(e2e_output, figures[i].figure), value, 1e-8);
        E2E_EXIT(0, 0, "predict %s --best test.h5:0-3", run);
        /* Killed and gone on with on other ranks: the same one. */
        struct e2e_job job = e2e_start(2, "train best.yaml --run %s %s --set checkpoint.best=%s", pieces, best_settings,
                                       figures[i].figure);
        CU_ASSERT(e2e_wait_for_step(pieces, 4));
        e2e_signal_rank(job, 9);
        e2e_wait(job);
        E2E_EXIT(0, 3, "train best.yaml --run %s %s --set checkpoint.best=%s --resume", pieces, best_settings,
                 figures[i].figure);
        E2E_EXIT(0, 0, "ckpt diff %s/checkpoints/best.h5 %s/checkpoints/best.h5", run, pieces);
        E2E_SAID("bit-identical");
        CU_ASSERT(!is_there(run, "step-00000028.h5") && is_there(run, "step-00000036.h5"));
    }
    E2E_EXIT(4, 0, "eval ev-best0/checkpoints/step-00000036.h5 --best");
    E2E_SAID("is a file");
    E2E_EXIT(0, 0, "train best.yaml --run ev-nobest --steps 1");
    E2E_EXIT(4, 0, "predict ev-nobest --best test.h5:0");
    E2E_SAID("a run keeps one with checkpoint: {best: loss}");
}

/* Those of some places stay, beside the newest. */
static void some_are_kept(void) {
    e2e_home();
    e2e_write_experiment("best.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train best.yaml --run ev-kept --set 'checkpoint={every: 2 steps, keep: 1, keep_every: 1 epoch}'");
    for (int step = 2; step <= 18; step += 2) {
        char name[32];
        snprintf(name, sizeof name, "step-%08d.h5", step);
        CU_ASSERT_EQUAL(is_there("ev-kept", name), step % 6 == 0);
    }
}

static void figures_that_are_none(void) {
    e2e_home();
    e2e_write_experiment("best.yaml", "checkpoint: {", "checkpoint: {best: accuracy, ");
    E2E_EXIT(2, 0, "train best.yaml --run ev-none");
    E2E_SAID(
        "best.yaml:24:20: checkpoint.best: there is no \"accuracy\"; evaluations of this network have loss and top1");
    E2E_EXIT(2, 0, "train best.yaml --run ev-none --set checkpoint.best=loss --set data.test=null");
    E2E_SAID("checkpoint.best goes by evaluations, and there is no data.validation or data.test");
    E2E_EXIT(2, 0, "train best.yaml --run ev-none --set checkpoint.best=loss --set early_stopping={metric:mae}");
}

/* ---- Stopping early ---- */

static void stopped_early(void) {
    const char *settings =
        "--set 'early_stopping={metric: top1, patience: 3, min_delta: 0.01}' --set train.epochs=1000 "
        "--set eval.every='2 steps' --set train.learning_rate=0.3 --threads 1";
    double value = 0;
    e2e_home();
    e2e_write_experiment("early.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train early.yaml --run ev-early %s", settings);
    E2E_SAID("early stopping: the best test top1 was ");
    E2E_SAID(", and 3 evaluations since came to none better");
    const int last = e2e_newest_step("ev-early");
    int best = 0;
    const char *lines = lines_of("ev-early", "eval", text, sizeof text);
    for (const char *p = lines; (p = strstr(p, "{\"kind\"")); p++)
        if (best == 0 || e2e_json_number(p, "top1") > value + 0.01) {
            value = e2e_json_number(p, "top1");
            best = (int)e2e_json_number(p, "step");
        }
    CU_ASSERT_EQUAL(best, last - 6);
    CU_ASSERT_PTR_NOT_NULL(strstr(lines_of("ev-early", "event", text, sizeof text), "early_stopped"));
    E2E_EXIT(0, 2, "train early.yaml --run ev-early-pieces %s --steps %d", settings, last - 3);
    E2E_EXIT(0, 3, "train early.yaml --run ev-early-pieces %s --resume", settings);
    E2E_EXIT(0, 0, "ckpt diff ev-early ev-early-pieces");
    E2E_SAID("bit-identical");
    E2E_EXIT(0, 0, "train early.yaml --run ev-early %s --resume", settings); /* it is at its end */
    E2E_SAID("nothing to train");
    CU_ASSERT_EQUAL(e2e_newest_step("ev-early"), last);
}

/* ---- Outputs that are no numbers ---- */

/* home/NAME: the checkpoint of a run with one weight of its first layer changed, and sealed again. */
static void spoil(const char *run, const char *name, float value) {
    char path[1024], head[CVY_CKPT_HEAD];
    uint64_t digest = 0;
    snprintf(path, sizeof path, "%s", e2e_path("%s", name));
    struct cvy_buf bytes = {0};
    TEST_OK(cvy_file_read(e2e_path("%s/checkpoints/step-00000001.h5", run), (size_t)1 << 30, &bytes));
    e2e_write(name, bytes.data, bytes.size);
    cvy_buf_destroy(&bytes);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    hdf5_change(file, "/param/conv1/weight", (const hsize_t[]){1, 1, 0, 0}, value);
    H5Fclose(file);
    const int64_t length = cvy_file_size(path) - CVY_CKPT_HEAD;
    TEST_OK(cvy_file_hash(path, CVY_CKPT_HEAD, length, &digest));
    cvy_ckpt_head(length, digest, head);
    FILE *out = fopen(path, "r+b");
    CU_ASSERT(fwrite(head, sizeof head, 1, out) == 1);
    fclose(out);
}

/* Weights that are no numbers are told as such; of outputs that overflow neither figures nor classes are given. */
static void outputs_that_are_not_finite(void) {
    e2e_home();
    e2e_write_experiment("finite.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train finite.yaml --run finite --steps 1");
    spoil("finite", "nan.h5", NAN);
    spoil("finite", "large.h5", 3e38F);
    for (int ranks = 0; ranks <= 2; ranks += 2) {
        E2E_EXIT(4, ranks, "eval nan.h5 --threads 1");
        E2E_SAID("nan.h5: conv1/weight has values that are not finite");
        E2E_EXIT(5, ranks, "eval large.h5 --threads 1");
        E2E_SAID("the network's outputs are not finite, from layer conv1 on, and no figures follow");
        CU_ASSERT(e2e_error_lines() == 1 && !e2e_said("top-1") && !e2e_said("MPI_ABORT"));
    }
    E2E_EXIT(4, 0, "predict nan.h5 test.h5:0");
    E2E_EXIT(3, 0, "predict large.h5 test.h5 --out large-predicted.h5 --json");
    E2E_SAID("the network's outputs are not finite, from layer conv1 on, and no prediction follows");
    CU_ASSERT(e2e_error_lines() >= 1 && !e2e_said("nan"));
}

static const struct test_case cases[] = {
    {"the best so far is kept, and is the same after a kill", best_is_kept},
    {"checkpoints of some places stay", some_are_kept},
    {"figures that are none", figures_that_are_none},
    {"a run that gets no better ends", stopped_early},
    {"outputs that are not finite", outputs_that_are_not_finite},
    {"a share of the training data held out", share_held_out},
    {"a file of its own to validate on", validation_file},
    {"shares that are none", refused_shares},
    {"every few steps or epochs, with the training's figures", every_few_steps},
    {"stopped and gone on with, the lines of one run", evaluated_as_one_run},
    {"the rhythm of a schedule that goes by them", rhythm_of_a_plateau},
    {0},
};
const struct test_suite suite_e2e_eval = {"e2e_eval", cases, NULL};
