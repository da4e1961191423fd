/* A run goes on with other settings, or another starts from its weights: what is taken on, what starts anew, and that
 * both are said. */
#define _GNU_SOURCE
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "e2e.h"

static char listing[1 << 16];

/* The text of metrics.jsonl or of `ckpt info --json`. */
static const char *metrics_of(const char *run) {
    e2e_read(e2e_path("%s/metrics.jsonl", run), listing, sizeof listing);
    return listing;
}

/* Epoch that a step's line tells, 0 where there is none. */
static int epoch_of_step(const char *run, int step) {
    char mark[64];
    snprintf(mark, sizeof mark, "{\"kind\":\"step\",\"step\":%d,\"epoch\":", step);
    const char *line = strstr(metrics_of(run), mark);
    return line ? atoi(line + strlen(mark)) : 0;
}

/* The key that the one error offers, "" for none. */
static void offered_key(char key[128]) {
    static const char mark[] = "--allow-change ";
    const char *found = strstr(e2e_output, mark);
    key[0] = '\0';
    if (found) sscanf(found + strlen(mark), "%127[^ \n]", key);
}

/* ---- Optimiser and average ---- */

static const struct {
    const char *name, *before, *now; /* --set */
    const char *said[3];
} changes[] = {
    {"sgd-momentum",
     "train.optimizer=sgd",
     "train.optimizer={sgd: {momentum: 0.9}}",
     {"warning: train.optimizer was changed (sgd, with other settings)", "from zero: momentum", "dropped: none"}},
    {"momentum-sgd",
     "train.optimizer={sgd: {momentum: 0.9}}",
     "train.optimizer=sgd",
     {"warning: train.optimizer was changed", "from zero: none", "dropped: momentum"}},
    {"momentum-adam",
     "train.optimizer={sgd: {momentum: 0.9}}",
     "train.optimizer={adam: {beta1: 0.8}}",
     {"(adam, was sgd)", "from zero: mean, square", "dropped: momentum"}},
    {"adam-amsgrad",
     "train.optimizer={adam: {beta1: 0.8}}",
     "train.optimizer={adam: {beta1: 0.8, amsgrad: true}}",
     {"warning: train.optimizer was changed", "from zero: max_square;", "dropped: none"}},
    {"rmsprop-lars",
     "train.optimizer=rmsprop",
     "train.optimizer={lars: {momentum: 0.5}}",
     {"(lars, was rmsprop)", "from zero: momentum", "dropped: square"}},
    {"ema-new",
     "train.optimizer=sgd",
     "train.ema={decay: 0.9}",
     {"train.ema is new", "starts from the weights", "warning"}},
    {"ema-gone", "train.ema={decay: 0.9}", "train.ema=null", {"train.ema is no more", "is dropped", "warning"}},
};

/* What the error offers works as it is printed, and the run goes on, alone and on 2 ranks with the same bits. */
static void change(size_t i) {
    char key[128];
    for (int ranks = 0; ranks <= 2; ranks += 2) {
        const char *run = e2e_path("%s-%d", changes[i].name, ranks);
        E2E_EXIT(0, 0, "train tiny.yaml --run %s --steps 7 --set '%s'", run, changes[i].before);
        E2E_EXIT(2, 0, "train tiny.yaml --run %s --resume --steps 14 --set '%s' --set '%s'", run, changes[i].before,
                 changes[i].now);
        CU_ASSERT_EQUAL(e2e_error_lines(), 1);
        offered_key(key);
        E2E_EXIT(0, ranks,
                 "train tiny.yaml --run %s --resume --steps 14 --set '%s' --set '%s' --threads 1 --allow-change %s",
                 run, changes[i].before, changes[i].now, key);
        for (int w = 0; w < 3; w++) E2E_SAID(changes[i].said[w]);
    }
    E2E_EXIT(0, 0, "ckpt diff %s-0 %s-2", changes[i].name, changes[i].name);
    /* The next session needs no word about it, and knows since when the slots are there. */
    E2E_EXIT(0, 0, "train tiny.yaml --run %s-0 --resume --steps 16 --set '%s' --set '%s'", changes[i].name,
             changes[i].before, changes[i].now);
    CU_ASSERT(!e2e_said("warning"));
    E2E_EXIT(0, 0, "train tiny.yaml --run %s-2 --resume --steps 15 --set '%s' --set '%s'", changes[i].name,
             changes[i].before, changes[i].now);
    E2E_EXIT(0, 0, "train tiny.yaml --run %s-2 --resume --steps 16 --set '%s' --set '%s'", changes[i].name,
             changes[i].before, changes[i].now);
    E2E_EXIT(0, 0, "ckpt diff %s-0 %s-2", changes[i].name, changes[i].name);
}

static void optimizer_and_average(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", "  optimizer: {sgd: {momentum: 0.9}}\n", "");
    for (size_t i = 0; i < COUNT(changes); i++) change(i);
}

/* Adam's first step is lr·g/|g| in each weight, its bias being corrected; a mean that counts as seven steps old when it
 * is one would make it half as long. */
static void fresh_slots_begin_anew(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train tiny.yaml --run slots --steps 6");
    E2E_EXIT(0, 0,
             "train tiny.yaml --run slots --resume --steps 7 --allow-change train.optimizer "
             "--set 'train.optimizer={adam: {beta1: 0.9}}'");
    E2E_EXIT(1, 0, "ckpt diff slots/checkpoints/step-00000006.h5 slots/checkpoints/step-00000007.h5 --json");
    const char *weights = strstr(e2e_output, "/param/conv1/weight");
    CU_ASSERT_PTR_NOT_NULL_FATAL(weights);
    const double longest = e2e_json_number(weights, "max_abs");
    CU_ASSERT(longest > 0.0199 && longest < 0.0201);
}

/* ---- Batches ---- */

/* 90 samples; after 2 steps of 16 a batch of 64 takes the 58 that are left, in one step. */
static void batch_in_mid_epoch(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    for (int ranks = 0; ranks <= 3; ranks += 3) {
        E2E_EXIT(0, 0, "train tiny.yaml --run batch-%d --steps 2", ranks);
        E2E_EXIT(0, ranks,
                 "train tiny.yaml --run batch-%d --resume --steps 5 --set train.batch=64 --allow-change train.batch "
                 "--threads 1",
                 ranks);
    }
    E2E_EXIT(0, 0, "ckpt diff batch-0 batch-3");
    CU_ASSERT_EQUAL(epoch_of_step("batch-0", 2), 1);
    CU_ASSERT_EQUAL(epoch_of_step("batch-0", 3), 1);
    CU_ASSERT_EQUAL(epoch_of_step("batch-0", 4), 2);
    CU_ASSERT_EQUAL(epoch_of_step("batch-0", 5), 2);
    E2E_EXIT(0, 0, "ckpt info batch-0 --json");
    CU_ASSERT_EQUAL((int)e2e_json_number(e2e_output, "position"), 0);
    /* Killed within such an epoch, it goes on as it would have. */
    E2E_EXIT(0, 0, "train tiny.yaml --run batch-a --steps 1");
    E2E_EXIT(0, 0, "train tiny.yaml --run batch-a --resume --steps 4 --set train.batch=20 --allow-change train.batch");
    E2E_EXIT(0, 0, "train tiny.yaml --run batch-b --steps 1");
    E2E_EXIT(0, 0, "train tiny.yaml --run batch-b --resume --steps 2 --set train.batch=20 --allow-change train.batch");
    E2E_EXIT(0, 2, "train tiny.yaml --run batch-b --resume --steps 4 --set train.batch=20 --threads 1");
    E2E_EXIT(0, 0, "ckpt diff batch-a batch-b");
}

/* What is left is less than a batch, and short batches are dropped: the epoch is over. */
static void nothing_is_left(void) {
    e2e_home();
    e2e_write_experiment("drop.yaml", "leaf: 4\n", "leaf: 4\n  last_batch: drop\n");
    E2E_EXIT(0, 0, "train drop.yaml --run drop --steps 3");
    E2E_EXIT(
        0, 2,
        "train drop.yaml --run drop --resume --steps 4 --set train.batch=64 --allow-change train.batch --threads 1");
    CU_ASSERT_EQUAL(epoch_of_step("drop", 4), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(metrics_of("drop"), "{\"kind\":\"eval\",\"step\":3,\"epoch\":1,"));
}

/* ---- Another run's weights ---- */

static double loss_of(const char *run) {
    E2E_EXIT(0, 0, "eval %s --json --log-level error", run);
    return e2e_json_number(e2e_output, "loss");
}

static void weights_of_a_run_that_averages(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(
        0, 0,
        "train tiny.yaml --run mean-source --steps 9 --set 'train.ema={decay: 0.95}' --set train.learning_rate=0.2");
    E2E_EXIT(0, 0, "train tiny.yaml --run mean-heir --steps 0 --set init.from=mean-source");
    E2E_SAID("starting from the averaged weights of");
    E2E_EXIT(0, 2,
             "train tiny.yaml --run mean-heir-too --steps 0 --threads 1 --set init.from=mean-source "
             "--set 'train.ema={decay: 0.9}'");
    const double loss = loss_of("mean-source");
    CU_ASSERT_EQUAL(loss_of("mean-heir"), loss);
    CU_ASSERT_EQUAL(loss_of("mean-heir-too"), loss);
}

static const struct {
    const char *init; /* --set */
    int code;
    const char *said[3];
} inits[] = {
    {"init={from: base, except: [dense9]}", 2, {"--set init:1:23: ", "\"dense9\"", "did you mean \"dense"}},
    {"init={from: base, except: [conv1, dens2]}", 2, {"--set init:1:30: ", "\"dens2\"", "did you mean \"dense2\"?"}},
    {"init={from: base, except: [head]}", 2, {"\"head\"", "init.except", "\"dense2\""}},
    {"init={from: base, except: dense2}", 2, {"init.except", "a list of layers", "[dense2]"}},
    {"init={from: base, except: [[dense2]]}", 2, {"init.except", "the name of a layer", "--set init:"}},
    {"init={except: [dense2]}", 2, {"init.except", "init.from", "missing"}},
    {"init={from: base}",
     4,
     {"/param/dense2/weight is 16×4 there and 16×5 here", "number of classes", "--set 'init.except=[dense2]'"}},
    {"init={from: base, except: [dense1]}",
     4,
     {"16×4 there and 16×5 here", "number of classes", "init: {from: …, except: [dense1, dense2]}"}},
};

/* Five outputs for what was four; found before anything is written, by --dry-run too. */
static void layers_that_start_anew(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train tiny.yaml --run base --steps 3");
    e2e_write_experiment("five.yaml", "- dense: 4\n", "- dense: 5\n");
    for (size_t i = 0; i < COUNT(inits); i++)
        for (int dry = 0; dry < 2; dry++) {
            E2E_EXIT(inits[i].code, dry ? 0 : 2, "train five.yaml --run anew --steps 1 --threads 1 %s --set '%s'",
                     dry ? "--dry-run" : "", inits[i].init);
            for (int w = 0; w < 3; w++) E2E_SAID(inits[i].said[w]);
            CU_ASSERT_EQUAL(e2e_error_lines(), 1);
        }
    CU_ASSERT_EQUAL(e2e_newest_step("anew"), -1);
    E2E_EXIT(0, 2, "train five.yaml --run anew --steps 0 --threads 1 --set 'init={from: base, except: [dense2]}'");
    E2E_EXIT(1, 0, "ckpt diff anew base");
    E2E_SAID("/param/dense2/weight");
    CU_ASSERT(!e2e_said("/param/conv1/") && !e2e_said("/param/dense1/"));
}

/* A residual that the file does not name is called as its messages call it, though its layers' names do not tell. */
static void groups_that_start_anew(void) {
    e2e_home();
    e2e_write_experiment("group.yaml", "    - dropout: 0.1\n",
                         "    - residual: {layers: [{conv: {filters: 4, kernel: 3, padding: same}}, batchnorm]}\n");
    E2E_EXIT(0, 0, "train group.yaml --run group-base --steps 3");
    E2E_EXIT(0, 0, "train group.yaml --run group --steps 0 --set 'init={from: group-base, except: [residual1]}'");
    E2E_EXIT(1, 0, "ckpt diff group group-base");
    E2E_SAID("/param/conv2/weight");
    E2E_SAID("/buffer/batchnorm1/");
    CU_ASSERT(!e2e_said("/param/conv1/") && !e2e_said("/param/dense1/"));
    E2E_EXIT(2, 0, "train group.yaml --run group2 --steps 0 --set 'init={from: group-base, except: [residual]}'");
    E2E_SAID("did you mean \"residual1\"?");
}

/* The whole of it: a new head trains, what is frozen stays to the bit. */
static void fine_tuning(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train tiny.yaml --run tuned-base --steps 3");
    e2e_write_experiment("tune.yaml", "- conv: {filters: 4, kernel: 3, padding: same}\n",
                         "- {conv: {filters: 4, kernel: 3, padding: same}, frozen: true}\n");
    E2E_EXIT(0, 2,
             "train tune.yaml --run tuned --steps 8 --threads 1 --set 'init={from: tuned-base, except: [dense2]}'");
    E2E_EXIT(1, 0, "ckpt diff tuned tuned-base");
    E2E_SAID("/param/dense1/weight");
    E2E_SAID("/param/dense2/weight");
    CU_ASSERT(!e2e_said("/param/conv1/"));
}

/* Nobody trained what they start with, and nothing will: it is told once, by a dry run, too. */
static void frozen_at_random(void) {
    static const char both[] = "conv1 is frozen and starts at random values, and keeps them";
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train tiny.yaml --run random-base --steps 1");
    e2e_write_experiment("random.yaml", "- conv: {filters: 4, kernel: 3, padding: same}\n",
                         "- {conv: {filters: 4, kernel: 3, padding: same}, frozen: true}\n");
    E2E_EXIT(0, 0, "train random.yaml --run random --dry-run");
    E2E_SAID(both);
    E2E_SAID("init.from");
    E2E_EXIT(0, 2, "train random.yaml --run random --steps 1 --threads 1");
    CU_ASSERT_EQUAL(e2e_count(both), 1);
    E2E_EXIT(0, 0, "train random.yaml --run random --steps 2 --resume");
    CU_ASSERT(!e2e_said("random values"));
    E2E_EXIT(0, 0, "train random.yaml --run random2 --steps 1 --set 'init={from: random-base, except: [conv1]}'");
    E2E_SAID(both);
    E2E_SAID("take it out of init.except");
    E2E_SAID("checkpoints/step-00000001.h5, but for init.except");
    E2E_EXIT(0, 0, "train random.yaml --run random3 --steps 1 --set 'init={from: random-base, except: [dense2]}'");
    CU_ASSERT(!e2e_said("random values"));
    E2E_EXIT(
        0, 0,
        "train tiny.yaml --run random4 --steps 1 --set 'init={from: random-base, except: [conv1, dense1, dense2]}'");
    E2E_SAID("init.except leaves nothing of the weights of");
    CU_ASSERT(!e2e_said("starting from"));
}

/* A fixed filter has values, and what has none stays as it is; where the advice would let a frozen layer start anew, it
 * says so. */
static void frozen_with_values(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train tiny.yaml --run values-base --steps 1");
    e2e_write_experiment("values.yaml", "- conv: {filters: 4, kernel: 3, padding: same}\n",
                         "- {conv: {filters: 4, kernel: 3, padding: same, weights: sobel_x}, frozen: true}\n"
                         "    - {batchnorm: , frozen: true}\n    - {relu: , frozen: true}\n");
    E2E_EXIT(0, 0, "train values.yaml --run values --dry-run");
    CU_ASSERT(!e2e_said("random values"));
    e2e_write_experiment("values.yaml", "- conv: {filters: 4, kernel: 3, padding: same}\n",
                         "- {conv: {filters: 6, kernel: 3, padding: same}, frozen: true}\n");
    E2E_EXIT(4, 0, "train values.yaml --run values --dry-run --set init.from=values-base");
    E2E_SAID("--set 'init.except=[conv1, dense1]'), and drop frozen from conv1, which would stay at random values");
}

/* Layers that cannot be resumed with are not offered to be allowed. */
static void another_network(void) {
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train tiny.yaml --run narrow --steps 2");
    e2e_write_experiment("wide.yaml", "dense: 16", "dense: 24");
    E2E_EXIT(2, 2, "train wide.yaml --run narrow --resume --steps 4 --threads 1 --allow-change model");
    E2E_SAID("is 24, and was 16 in the run, whose parameters do not fit");
    E2E_SAID("init.from");
    CU_ASSERT(!e2e_said("--allow-change"));
    e2e_write_experiment("wide.yaml", "dropout: 0.1", "dropout: 0.2"); /* this one can */
    E2E_EXIT(2, 0, "train wide.yaml --run narrow --resume --steps 4");
    char key[128];
    offered_key(key);
    E2E_EXIT(0, 0, "train wide.yaml --run narrow --resume --steps 4 --allow-change %s", key);
}

/* Where the weights came from is the run's history: nothing else is written down for it. */
static void where_weights_came_from(void) {
    static const char *const others[] = {"init.from=nowhere", "init.except=[nolayer]", "init=null"};
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train tiny.yaml --run giver --steps 1");
    E2E_EXIT(0, 0, "train tiny.yaml --run taker --steps 2 --set init.from=giver");
    for (size_t i = 0; i < COUNT(others); i++) {
        E2E_EXIT(2, 0, "train tiny.yaml --run taker --resume --steps 3 --set init.from=giver --set '%s'", others[i]);
        E2E_SAID("--allow-change init.");
    }
    e2e_read(e2e_path("taker/experiment.yaml"), listing, sizeof listing);
    CU_ASSERT(strstr(listing, "/giver") && !strstr(listing, "nowhere") && !strstr(listing, "nolayer"));
    E2E_EXIT(0, 0, "train tiny.yaml --run taker --resume --steps 3 --set init.from=elsewhere/giver"); /* moved */
    E2E_EXIT(2, 0, "train tiny.yaml --run giver --resume --steps 3 --set init.from=taker");
}

/* experiment.yaml is of the newest checkpoint: what it and the program say goes on, though nothing was trained, or the
 * job ended before the next one. */
static void written_with_its_checkpoint(void) {
    const char *change = "--set train.batch=8 --allow-change train.batch";
    char now[1 << 12];
    e2e_home();
    e2e_write_experiment("tiny.yaml", NULL, NULL);
    E2E_EXIT(0, 0, "train tiny.yaml --run written --steps 2");
    e2e_read(e2e_path("written/experiment.yaml"), listing, sizeof listing);
    E2E_EXIT(0, 0, "train tiny.yaml --run written --resume --steps 2 %s", change);
    e2e_read(e2e_path("written/experiment.yaml"), now, sizeof now);
    CU_ASSERT_STRING_EQUAL(listing, now);
    E2E_EXIT(0, 0, "train written/experiment.yaml --run written --resume --steps 3");
    struct e2e_job job = e2e_start(0,
                                   "train tiny.yaml --run written --resume %s --set train.epochs=1000000 "
                                   "--set 'checkpoint={every: 1000000 steps}' --allow-change train.epochs",
                                   change);
    usleep(500000);
    e2e_signal(job, SIGKILL);
    e2e_wait(job);
    E2E_EXIT(0, 0, "train written/experiment.yaml --run written --resume --steps 4");
    E2E_EXIT(0, 0, "train tiny.yaml --run written --resume --steps 5 %s", change);
    E2E_EXIT(0, 0, "train written/experiment.yaml --run written --resume --steps 6");
    E2E_EXIT(0, 0, "train tiny.yaml --run written --resume --steps 7 %s", change); /* the same words again */
}

static const struct test_case cases[] = {
    {"another optimiser, another average: what is offered works", optimizer_and_average},
    {"fresh slots begin as in a fresh run", fresh_slots_begin_anew},
    {"another batch in mid-epoch", batch_in_mid_epoch},
    {"another batch where nothing is left for it", nothing_is_left},
    {"weights of a run that averages are those that eval shows", weights_of_a_run_that_averages},
    {"init.except: layers that start anew", layers_that_start_anew},
    {"init.except: groups that start anew", groups_that_start_anew},
    {"fine-tuning with frozen layers", fine_tuning},
    {"frozen at random values is told", frozen_at_random},
    {"frozen with values is not", frozen_with_values},
    {"another network is not offered", another_network},
    {"where the weights came from", where_weights_came_from},
    {"experiment.yaml is of the newest checkpoint", written_with_its_checkpoint},
    {0},
};
const struct test_suite suite_e2e_change = {"e2e_change", cases, NULL};
