/* Loading: --set, the model and paths put in, then read and checked. */
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "experiment/elsewhere.h"
#include "experiment/read.h"
#include "experiment/set.h"
#include "io/file.h"
#include "io/yaml.h"

struct resolver {
    struct cvy_experiment *e;
    struct cvy_findings findings;
    cvy_status status;
    const char *path;
    struct cvy_node *anchors; /* of the file, which --set may name */
};

/* A path of the file is seen from its folder, one of the command line from the working folder. */
static cvy_status find_file(const struct resolver *r, const struct cvy_node *place, const char *path,
                            char out[CVY_PATH_MAX]) {
    char plain[CVY_PATH_MAX], found[CVY_PATH_MAX];
    const bool from_command_line = strncmp(place->file, CVY_SET, strlen(CVY_SET)) == 0;
    CVY_TRY(cvy_path_expand(path, plain));
    if (from_command_line) return cvy_path_absolute(plain, out);
    CVY_TRY(cvy_path_meant(r->path, plain, found));
    return cvy_path_absolute(found, out);
}

static const char *absolute(struct resolver *r, const struct cvy_node *place, const char *path) {
    char whole[CVY_PATH_MAX];
    const char *text = path;
    cvy_status status = find_file(r, place, path, whole);
    if (status == CVY_OK)
        status = cvy_tree_text(r->e->tree, whole, strlen(whole), &text);
    else
        cvy_fail_prefix(status, "%s:%d:%d", place->file, place->line, place->column);
    if (status != CVY_OK) r->status = status;
    return text;
}

/* `model: {path: file.yaml}`: which word was meant for `file`, NULL: none. */
static const struct cvy_node *misspelt_file(const struct cvy_node *model) {
    static const char *const words[] = {"file", "name", "input", "layers", "parameters", "blocks"};
    if (cvy_node_get(model, "file") || cvy_node_get(model, "layers")) return NULL;
    for (size_t i = 0; model->kind == CVY_NODE_MAP && i < model->count; i++) {
        const char *near = cvy_nearest(model->keys[i]->text, words, sizeof words / sizeof *words);
        if (near == words[0]) return model->keys[i];
    }
    return NULL;
}

/* `model: file.yaml` or {file: …, parameters…} becomes the file's content; parameters are put in. */
static void resolve_model(struct resolver *r) {
    struct cvy_node *model = cvy_node_get(r->e->root, "model"), *given = NULL;
    if (model == NULL) return;
    const struct cvy_node *meant = misspelt_file(model);
    if (meant)
        r->status = CVY_FAIL_AT(meant, CVY_ERR_USAGE, "model: unknown key \"%s\"; did you mean \"file\"?", meant->text);
    if (meant) return;
    struct cvy_node *file = model->kind == CVY_NODE_SCALAR ? model : cvy_node_get(model, "file");
    if (file && !cvy_node_is_null(file)) {
        if (model->kind == CVY_NODE_MAP) {
            r->status = cvy_node_copy(r->e->tree, model, &given);
            if (given) cvy_node_drop(given, "file");
        }
        const char *path = absolute(r, file, file->text);
        if (r->status != CVY_OK) return;
        r->status = cvy_yaml_load(r->e->tree, path, &model);
        if (r->status != CVY_OK) {
            cvy_fail_prefix(r->status, "%s:%d:%d: model", file->file, file->line, file->column);
            return;
        }
        r->status = cvy_node_set(r->e->tree, r->e->root, "model", model);
    }
    cvy_graph_give(model, given, &r->findings);
}

static void resolve_path(struct resolver *r, struct cvy_node *node) {
    if (cvy_node_is_null(node) || node->kind != CVY_NODE_SCALAR) return;
    node->text = absolute(r, node, node->text);
}

/* A share is no path. */
static void resolve_validation(struct resolver *r) {
    struct cvy_node *node = cvy_node_find(r->e->root, "data.validation");
    double percent;
    if (node && node->kind == CVY_NODE_SCALAR && cvy_experiment_share(node->text, &percent)) return;
    resolve_path(r, node);
}

static void resolve_paths(struct resolver *r) {
    static const char *const paths[] = {"data.train",      "data.test",      "data.validation.file",
                                        "data.train.file", "data.test.file", "init.from"};
    resolve_validation(r);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) resolve_path(r, cvy_node_find(r->e->root, paths[i]));
}

/* A run needs a name; the file's serves. */
static void default_name(struct resolver *r) {
    if (!cvy_node_is_null(cvy_node_get(r->e->root, "name"))) return;
    char name[128];
    struct cvy_node *node;
    const char *file = cvy_path_name(r->path), *dot = strrchr(file, '.');
    snprintf(name, sizeof name, "%.*s", dot ? (int)(dot - file) : (int)strlen(file), file);
    r->status = cvy_tree_scalar(r->e->tree, r->e->root, name, &node);
    if (r->status == CVY_OK) r->status = cvy_node_set(r->e->tree, r->e->root, "name", node);
}

/* Settings that there were once, each with one value: what is resumed or evaluated has them in its checkpoints. */
static void drop_retired(struct resolver *r, bool say) {
    static const struct { const char *section, *key; } retired[] = {{"comm", "compression"}};
    for (size_t i = 0; r->status == CVY_OK && i < sizeof retired / sizeof *retired; i++) {
        struct cvy_node *section = cvy_node_get(r->e->root, retired[i].section);
        const struct cvy_node *value = cvy_node_get(section, retired[i].key);
        if (value && say)
            cvy_find(&r->findings, value, "%s.%s: is no setting any more, nothing is lost without it; leave it out",
                     retired[i].section, retired[i].key);
        cvy_node_drop(section, retired[i].key);
    }
}

static void resolve(struct resolver *r, const char *const *set, int set_count) {
    for (int i = 0; i < set_count && r->status == CVY_OK; i++)
        r->status = cvy_experiment_set(r->e->tree, r->e->root, set[i], &r->anchors, &r->findings);
    drop_retired(r, true);
    if (r->status == CVY_OK) default_name(r);
    if (r->status == CVY_OK) resolve_model(r);
    if (r->status == CVY_OK) resolve_paths(r);
}

static cvy_status finish(struct resolver *r, struct cvy_experiment **out) {
    if (r->status == CVY_OK) cvy_experiment_read(r->e, &r->findings);
    if (r->status == CVY_OK) r->status = cvy_findings_raise(&r->findings, CVY_ERR_USAGE);
    *out = r->e;
    if (r->status != CVY_OK) cvy_experiment_destroy(out);
    return r->status;
}

static cvy_status begin(struct resolver *r, const char *path) {
    *r = (struct resolver){.path = path, .findings.elsewhere = cvy_elsewhere};
    CVY_TRY(CVY_NEW(&r->e, 1, general));
    r->status = cvy_tree_create(&r->e->tree);
    return r->status;
}

static void require_map(struct resolver *r) {
    if (r->status == CVY_OK && r->e->root->kind != CVY_NODE_MAP)
        r->status =
            CVY_FAIL_AT(r->e->root, CVY_ERR_USAGE, "expected an experiment: a map of name, model, data, train …");
}

cvy_status cvy_experiment_load(const char *path, const char *const *set, int set_count, struct cvy_experiment **out) {
    struct resolver r;
    if (begin(&r, path) == CVY_OK) r.status = cvy_yaml_load_more(r.e->tree, path, &r.anchors, &r.e->root);
    require_map(&r);
    if (r.status == CVY_OK) resolve(&r, set, set_count);
    return finish(&r, out);
}

cvy_status cvy_experiment_load_any(const char *path, const char *const *set, int set_count,
                                   struct cvy_experiment **out) {
    struct resolver r;
    struct cvy_node *root;
    if (begin(&r, path) == CVY_OK) r.status = cvy_yaml_load_more(r.e->tree, path, &r.anchors, &r.e->root);
    require_map(&r);
    if (r.status == CVY_OK && cvy_node_get(r.e->root, "layers")) { /* a model alone */
        r.status = cvy_tree_node(r.e->tree, CVY_NODE_MAP, r.e->root, &root);
        if (r.status == CVY_OK) r.status = cvy_node_set(r.e->tree, root, "model", r.e->root);
        r.e->root = root;
    }
    if (r.status == CVY_OK) resolve(&r, set, set_count);
    return finish(&r, out);
}

cvy_status cvy_experiment_parse(const char *name, const char *text, size_t size, struct cvy_experiment **out) {
    struct resolver r;
    if (begin(&r, name) == CVY_OK) r.status = cvy_yaml_parse(r.e->tree, name, text, size, &r.e->root);
    require_map(&r);
    drop_retired(&r, false);
    return finish(&r, out);
}
