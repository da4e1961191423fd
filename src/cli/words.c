/* convoy help WORD, where the word is no topic and no name in one: where it is told. Settings, options, commands by
 * their second word and values are looked for by their whole name; where there is none, texts in which the word stands.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "output.h"

static const struct cli_command *const commands[] = {
#define LIST(name) &cli_##name,
    CLI_COMMANDS(LIST)
#undef LIST
};
enum { COMMANDS = sizeof commands / sizeof *commands };

/* What no table of settings or options tells. */
static const struct {
    const char *words, *text, *see;
} notes[] = {
    {"metrics|metrics.jsonl|history", "a run folder has them, an object a line: configs/FORMATS.md",
     "convoy eval --help"},
    {"accuracy|top1|top5|recall|f1|confusion|rmse|mae|psnr|score|scores", "of a data set, by the network of a run",
     "convoy eval --help"},
    {"checkpoints|snapshot|weights", "a run folder has them in checkpoints/", "convoy ckpt list --help"},
    {"resume|restart|continue", "train EXPERIMENT.yaml --resume goes on from the run's newest checkpoint",
     "convoy train --help"},
    {"rank|ranks|mpi|mpirun|processes", "mpirun -n 4 convoy train … makes four", "convoy --help"},
    {"scaling|efficiency|nodes|cluster", "what a training on many nodes would be like", "convoy plan --help"},
    {"latency|bandwidth", "of messages between ranks: mpirun -n 2 convoy bench --network", "convoy bench --help"},
    {"isa|ISA|avx2|avx512|amx|CONVOY_ISA", "CONVOY_ISA=avx2 caps the level of the processor that is used", "README.md"},
    {"activation|activations", "a layer of its own, such as relu", "convoy help layers"},
    {"regression", "a loss of values, mse, l1 or huber, and targets of numbers: configs/README.md, Targets",
     "convoy help losses"},
    {"segmentation|mask|masks",
     "a map of classes as targets, and a network whose output is a map: configs/README.md, "
     "Targets",
     "convoy help losses"},
    {"multi-label|multilabel|multi_label", "the loss logistic, and targets [n][k] of 0 and 1", "convoy help logistic"},
    {"classification", "the loss softmax_cross_entropy, and a class a sample", "convoy help softmax_cross_entropy"},
    {"warmup|warm-up|warm_up", "warmup_epochs of a schedule", "convoy help cosine"},
    {"nan|NaN|inf|infinity|diverged|divergence",
     "in data: an error that names the sample; of a loss: exit code 5, and a command that goes on",
     "convoy train --help"},
    {"normalize|normalise|normalization|normalisation",
     "inputs by data.mean and data.std; feature maps by batchnorm and other layers", "convoy help data"},
    {"slurm|sbatch|queue", "launch/slurm.sh is a job script for the first and every later job", "README.md"},
    {"pooling|pool", "maxpool, avgpool, global_avgpool, adaptive_avgpool …", "convoy help layers"},
    {"exit|exit_code|exit_codes|codes|status",
     "each command's --help lists its own; a bare mpirun that is stopped gives 1, convoy-run 75",
     "convoy train --help"},
    {"kill|signal|signals|sigterm|SIGTERM|sigint|SIGINT|preempt|pre-empt|interrupt",
     "train writes a checkpoint and exits 75 (under mpirun by convoy-run alone); --resume goes on",
     "convoy train --help"},
    {"regularization|regularisation", "weight_decay of an optimizer, dropout, label_smoothing", "convoy help sgd"},
};

struct finder {
    const char *word;
    struct cli_table table;
    int found;
};

static void add(struct finder *f, const char *where, const char *text, const char *see) {
    cli_cell(&f->table, "  %s", where);
    cli_cell(&f->table, "%s", see);
    cli_cell(&f->table, "%s", text ? text : "");
    f->found++;
}

/* Whether `list`, "fp32|bf16", has the word. */
static bool has(const char *list, const char *word) {
    const size_t length = strlen(word);
    for (const char *p = list; *p; p += strcspn(p, "|"), p += *p == '|')
        if (strcspn(p, "|") == length && strncmp(p, word, length) == 0) return true;
    return false;
}

static bool part_of_word(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

/* Whether it stands in the text, as a whole word. */
static bool stands_in(const char *text, const char *word) {
    const size_t length = strlen(word);
    for (const char *p = text; p && (p = strcasestr(p, word)); p++)
        if ((p == text || !part_of_word(p[-1])) && !part_of_word(p[length])) return true;
    return false;
}

/* ---- What is in an experiment ---- */

typedef bool setting_fits(const char *word, const struct cvy_setting_facts *setting);
static bool is_named(const char *word, const struct cvy_setting_facts *s) {
    return strcmp(s->name, word) == 0;
}
static bool has_value(const char *word, const struct cvy_setting_facts *s) {
    return strchr(s->type, '|') && has(s->type, word);
}
static bool speaks_of(const char *word, const struct cvy_setting_facts *s) {
    return stands_in(s->help, word);
}

/* Settings that fit: "setting of conv (layers)"; "value of padding in conv (layers)". */
static void find_settings(struct finder *f, setting_fits *fits, const char *what) {
    struct cvy_topic_facts topic = cvy_topic_facts_default();
    struct cvy_kind_facts kind = cvy_kind_facts_default();
    struct cvy_setting_facts setting = cvy_setting_facts_default();
    char where[160], see[96];
    for (int t = 0; cvy_reference_topic(t, &topic); t++)
        for (int k = 0; cvy_reference_kind(t, k, &kind); k++)
            for (int i = 0; cvy_reference_setting(t, k, i, &setting); i++) {
                if (!fits(f->word, &setting)) continue;
                snprintf(see, sizeof see, "convoy help %s", kind.name);
                snprintf(where, sizeof where, what[0] ? "%s%s in %s (%s)" : "%s%ssetting of %s (%s)", what,
                         what[0] ? setting.name : "", kind.name, topic.name);
                add(f, where, setting.help, see);
            }
}

static void find_purposes(struct finder *f) {
    struct cvy_topic_facts topic = cvy_topic_facts_default();
    struct cvy_kind_facts kind = cvy_kind_facts_default();
    char where[96], see[96];
    for (int t = 0; cvy_reference_topic(t, &topic); t++)
        for (int k = 0; cvy_reference_kind(t, k, &kind); k++) {
            if (!stands_in(kind.purpose, f->word)) continue;
            snprintf(where, sizeof where, "%s (%s)", kind.name, topic.name);
            snprintf(see, sizeof see, "convoy help %s", kind.name);
            add(f, where, kind.purpose, see);
        }
}

/* ---- What is typed ---- */

static bool is_option(const char *word, const struct cli_option *o) {
    return strcmp(o->name, word) == 0;
}
static bool speaks_of_it(const char *word, const struct cli_option *o) {
    return stands_in(o->help, word) || (o->choices && has(o->choices, word));
}

static void find_options(struct finder *f, bool (*fits)(const char *, const struct cli_option *)) {
    char where[96], see[64];
    for (int c = 0; c <= COMMANDS; c++) { /* those of every command last */
        const char *name = c < COMMANDS ? commands[c]->name : "every command";
        const struct cli_option *options = c < COMMANDS ? commands[c]->options : cli_common_options;
        for (const struct cli_option *o = options; o && o->name; o++) {
            if (!fits(f->word, o)) continue;
            snprintf(where, sizeof where, "--%s, option of %s", o->name, name);
            snprintf(see, sizeof see, "convoy %s --help", c < COMMANDS ? name : "train");
            add(f, where, o->help, see);
        }
    }
}

static void find_arguments(struct finder *f) {
    char where[96], see[64];
    for (int c = 0; c < COMMANDS; c++)
        for (const struct cli_argument *a = commands[c]->arguments; a->name; a++) {
            if (!stands_in(a->help, f->word)) continue;
            snprintf(where, sizeof where, "%s, argument of %s", a->name, commands[c]->name);
            snprintf(see, sizeof see, "convoy %s --help", commands[c]->name);
            add(f, where, a->help, see);
        }
}

/* "pack" of "data pack". */
static void find_commands(struct finder *f) {
    char see[64];
    for (int c = 0; c < COMMANDS; c++) {
        const char *space = strchr(commands[c]->name, ' ');
        if (space == NULL || strcmp(space + 1, f->word) != 0) continue;
        snprintf(see, sizeof see, "convoy %s --help", commands[c]->name);
        add(f, commands[c]->name, commands[c]->purpose, see);
    }
}

static void find_command_texts(struct finder *f) {
    char see[64];
    for (int c = 0; c < COMMANDS; c++) {
        if (!stands_in(commands[c]->purpose, f->word)) continue;
        snprintf(see, sizeof see, "convoy %s --help", commands[c]->name);
        add(f, commands[c]->name, commands[c]->purpose, see);
    }
}

/* ---- All of them ---- */

static void find_notes(struct finder *f) {
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        if (has(notes[i].words, f->word)) add(f, f->word, notes[i].text, notes[i].see);
}

static void find_exactly(struct finder *f, bool settings) {
    if (settings) find_settings(f, is_named, "");
    find_commands(f);
    find_options(f, is_option);
    find_settings(f, has_value, "value of ");
    find_notes(f);
}

static void find_in_texts(struct finder *f) {
    find_purposes(f);
    find_settings(f, speaks_of, "");
    find_command_texts(f);
    find_arguments(f);
    find_options(f, speaks_of_it);
}

static bool print(struct finder *f) {
    if (f->found)
        cli_table_print(&f->table);
    else
        cvy_buf_destroy(&f->table.cells);
    return f->found > 0;
}

static void start(struct finder *f, const char *word) {
    *f = (struct finder){.word = word};
    cli_table_start(&f->table, "<  where|<all of it|<");
}

bool cli_words_know(const char *word) {
    struct finder f;
    start(&f, word);
    find_exactly(&f, true);
    cvy_buf_destroy(&f.table.cells);
    return f.found > 0;
}

bool cli_words_print(const char *word) {
    struct finder f;
    start(&f, word);
    find_exactly(&f, true);
    if (f.found == 0 && strlen(word) > 2) find_in_texts(&f);
    return print(&f);
}

void cli_words_print_also(const char *word, bool settings) {
    struct finder f;
    start(&f, word);
    find_exactly(&f, settings);
    if (f.found) printf("\n\"%s\" is also told of:\n\n", word);
    print(&f);
}
