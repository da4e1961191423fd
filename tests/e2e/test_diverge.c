/* A training that diverges: exit 5, one message with the layer, a checkpoint that is worth to go on from, and a command
 * that does so as it is printed. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "e2e.h"

/* The command that the error ends with, typed into a shell. */
static int run_what_is_printed(void) {
    char command[4096];
    const char *error = strstr(e2e_output, "convoy: error: "), *found = error ? strstr(error, test_program()) : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    snprintf(command, sizeof command, "%.*s", (int)strcspn(found, "\n"), found);
    return test_shell(e2e_output, sizeof e2e_output, "cd '%s' && timeout 60 %s", e2e_home(), command);
}

static void expect_diverged(int ranks, const char *words, const char *arguments) {
    E2E_EXIT(5, ranks, "%s --threads 1", arguments);
    E2E_SAID(words);
    E2E_SAID(" is not finite");
    CU_ASSERT_EQUAL(e2e_error_lines(), 1);
}

/* No relu: its output could be zero for ever instead. */
static void write_linear(const char *from, const char *to) {
    char text[2048];
    e2e_home();
    e2e_write_experiment("linear.yaml", from, to);
    e2e_read(e2e_path("linear.yaml"), text, sizeof text);
    for (char *relu; (relu = strstr(text, "    - relu\n"));) memmove(relu, relu + 11, strlen(relu + 11) + 1);
    e2e_write("linear.yaml", text, strlen(text));
}

/* From the first step on; every checkpoint is of weights at the brink, or there is none. */
static void from_the_start(void) {
    write_linear("every: 4 steps, keep: 3", "every: 1 step, keep: 1");
    for (int ranks = 0; ranks <= 2; ranks += 2) {
        char call[256];
        snprintf(
            call, sizeof call,
            "train linear.yaml --run diverge-%d --steps 18 --set train.learning_rate=1e6 --set 'log.every=\"2 steps\"'",
            ranks);
        expect_diverged(ranks, "it arose in layer ", call);
        CU_ASSERT_EQUAL(e2e_newest_step(e2e_path("diverge-%d", ranks) + strlen(e2e_home()) + 1), -1);
        e2e_expect_exit(0, run_what_is_printed(), __FILE__, __LINE__);
        E2E_EXIT(0, 0, "ckpt info diverge-%d --json", ranks);
        CU_ASSERT_EQUAL((int)e2e_json_number(e2e_output, "step"), 18);
    }
}

/* What the printed command lowers is the rate that was in force, however it came about. */
static void rates_that_grow(void) {
    static const char *const rates[] = {
        "--set train.learning_rate=1e3 --set train.lr_scaling=linear --set train.reference_batch=1",
        "--set 'train.learning_rate={multi_step: {value: 0.005, milestones: [1], factor: 1e9}}'"};
    write_linear(NULL, NULL);
    for (size_t i = 0; i < COUNT(rates); i++) {
        char call[512];
        snprintf(call, sizeof call, "train linear.yaml --run grown-%zu --steps 18 %s", i, rates[i]);
        expect_diverged(0, "it arose in layer ", call);
        e2e_expect_exit(0, run_what_is_printed(), __FILE__, __LINE__);
    }
}

/* Folders with blanks, of the program too. */
static void names_are_quoted(void) {
    char command[4096];
    write_linear(NULL, NULL);
    test_shell(e2e_output, sizeof e2e_output,
               "cd '%s' && mkdir -p 'my bin' && ln -s '%s' 'my bin/it'\\''s' && "
               "'my bin/it'\\''s' train linear.yaml --run 'my $(run)' --steps 18 --set train.learning_rate=1e6 2>&1",
               e2e_home(), test_program());
    const char *end = strstr(e2e_output, "; at a lower rate: ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(end);
    end += strlen("; at a lower rate: ");
    snprintf(command, sizeof command, "%.*s", (int)strcspn(end, "\n"), end);
    int code = test_shell(e2e_output, sizeof e2e_output, "cd '%s' && timeout 60 %s 2>&1", e2e_home(), command);
    e2e_expect_exit(0, code, __FILE__, __LINE__);
    CU_ASSERT_EQUAL(e2e_newest_step("my $(run)"), 18);
}

/* A good run, then a rate that is far too high: with keep: 1 the checkpoint before the trouble is still there. */
static void later_on(void) {
    write_linear("every: 4 steps, keep: 3", "every: 1 step, keep: 1");
    for (int ranks = 0; ranks <= 2; ranks += 2) {
        char call[256];
        E2E_EXIT(0, 0, "train linear.yaml --run later-%d --steps 5", ranks);
        snprintf(call, sizeof call,
                 "train linear.yaml --run later-%d --resume --steps 30 --allow-change train.learning_rate "
                 "--set 'train.learning_rate={cosine: {peak: 1e7}}'",
                 ranks);
        expect_diverged(ranks, "the checkpoint of step 5 is good", call);
        E2E_EXIT(0, 0, "ckpt verify later-%d/checkpoints/step-00000005.h5", ranks);
        expect_diverged(ranks, "{cosine: {peak: 0.01}}", call); /* again, from there */
        e2e_expect_exit(0, run_what_is_printed(), __FILE__, __LINE__);
        E2E_SAID("step-00000005.h5: step 5");
        E2E_EXIT(0, 0, "eval later-%d", ranks);
    }
}

/* Where all that a run has was set aside, it is told and listed. */
static void nothing_is_left(void) {
    write_linear("every: 4 steps, keep: 3", "every: 1 step, keep: 9");
    E2E_EXIT(5, 0, "train linear.yaml --run 'set aside' --steps 30 --set train.learning_rate=1e6");
    E2E_EXIT(4, 0, "eval 'set aside'");
    E2E_SAID("`convoy ckpt list 'set aside'` says more");
    E2E_EXIT(0, 0, "ckpt list 'set aside'");
    E2E_SAID("diverged  ");
    E2E_SAID("/step-00000001.h5.diverged: set aside, as the run diverged from these weights");
    E2E_EXIT(0, 0, "ckpt list 'set aside' --json");
    E2E_SAID("\"good\":false,\"diverged\":true,\"problem\":");
}

/* Weights of 1e18: the third such layer overflows, whatever it is. */
#define BIG   "init: {constant: {value: 1e18}}"
#define CONV  "    - conv: {filters: 4, kernel: 1, " BIG "}\n"
#define FIRST "kernel: 3, padding: same}\n"
static const struct {
    const char *from, *to, *words;
} layers[] = {
    {FIRST, "kernel: 3, padding: same}\n" CONV CONV CONV CONV, "it arose in layer conv4, "},
    {FIRST "    - relu\n    - maxpool: 2\n    - dropout: 0.1\n    - flatten\n    - dense: 16\n",
     "kernel: 3, padding: same}\n" CONV CONV "    - maxpool: 2\n    - dense: {units: 16, " BIG "}\n",
     "it arose in layer dense1, "},
    {FIRST, "kernel: 3, padding: same}\n" CONV CONV "    - batchnorm: {sync: true}\n",
     "it arose in layer batchnorm1, "},
};

static void layer_is_named(void) {
    for (size_t i = 0; i < COUNT(layers); i++)
        for (int ranks = 0; ranks <= 3; ranks += 3) {
            write_linear(layers[i].from, layers[i].to);
            char call[128];
            snprintf(call, sizeof call, "train linear.yaml --run layer-%zu-%d --steps 4", i, ranks);
            expect_diverged(ranks, layers[i].words, call);
        }
    write_linear(layers[0].from, layers[0].to);
    expect_diverged(2, layers[0].words, "train linear.yaml --run layer-bf16 --set train.precision=bf16");
}

static int count_words(const char *words) {
    int count = 0;
    for (const char *p = e2e_output; (p = strstr(p, words)); p++) count++;
    return count;
}

/* A loss that explodes and stays a number ends no run; it is told where it is seen, and at the end. */
static void without_end(void) {
    static const char high[] = "warning: the loss is far above where it began: ";
    e2e_home();
    e2e_write_experiment("high.yaml", NULL, NULL);
    E2E_EXIT(0, 2,
             "train high.yaml --run high --threads 1 --set train.epochs=4 --set train.optimizer=adam --set "
             "train.learning_rate=1e6");
    CU_ASSERT_EQUAL(count_words(high), 2);
    E2E_SAID("on average in epoch 1, and ");
    E2E_SAID("on average in epoch 4, and ");
    E2E_SAID("it rose at step 2; train anew with a lower learning rate (1e+06 now), ");
    E2E_EXIT(0, 0,
             "train high.yaml --run high-short --steps 3 --set train.optimizer=adam --set train.learning_rate=1e6");
    CU_ASSERT_EQUAL(count_words(high), 1);
    E2E_EXIT(0, 0, "train high.yaml --run low --set train.epochs=4 --set 'train.clip={norm: 1}'");
    CU_ASSERT_EQUAL(count_words(high), 0);
}

/* What is advised is not what the experiment has already. */
static void advice_sees_what_is_set(void) {
    static const struct {
        const char *set, *words;
    } calls[] = {
        {"--set train.learning_rate=1e6",
         "a lower learning rate (1e+06 now), warmup_epochs in its schedule, or --set 'train.clip={norm: 1}'"},
        {"--set 'train.learning_rate={cosine: {peak: 1e9, warmup_epochs: 0.5}}' --set 'train.clip={value: 1e6}'",
         "at its highest), more warmup_epochs in its schedule than 0.5, or a train.clip.value below 1e+06"},
        {"--set 'train.learning_rate={one_cycle: {peak: 1e8}}' --set 'train.clip={norm: 1e6}'",
         "at its highest) or a train.clip.norm below 1e+06"},
        {"--set data.mean=0 --set data.std=1e-38", "it is the first step, of initial weights, and no learning rate"},
    };
    write_linear(NULL, NULL);
    for (size_t i = 0; i < COUNT(calls); i++) {
        char call[256];
        snprintf(call, sizeof call, "train linear.yaml --run set-%zu %s", i, calls[i].set);
        expect_diverged(0, calls[i].words, call);
    }
    E2E_EXIT(0, 0, "train linear.yaml --run whole --steps 2 -q");
    expect_diverged(0, "it is the first step, of the weights of ",
                    "train linear.yaml --run first --set init.from=whole --set data.mean=0 --set data.std=1e-38");
    e2e_write_experiment("high.yaml", NULL, NULL);
    E2E_EXIT(0, 0,
             "train high.yaml --run clipped --set train.optimizer=adam --set train.learning_rate=1e6 --set "
             "'train.clip={norm: 3}'");
    E2E_SAID("warmup_epochs in its schedule, or a train.clip.norm below 3\n");
}

static const struct test_case cases[] = {
    {"advice sees what is set", advice_sees_what_is_set},
    {"a loss that is high and finite is told", without_end},
    {"rates that grow", rates_that_grow},
    {"from the start: the command begins afresh, and trains", from_the_start},
    {"names in the command are quoted", names_are_quoted},
    {"later on: the checkpoint before it is there, and the command goes on", later_on},
    {"nothing is left to go on from", nothing_is_left},
    {"the layer is named", layer_is_named},
    {0},
};
const struct test_suite suite_e2e_diverge = {"e2e_diverge", cases, NULL};
