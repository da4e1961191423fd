/* Whether a checkpoint's network is this one; and where it is not, which layers would have to start anew. */
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "train/state.h"

/* ---- Lists of layers ---- */

/* Whether `word` is this name or a scope that it is in: "block2" of "block2/conv1/weight". */
static bool covers(const char *word, const char *name) {
    size_t length = strlen(word);
    return strncmp(name, word, length) == 0 && (name[length] == '/' || name[length] == '\0');
}

/* Whether `word` is a group without a scope, and the name one of its layers' or in it. */
static bool holds(const struct cvy_graph *graph, const char *word, const char *name) {
    for (int g = 0; g < graph->group_count; g++)
        for (int i = graph->groups[g].first; i < graph->groups[g].end && strcmp(graph->groups[g].name, word) == 0; i++)
            if (covers(graph->nodes[i].name, name)) return true;
    return false;
}

bool cvy_state_listed(const struct cvy_graph *graph, const struct cvy_node *except, const char *name) {
    for (size_t i = 0; except && i < except->count; i++)
        if (covers(except->items[i]->text, name) || holds(graph, except->items[i]->text, name)) return true;
    return false;
}

/* How long the layer's name is in a parameter's: "conv1" of "conv1/weight". */
static size_t layer_length(const char *name) {
    const char *slash = strrchr(name, '/');
    return slash ? (size_t)(slash - name) : strlen(name);
}

/* Frozen at values that are nobody's; a fixed filter's are given. */
static bool stays_random(const struct cvy_param *param) {
    return param->lr_factor == 0 && param->given == NULL && cvy_init_draws(param->init);
}

int cvy_state_list_random(const struct cvy_graph *graph, cvy_state_chooser *chosen, const void *arg,
                          struct cvy_buf *out) {
    enum { MOST = 8 };
    const char *last = NULL;
    int count = 0;
    for (int i = 0; i < graph->params.count; i++) {
        const char *name = graph->params.items[i].name;
        const size_t length = layer_length(name);
        const bool again = last && layer_length(last) == length && strncmp(last, name, length) == 0;
        if (again || !stays_random(&graph->params.items[i]) || !chosen(arg, name)) continue;
        if (count++ < MOST) cvy_buf_printf(out, "%s%.*s", out->size ? ", " : "", (int)length, name);
        last = name;
    }
    if (count > MOST) cvy_buf_printf(out, " and %d more", count - MOST);
    return count;
}

/* A tensor's name where it is a parameter or a buffer, else NULL: "conv1/weight" of "/param/conv1/weight". */
static const char *name_of(const struct cvy_ckpt_tensor *tensor) {
    static const char *const groups[] = {"/param/", "/buffer/"};
    for (int g = 0; g < 2; g++)
        if (cvy_ckpt_under(tensor, groups[g])) return tensor->path + strlen(groups[g]);
    return NULL;
}

static bool known(const struct cvy_ckpt *ckpt, const struct cvy_graph *graph, const char *word) {
    for (int i = 0; i < graph->node_count; i++)
        if (covers(word, graph->nodes[i].name)) return true;
    for (int i = 0; i < graph->group_count; i++)
        if (strcmp(word, graph->groups[i].name) == 0) return true;
    for (int i = 0; i < graph->params.count; i++)
        if (covers(word, graph->params.items[i].name)) return true;
    for (int i = 0; i < cvy_ckpt_tensor_count(ckpt); i++) {
        const char *name = name_of(cvy_ckpt_tensor(ckpt, i));
        if (name && covers(word, name)) return true;
    }
    return false;
}

/* What may be named: parameters, groups, layers with something to restore, and the scopes that they are in. */
static cvy_status name_layers(const struct cvy_graph *graph, char (**names)[96], size_t *count) {
    CVY_TRY(CVY_NEW(names, graph->params.count + graph->group_count + 2 * graph->node_count + 1, general));
    *count = 0;
    for (int i = 0; i < graph->params.count; i++)
        snprintf((*names)[(*count)++], 96, "%.95s", graph->params.items[i].name);
    for (int i = 0; i < graph->group_count; i++) snprintf((*names)[(*count)++], 96, "%s", graph->groups[i].name);
    for (int i = 0; i < graph->node_count; i++) {
        const char *name = graph->nodes[i].name, *slash = strchr(name, '/');
        if (graph->nodes[i].op.params == 0 && graph->nodes[i].op.buffers == 0) continue;
        if (slash) snprintf((*names)[(*count)++], 96, "%.*s", (int)(slash - name), name);
        snprintf((*names)[(*count)++], 96, "%s", name);
    }
    return CVY_OK;
}

static cvy_status find_unknown(const struct cvy_graph *graph, const struct cvy_node *word,
                               struct cvy_findings *findings) {
    char(*names)[96];
    const char **list;
    size_t count;
    CVY_TRY(name_layers(graph, &names, &count));
    cvy_status status = CVY_NEW(&list, count + 1, general);
    if (status == CVY_OK) {
        for (size_t i = 0; i < count; i++) list[i] = names[i];
        const char *near = cvy_nearest(word->text, list, count);
        if (near)
            cvy_find(findings, word, "init.except: there is no layer \"%s\"; did you mean \"%s\"?", word->text, near);
        else
            cvy_find(findings, word, "init.except: there is no layer \"%s\"; the last one with parameters is \"%s\"",
                     word->text, count ? names[count - 1] : "");
    }
    cvy_free(list);
    cvy_free(names);
    return status;
}

static cvy_status check_words(const struct cvy_ckpt *ckpt, const struct cvy_graph *graph,
                              const struct cvy_node *except) {
    struct cvy_findings findings = {0};
    for (size_t i = 0; except && i < except->count; i++)
        if (!known(ckpt, graph, except->items[i]->text)) CVY_TRY(find_unknown(graph, except->items[i], &findings));
    return cvy_findings_raise(&findings, CVY_ERR_USAGE);
}

/* ---- What differs ---- */

enum { MOST_NAMED = 16 }; /* of more it is another network indeed */

struct fit {
    const struct cvy_ckpt *ckpt;
    const struct cvy_graph *graph;
    const struct cvy_node *except;
    char first[512]; /* the first difference, in words */
    char layers[MOST_NAMED][128];
    int count; /* of layers that differ; may be more than MOST_NAMED */
};

/* "conv1" of "conv1/weight". */
static void note(struct fit *fit, const char *name) {
    char layer[128];
    snprintf(layer, sizeof layer, "%.*s", (int)layer_length(name), name);
    for (int i = 0; i < fit->count && i < MOST_NAMED; i++)
        if (strcmp(fit->layers[i], layer) == 0) return;
    if (fit->count < MOST_NAMED) strcpy(fit->layers[fit->count], layer);
    fit->count++;
}

/* What init.except would have to be. */
static void list_layers(const struct fit *fit, struct cvy_buf *out) {
    for (size_t i = 0; fit->except && i < fit->except->count; i++)
        cvy_buf_printf(out, "%s%s", out->size ? ", " : "", fit->except->items[i]->text);
    for (int i = 0; i < fit->count; i++) cvy_buf_printf(out, "%s%s", out->size ? ", " : "", fit->layers[i]);
}

static void shape_text(const int64_t *dims, int rank, char out[96]) {
    size_t used = 0;
    out[0] = '\0';
    for (int d = 0; d < rank; d++)
        used += (size_t)snprintf(out + used, 96 - used, "%s%lld", d ? "×" : "", (long long)dims[d]);
}

static void look_at(struct fit *fit, const char *group, const struct cvy_param *param) {
    char path[192], here[96], there[96];
    if (cvy_state_listed(fit->graph, fit->except, param->name)) return;
    snprintf(path, sizeof path, "/%s/%s", group, param->name);
    const struct cvy_ckpt_tensor *tensor = cvy_ckpt_find(fit->ckpt, path);
    if (tensor && tensor->rank == param->rank && memcmp(tensor->dims, param->dims, (size_t)param->rank * 8) == 0)
        return;
    shape_text(param->dims, param->rank, here);
    if (tensor) shape_text(tensor->dims, tensor->rank, there);
    if (fit->first[0] == '\0' && tensor)
        snprintf(fit->first, sizeof fit->first, "%s is %s there and %s here", path, there, here);
    else if (fit->first[0] == '\0')
        snprintf(fit->first, sizeof fit->first, "it has no %s (%s here)", path, here);
    note(fit, param->name);
}

/* A parameter in the checkpoint that the network has no place for. */
static void look_for_extra(struct fit *fit, const char *path) {
    if (strncmp(path, "/param/", 7) != 0 || cvy_state_listed(fit->graph, fit->except, path + 7)) return;
    for (int i = 0; i < fit->graph->params.count; i++)
        if (strcmp(path + 7, fit->graph->params.items[i].name) == 0) return;
    if (fit->first[0] == '\0') snprintf(fit->first, sizeof fit->first, "it has %s, which is not here", path);
    note(fit, path + 7);
}

static bool differs(const void *arg, const char *name) {
    const struct fit *fit = arg;
    for (int i = 0; i < fit->count; i++)
        if (covers(fit->layers[i], name)) return true;
    return false;
}

/* What would start anew must not be frozen at that. */
static cvy_status advise_except(const struct fit *fit) {
    struct cvy_buf layers = {0}, frozen = {0}, thaw = {0};
    list_layers(fit, &layers);
    if (cvy_state_list_random(fit->graph, differs, fit, &frozen) > 0)
        cvy_buf_printf(&thaw, ", and drop frozen from %s, which would stay at random values", cvy_buf_text(&frozen));
    const char *list = cvy_buf_text(&layers);
    cvy_status status = CVY_FAIL(
        CVY_ERR_CHECKPOINT,
        "%s is of another network: %s; use the model it was trained with, or, as another number of classes needs, let "
        "what differs start anew: init: {from: …, except: [%s]} (--set 'init.except=[%s]')%s",
        cvy_ckpt_path(fit->ckpt), fit->first, list, list, thaw.size ? cvy_buf_text(&thaw) : "");
    cvy_buf_destroy(&layers);
    cvy_buf_destroy(&frozen);
    cvy_buf_destroy(&thaw);
    return status;
}

cvy_status cvy_state_check(const struct cvy_ckpt *ckpt, const struct cvy_graph *graph, const struct cvy_node *except,
                           bool advise) {
    struct fit fit = {.ckpt = ckpt, .graph = graph, .except = except};
    CVY_TRY(check_words(ckpt, graph, except));
    for (int i = 0; i < graph->params.count; i++) look_at(&fit, "param", &graph->params.items[i]);
    for (int i = 0; i < graph->buffers.count; i++) look_at(&fit, "buffer", &graph->buffers.items[i]);
    for (int t = 0; t < cvy_ckpt_tensor_count(ckpt); t++) look_for_extra(&fit, cvy_ckpt_tensor(ckpt, t)->path);
    if (fit.count == 0) return CVY_OK;
    CVY_CHECK(advise && fit.count <= MOST_NAMED, CVY_ERR_CHECKPOINT,
              "%s is of another network: %s; use the model it was trained with", cvy_ckpt_path(ckpt), fit.first);
    return advise_except(&fit);
}

/* ---- What a checkpoint holds beside the network ---- */

bool cvy_state_has_average(const struct cvy_ckpt *ckpt) {
    for (int t = 0; t < cvy_ckpt_tensor_count(ckpt); t++)
        if (cvy_ckpt_under(cvy_ckpt_tensor(ckpt, t), "/ema/")) return true;
    return false;
}

bool cvy_state_has_slot(const struct cvy_ckpt *ckpt, const struct cvy_graph *graph, const char *slot) {
    char path[192];
    for (int i = 0; i < graph->params.count; i++) {
        snprintf(path, sizeof path, "/optim/%s/%s", graph->params.items[i].name, slot);
        if (cvy_ckpt_find(ckpt, path) == NULL) return false;
    }
    return true;
}
