/* What differs between the experiment of a run and the one that resumes it. */
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "optim/schedule.h"
#include "experiment/experiment.h"
#include "experiment/setting.h"

struct comparison {
    const char *const *allowed;
    int allowed_count;
    bool *known;       /* [allowed_count] one of the two has it */
    bool epochs_free;  /* the schedule does not depend on train.epochs */
    bool eval_free;    /* nor on evaluations */
    bool leaf_free;    /* it follows from train.batch, which may differ */
    bool same_network; /* as to the parameters */
    struct cvy_findings findings;
};

/* Subtrees that never change what is computed; paths are compared by the data's digest elsewhere. */
static const char *const free_keys[] = {
    "name",           "log",           "checkpoint",     "early_stopping", "data.train", "data.test", "comm.bucket_mib",
    "comm.algorithm", "comm.progress", "train.recompute"};

static bool under(const char *path, const char *key) {
    size_t length = strlen(key);
    return strncmp(path, key, length) == 0 && (path[length] == '\0' || path[length] == '.');
}

/* What a path is known by wherever it lies now: its last name, and of a checkpoint its run's, too. */
static const char *known_by(const char *path) {
    const char *end = strstr(path, "/checkpoints/");
    if (end == NULL) end = path + strlen(path);
    while (end > path && end[-1] != '/') end--;
    return end;
}

/* Where all has been moved to another folder, the weights that a run began with are there, too. */
static bool only_moved(const char *path, const struct cvy_node *before, const struct cvy_node *now) {
    if (strcmp(path, "init.from") != 0 || !before || !now) return false;
    return before->kind == CVY_NODE_SCALAR && now->kind == CVY_NODE_SCALAR &&
           strcmp(known_by(before->text), known_by(now->text)) == 0;
}

static bool may_differ(const struct comparison *c, const char *path) {
    for (size_t i = 0; i < sizeof free_keys / sizeof *free_keys; i++)
        if (under(path, free_keys[i])) return true;
    if (!c->same_network && under(path, "model")) return false;
    for (int i = 0; i < c->allowed_count; i++)
        if (under(path, c->allowed[i])) return true;
    if (strncmp(path, "data.validation.", strlen("data.validation.")) == 0)
        return true; /* a file; a share is not free */
    return (c->epochs_free && strcmp(path, "train.epochs") == 0) || (c->eval_free && under(path, "eval")) ||
           (c->leaf_free && strcmp(path, "train.leaf") == 0);
}

static const char *shown(const struct cvy_node *node, bool variant, char *room, size_t size) {
    if (cvy_node_is_null(node)) return "not set";
    if (variant && cvy_schema_variant_name(node)) return cvy_schema_variant_name(node);
    if (node->kind == CVY_NODE_MAP) return "a map";
    if (node->kind == CVY_NODE_LIST)
        snprintf(room, size, "a list of %zu", node->count);
    else
        snprintf(room, size, "%s", node->text);
    return room;
}

static void differ(struct comparison *c, const char *path, const struct cvy_node *before, const struct cvy_node *now) {
    char a[256], b[256];
    const struct cvy_node *place = now ? now : before;
    const bool variant = cvy_variant_at(path) != NULL;
    if (may_differ(c, path) || only_moved(path, before, now)) return;
    if (!c->same_network && under(path, "model"))
        cvy_find(
            &c->findings, place,
            "%s is %s, and was %s in the run, whose parameters do not fit; restore it, or start a new run from its "
            "weights with init.from and init.except",
            path, shown(now, variant, b, sizeof b), shown(before, variant, a, sizeof a));
    else
        cvy_find(&c->findings, place,
                 "%s is %s, and was %s in the run; restore it, start a new run, or allow it with "
                 "--allow-change %s",
                 path, shown(now, variant, b, sizeof b), shown(before, variant, a, sizeof a), path);
}

static void compare(struct comparison *c, const char *path, const struct cvy_node *before, const struct cvy_node *now);

static void compare_child(struct comparison *c, const char *path, const char *key, const struct cvy_node *before,
                          const struct cvy_node *now) {
    char longer[512];
    snprintf(longer, sizeof longer, "%s%s%s", path, *path ? "." : "", key);
    compare(c, longer, before, now);
}

/* Either may be absent: a map that is not there is an empty one. */
static void compare_maps(struct comparison *c, const char *path, const struct cvy_node *before,
                         const struct cvy_node *now) {
    for (size_t i = 0; now && i < now->count; i++)
        compare_child(c, path, now->keys[i]->text, cvy_node_get(before, now->keys[i]->text), now->items[i]);
    for (size_t i = 0; before && i < before->count; i++)
        if (cvy_node_get(now, before->keys[i]->text) == NULL)
            compare_child(c, path, before->keys[i]->text, before->items[i], NULL);
}

static bool is_map_or_null(const struct cvy_node *node) {
    return cvy_node_is_null(node) || node->kind == CVY_NODE_MAP;
}

static void compare(struct comparison *c, const char *path, const struct cvy_node *before, const struct cvy_node *now) {
    char key[24];
    for (int i = 0; i < c->allowed_count; i++) c->known[i] |= strcmp(path, c->allowed[i]) == 0;
    if (cvy_node_is_null(before) && cvy_node_is_null(now)) return;
    bool alike =
        before && now && before->kind == now->kind && (now->kind != CVY_NODE_LIST || now->count == before->count);
    const char *kinds[2] = {cvy_schema_variant_name(before), cvy_schema_variant_name(now)};
    if (cvy_variant_at(path) && kinds[0] && kinds[1] && strcmp(kinds[0], kinds[1]) != 0) {
        differ(c, path, before, now); /* that it is another one says enough */
    } else if (is_map_or_null(before) && is_map_or_null(now)) {
        compare_maps(c, path, before, now);
    } else if (!alike) {
        differ(c, path, before, now);
    } else if (now->kind == CVY_NODE_LIST) {
        for (size_t i = 0; i < now->count; i++) {
            snprintf(key, sizeof key, "%zu", i);
            compare_child(c, path, key, before->items[i], now->items[i]);
        }
    } else if (strcmp(before->text, now->text) != 0) {
        differ(c, path, before, now);
    }
}

/* A name that is none would allow nothing, without a word. One of a setting that does not differ, or that neither has
 * any more, is no fault: a job is started again with the words of the first. */
static void check_allowed(struct comparison *c, const struct cvy_node *now) {
    char meant[64];
    for (int i = 0; i < c->allowed_count; i++) {
        const char *name = c->allowed[i];
        if (c->known[i] || cvy_setting_exists(name)) continue;
        if (cvy_setting_meant(name, meant))
            cvy_find(&c->findings, now, "--allow-change %s: no such setting; did you mean %s?", name, meant);
        else
            cvy_find(&c->findings, now, "--allow-change %s: no such setting; each difference tells its own", name);
    }
}

/* What is not written is its default, in both. */
static cvy_status compare_whole(struct comparison *c, const struct cvy_experiment *before,
                                const struct cvy_experiment *now) {
    struct cvy_tree *tree;
    struct cvy_node *a, *b;
    CVY_TRY(cvy_tree_create(&tree));
    cvy_status status = cvy_experiment_fill(before, tree, &a);
    if (status == CVY_OK) status = cvy_experiment_fill(now, tree, &b);
    if (status == CVY_OK) compare(c, "", a, b);
    if (status == CVY_OK) check_allowed(c, b);
    cvy_tree_destroy(&tree);
    return status;
}

cvy_status cvy_experiment_compare(const struct cvy_experiment *before, const struct cvy_experiment *now,
                                  bool same_network, const char *const *allowed, int allowed_count) {
    struct comparison c = {.same_network = same_network, .allowed = allowed, .allowed_count = allowed_count};
    struct cvy_schedule schedule;
    CVY_TRY(cvy_schedule_create(now->learning_rate, &schedule));
    c.epochs_free = !schedule.kind->needs_end;
    c.eval_free = schedule.kind->observe == NULL;
    cvy_schedule_destroy(&schedule);
    c.leaf_free = before->batch != now->batch && cvy_node_is_null(cvy_node_find(now->root, "train.leaf"));
    if (allowed_count > 0) CVY_TRY(CVY_NEW(&c.known, allowed_count, general));
    cvy_status status = compare_whole(&c, before, now);
    cvy_free(c.known);
    return status == CVY_OK ? cvy_findings_raise(&c.findings, CVY_ERR_USAGE) : status;
}
