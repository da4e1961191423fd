/* convoy help TOPIC-OR-NAME: what may be written in an experiment or a model file. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "output.h"
#include "core/text.h"

static const struct cli_argument arguments[] = {
    {"TOPIC", .help = "layers, losses …; or the name of one of them, or both: layers conv", .optional = true,
     .word = true},
    {"NAME", .help = "one of the topic's; or more words to look for: batch size", .optional = true, .many = true,
     .word = true},
    {0},
};

/* What was asked for; NULL: all. */
struct question {
    const char *topic, *name, *setting;
};

/* "train" asks for train.clip, too. */
static bool wants(const char *asked, const char *name) {
    const size_t length = asked ? strlen(asked) : 0;
    return asked == NULL || (strncmp(asked, name, length) == 0 && (name[length] == '\0' || name[length] == '.'));
}

static bool is_topic(const char *word) {
    struct cvy_topic_facts topic = cvy_topic_facts_default();
    for (int t = 0; cvy_reference_topic(t, &topic); t++)
        if (strcmp(topic.name, word) == 0) return true;
    return false;
}

static bool has_setting(int t, int k, const char *name) {
    struct cvy_setting_facts setting = cvy_setting_facts_default();
    for (int i = 0; cvy_reference_setting(t, k, i, &setting); i++)
        if (strcmp(setting.name, name) == 0) return true;
    return false;
}

/* Calls fn for every kind that is asked for; gives their count. */
typedef void kind_fn(void *arg, int t, int k, const struct cvy_topic_facts *topic, const struct cvy_kind_facts *kind);
static int each_kind(const struct question *q, kind_fn *fn, void *arg) {
    struct cvy_topic_facts topic = cvy_topic_facts_default();
    struct cvy_kind_facts kind = cvy_kind_facts_default();
    int count = 0;
    for (int t = 0; cvy_reference_topic(t, &topic); t++)
        for (int k = 0; wants(q->topic, topic.name) && cvy_reference_kind(t, k, &kind); k++) {
            if (!wants(q->name, kind.name) || (q->setting && !has_setting(t, k, q->setting))) continue;
            count++;
            if (fn) fn(arg, t, k, &topic, &kind);
        }
    return count;
}

/* ---- text ---- */

void cli_print_topics(void) {
    struct cvy_topic_facts topic = cvy_topic_facts_default();
    struct cli_table table;
    cli_table_start(&table, "<topic|<where it stands");
    for (int t = 0; cvy_reference_topic(t, &topic); t++) {
        cli_cell(&table, "%s", topic.name);
        cli_cell(&table, "%s", topic.purpose);
    }
    cli_table_print(&table);
    printf("\nconvoy help TOPIC lists what there is; convoy help NAME says all of one: conv, adam, cosine,\n"
           "or a section of an experiment: train, data, model, init, comm, checkpoint, log.\n");
}

static void list_kind(void *arg, int t, int k, const struct cvy_topic_facts *topic, const struct cvy_kind_facts *kind) {
    struct cli_table *table = arg;
    (void)t, (void)k, (void)topic;
    cli_cell(table, "%s", kind->name);
    cli_cell(table, "%s", kind->purpose);
}

static void print_setting(struct cli_table *table, const struct cvy_setting_facts *s) {
    cli_cell(table, "%s", s->name);
    cli_cell(table, "%s", s->fallback ? s->fallback[0] ? s->fallback : "-" : "must be given");
    cli_cell(table, "%s%s%s", s->type, s->range[0] ? ", " : "", s->range);
    cli_cell(table, "%s", s->help ? s->help : "");
}

static void print_kind(void *arg, int t, int k, const struct cvy_topic_facts *topic,
                       const struct cvy_kind_facts *kind) {
    struct cvy_setting_facts setting = cvy_setting_facts_default();
    struct cli_table table;
    int *printed = arg;
    if ((*printed)++) putchar('\n');
    printf("%s (%s): %s\n", kind->name, topic->name, kind->purpose);
    cli_table_start(&table, "<  setting|<default|<value|<");
    for (int i = 0; cvy_reference_setting(t, k, i, &setting); i++) {
        char name[64];
        snprintf(name, sizeof name, "  %.60s", setting.name);
        setting.name = name;
        print_setting(&table, &setting);
    }
    if (table.count > table.columns)
        cli_table_print(&table);
    else
        cvy_buf_destroy(&table.cells);
    if (kind->shorthand)
        printf("`%s: value` is short for `%s: {%s: value}`.\n", kind->name, kind->name, kind->shorthand);
}

static void print_text(const struct question *q) {
    struct cli_table table;
    int printed = 0;
    if (q->topic == NULL && q->name == NULL) {
        cli_print_topics();
    } else if (q->name || strcmp(q->topic, "experiment") == 0) {
        each_kind(q, print_kind, &printed);
    } else {
        cli_table_start(&table, "<name|<");
        each_kind(q, list_kind, &table);
        cli_table_print(&table);
        printf("\nconvoy help NAME says their settings.\n");
    }
}

/* ---- JSON ---- */

static void add_setting(struct cvy_buf *json, const struct cvy_setting_facts *s) {
    cvy_json_open(json, NULL, '{');
    cvy_json_text(json, "name", s->name);
    cvy_json_text(json, "type", s->type);
    if (s->fallback) cvy_json_text(json, "default", s->fallback);
    cvy_json_text(json, "range", s->range);
    cvy_json_text(json, "help", s->help ? s->help : "");
    cvy_json_close(json, '}');
}

static void add_kind(void *arg, int t, int k, const struct cvy_topic_facts *topic, const struct cvy_kind_facts *kind) {
    struct cvy_setting_facts setting = cvy_setting_facts_default();
    struct cvy_buf *json = arg;
    cvy_json_open(json, NULL, '{');
    cvy_json_text(json, "topic", topic->name);
    cvy_json_text(json, "name", kind->name);
    cvy_json_text(json, "purpose", kind->purpose);
    if (kind->shorthand) cvy_json_text(json, "shorthand", kind->shorthand);
    cvy_json_open(json, "settings", '[');
    for (int i = 0; cvy_reference_setting(t, k, i, &setting); i++) add_setting(json, &setting);
    cvy_json_close(json, ']');
    cvy_json_close(json, '}');
}

static cvy_status print_json(struct cli *cli, const struct question *q) {
    struct cvy_buf json = {0};
    cvy_json_open(&json, NULL, '{');
    cvy_json_open(&json, "kinds", '[');
    each_kind(q, add_kind, &json);
    cvy_json_close(&json, ']');
    cvy_json_close(&json, '}');
    return cli_print_json(cli, &json);
}

/* ---- the command ---- */

enum { NAMES = 2048 };
struct names {
    const char *items[NAMES];
    size_t count;
};
static void add_name(void *arg, int t, int k, const struct cvy_topic_facts *topic, const struct cvy_kind_facts *kind) {
    struct names *names = arg;
    (void)t, (void)k, (void)topic;
    if (names->count < NAMES) names->items[names->count++] = kind->name;
}

static void add_settings(struct names *names) {
    struct cvy_topic_facts topic;
    struct cvy_kind_facts kind;
    struct cvy_setting_facts setting;
    for (int t = 0; cvy_reference_topic(t, &topic); t++)
        for (int k = 0; cvy_reference_kind(t, k, &kind); k++)
            for (int i = 0; names->count < NAMES && cvy_reference_setting(t, k, i, &setting); i++)
                names->items[names->count++] = setting.name;
}

static cvy_status refuse(struct cli *cli, const struct question *q) {
    struct names names = {.count = 0};
    struct cvy_topic_facts topic = cvy_topic_facts_default();
    each_kind(&(struct question){.topic = q->topic}, add_name, &names);
    if (q->topic == NULL) add_settings(&names);
    for (int t = 0; q->topic == NULL && cvy_reference_topic(t, &topic) && names.count < NAMES; t++)
        names.items[names.count++] = topic.name;
    const char *near = cvy_nearest(q->name, names.items, names.count);
    if (near) return cli_fail(cli, "no help on \"%s\"; did you mean \"%s\"?", q->name, near);
    return cli_fail(cli, "no help on \"%s\"; convoy help lists the topics", q->name);
}

/* A setting is told with those beside it: "epochs" → the section train, "momentum" → sgd. `section` keeps the name. */
static bool find_section(const char *word, char section[64], struct question *q) {
    char *dot, *start;
    if (word == NULL || !cvy_reference_path(word, section)) return false;
    dot = strrchr(section, '.');
    if (dot) *dot = '\0';
    start = strrchr(section, '.');
    *q = dot ? (struct question){.name = section} : (struct question){"experiment", "experiment", NULL};
    if (dot && start && each_kind(q, NULL, NULL) == 0) q->name = start + 1;
    return each_kind(q, NULL, NULL) > 0;
}

/* "train.optimizer.adam" leads to train.optimizer.adam, and to adam. */
static bool leads_to(const char *path, size_t length, const char *kind) {
    const size_t size = strlen(kind);
    return size <= length && strncmp(path + length - size, kind, size) == 0 &&
           (size == length || path[length - size - 1] == '.');
}

/* Any setting of any kind, alone or behind what it stands in: "stride", "train.clip.norm". */
static bool find_holder(const char *word, struct question *q) {
    struct cvy_topic_facts topic = cvy_topic_facts_default();
    struct cvy_kind_facts kind = cvy_kind_facts_default();
    const char *dot = word ? strrchr(word, '.') : NULL, *name = dot ? dot + 1 : word;
    for (int t = 0; name && cvy_reference_topic(t, &topic); t++)
        for (int k = 0; cvy_reference_kind(t, k, &kind); k++) {
            if (dot && !leads_to(word, (size_t)(dot - word), kind.name)) continue;
            if (!has_setting(t, k, name)) continue;
            *q = (struct question){topic.name, kind.name, NULL};
            return true;
        }
    return false;
}

bool cli_help_knows(const char *word) {
    return is_topic(word) || each_kind(&(struct question){.name = word}, NULL, NULL) > 0;
}

/* What one word leads to, where it is no name of a kind: a setting of one kind alone, or one behind what it stands in.
 */
static bool find_one(const char *word, char section[64], struct question *q) {
    if (strchr(word, '.') && find_holder(word, q)) return true; /* as it is written: train.loss is of train */
    const int holders = each_kind(&(struct question){.setting = word}, NULL, NULL);
    if (holders > 1) return false;
    return (holders == 0 && find_section(word, section, q)) || find_holder(word, q);
}

static cvy_status tell(struct cli *cli, const char *first, const char *second) {
    const bool topic = first && (second || is_topic(first));
    struct question q = {topic ? first : NULL, topic ? second : first, NULL};
    char section[64];
    const char *word = topic ? NULL : first;
    const bool kind = q.name == NULL || each_kind(&q, NULL, NULL) > 0;
    if (!kind && word && !find_one(word, section, &q)) {
        if (!cli->common.json && cli_words_print(word)) return CVY_OK;
        q = (struct question){.setting = word};
    }
    if (each_kind(&q, NULL, NULL) == 0) return refuse(cli, &(struct question){q.topic, topic ? second : first, NULL});
    if (cli->common.json) return print_json(cli, &q);
    print_text(&q);
    if (word) cli_words_print_also(word, kind);
    return CVY_OK;
}

/* Whether one word, written or joined of several, is told anywhere. */
static bool is_told(const char *word) {
    struct question q;
    char section[64];
    return cli_help_knows(word) || find_one(word, section, &q) || cli_words_know(word);
}

/* "batch size" is batch_size, which is told; else each word for itself. */
static cvy_status tell_words(struct cli *cli) {
    char joined[128] = "";
    size_t used = 0;
    for (int i = 0; i < cli->argument_count && used < sizeof joined; i++)
        used += (size_t)snprintf(joined + used, sizeof joined - used, "%s%s", i ? "_" : "", cli->arguments[i]);
    if (is_told(joined)) return tell(cli, joined, NULL);
    if (cli->common.json) return tell(cli, cli->arguments[0], NULL);
    for (int i = 0; i < cli->argument_count; i++) {
        if (i) putchar('\n');
        cvy_status status = tell(cli, cli->arguments[i], NULL);
        if (status != CVY_OK) return status;
    }
    return CVY_OK;
}

static cvy_status run(struct cli *cli) {
    const char *first = cli->argument_count > 0 ? cli->arguments[0] : NULL;
    const bool with_name = cli->argument_count == 2 && is_topic(first);
    if (cli->argument_count > 1 && !with_name) return tell_words(cli);
    return tell(cli, first, with_name ? cli->arguments[1] : NULL);
}

static const struct cli_exit exits[] = {CLI_EXIT_DONE, CLI_EXIT_FAULT, {"2", "there is no help on that"}, {0}};
const struct cli_command cli_help = {
    .name = "help",
    .purpose = "Says what may be written in experiment and model files: layers, losses, optimizers, schedules …",
    .arguments = arguments,
    .example = "convoy help conv",
    .exits = exits,
    .run = run,
};
