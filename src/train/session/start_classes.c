#include "train/session/start_classes.h"

#include <string.h>

#include "train/datasets.h"

struct starting {
    const struct cvy_task *task;
    const struct cvy_inputs *inputs;
};

/* The node whose parameters make the scores that a loss reads, −1 where there is none. */
static int scoring_node(const struct cvy_graph *graph, const struct cvy_graph_node *loss) {
    int node = graph->values[loss->inputs[0]].producer;
    while (node >= 0 && graph->nodes[node].op.params == 0) node = graph->values[graph->nodes[node].inputs[0]].producer;
    return node;
}

/* The layers that tell classes apart with weights of the run: the last one, and those of heads. */
static void list_taken(const struct cvy_task *t, struct cvy_buf *out) {
    const struct cvy_graph *graph = t->graph;
    for (int i = 0; i < graph->node_count; i++) {
        if (graph->nodes[i].output >= 0) continue;
        const int node = scoring_node(graph, &graph->nodes[i]);
        if (node < 0) continue;
        const char *weights = graph->params.items[graph->nodes[node].param[0]].name;
        if (!cvy_state_listed(graph, t->experiment->init_except, weights))
            cvy_buf_printf(out, "%s%s", out->size ? ", " : "", graph->nodes[node].name);
    }
}

static int place_of(const char *name, const struct cvy_ckpt_attribute *names) {
    for (int i = 0; i < names->count; i++)
        if (strcmp(names->texts[i], name) == 0) return i;
    return -1;
}

static void list_names(const struct cvy_ckpt_attribute *names, struct cvy_buf *out) {
    const int most = 12;
    for (int i = 0; i < names->count && i < most; i++) cvy_buf_printf(out, "%s%s", i ? "," : "", names->texts[i]);
    if (names->count > most) cvy_buf_printf(out, ",…");
}

/* What init.except would have to be. */
static void list_except(const struct cvy_task *t, const char *layers, struct cvy_buf *out) {
    const struct cvy_node *except = t->experiment->init_except;
    for (size_t i = 0; except && i < except->count; i++) cvy_buf_printf(out, "%s, ", except->items[i]->text);
    cvy_buf_printf(out, "%s", layers);
}

/* As text labels are numbered in the order of the alphabet, it takes another set of them only. */
static cvy_status refuse_order(const struct starting *s, const struct cvy_ckpt_attribute *names, int class,
                               const char *layers) {
    struct cvy_buf order = {0}, except = {0};
    const char *name = s->inputs->train->info.class_names[class];
    list_names(names, &order);
    list_except(s->task, layers, &except);
    cvy_status status =
        CVY_FAIL(CVY_ERR_DATA,
                 "%s: its class %d, \"%s\", is class %d in the run of init.from, for which %s was trained; number them "
                 "as there (data pack --classes %s), or let it start anew: init: {from: …, except: [%s]} (--set "
                 "'init.except=[%s]')",
                 cvy_inputs_train_name(s->task), class, name, place_of(name, names), layers, cvy_buf_text(&order),
                 cvy_buf_text(&except), cvy_buf_text(&except));
    cvy_buf_destroy(&order);
    cvy_buf_destroy(&except);
    return status;
}

static void warn_of_others(const struct starting *s, const struct cvy_ckpt_attribute *names, int class,
                           const char *layers) {
    struct cvy_buf except = {0};
    list_except(s->task, layers, &except);
    cvy_warn(s->task->ctx->log,
             "%s: its class %d is \"%s\", and was \"%s\" in the run of init.from: %s goes on from what was learnt of "
             "that; init: {from: …, except: [%s]} lets it start anew",
             cvy_inputs_train_name(s->task), class, s->inputs->train->info.class_names[class], names->texts[class],
             layers, cvy_buf_text(&except));
    cvy_buf_destroy(&except);
}

/* Both have names. */
static cvy_status compare(const struct starting *s, const struct cvy_ckpt_attribute *names, const char *layers) {
    const struct cvy_dataset_info *info = &s->inputs->train->info;
    int other = -1;
    for (int i = 0; i < info->classes; i++) {
        const int there = place_of(info->class_names[i], names);
        if (there >= 0 && there != i) return refuse_order(s, names, i, layers);
        if (there < 0 && i < names->count && other < 0) other = i;
    }
    if (other >= 0) warn_of_others(s, names, other, layers);
    return CVY_OK;
}

static cvy_status check(const struct starting *s, const struct cvy_ckpt_attribute *names, const char *layers) {
    const struct cvy_dataset_info *info = &s->inputs->train->info;
    if (info->named && cvy_dataset_are_names(names->texts, names->count)) return compare(s, names, layers);
    cvy_datasets_tell_numbers(s->task->ctx->log, names->texts, names->count, info, cvy_inputs_train_name(s->task));
    return CVY_OK;
}

cvy_status cvy_start_check_classes(const struct cvy_task *task, const struct cvy_inputs *inputs,
                                   const struct cvy_ckpt *ckpt) {
    const struct starting s = {task, inputs};
    const struct cvy_ckpt_attribute *names = cvy_ckpt_attribute(ckpt, "classes");
    struct cvy_buf layers = {0};
    if (names == NULL || names->texts == NULL) return CVY_OK;
    list_taken(task, &layers);
    cvy_status status = layers.size ? check(&s, names, cvy_buf_text(&layers)) : CVY_OK;
    cvy_buf_destroy(&layers);
    return status;
}
