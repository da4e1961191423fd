/* The reference for users: it reads the tables that read the files, so it cannot say anything else than they do. */
#include "convoy/reference.h"

#include <stdio.h>

#include "core/text.h"
#include "core/init.h"
#include "core/inside.h"
#include "core/sized.h"
#include "data/augment.h"
#include "graph/model/graph.h"
#include "ops/layers/filters.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "experiment/experiment.h"
#include "experiment/keys.h"

static const struct {
    const char *name, *purpose;
    cvy_lister *list;
} topics[] = {
    {"layers", "under layers of a model", cvy_ops_list},
    {"groups", "under layers of a model: layers made of layers", cvy_groups_list},
    {"initialisers", "init and bias_init of a layer", cvy_inits_list},
    {"filters", "weights of a convolution: fixed, and not trained", cvy_filters_list},
    {"losses", "train.loss", cvy_losses_list},
    {"optimizers", "train.optimizer", cvy_optimizers_list},
    {"schedules", "train.learning_rate", cvy_schedules_list},
    {"augmentations", "data.augment, a list", cvy_augmentations_list},
    {"experiment", "the settings of an experiment file, section by section", cvy_experiment_list},
};
enum { TOPICS = sizeof topics / sizeof *topics };

/* False where the caller's struct was not initialised. */
static bool give(const void *ours, void *theirs) {
    return cvy_sized_fill(ours, theirs, "struct cvy_…_facts") == CVY_OK;
}

bool cvy_reference_topic(int index, struct cvy_topic_facts *out) {
    if (index < 0 || index >= TOPICS) return false;
    return give(&CVY_INIT(cvy_topic_facts, .name = topics[index].name, .purpose = topics[index].purpose), out);
}

static bool find(int topic, int index, struct cvy_listing *out) {
    return topic >= 0 && topic < TOPICS && index >= 0 && topics[topic].list(index, out);
}

bool cvy_reference_kind(int topic, int index, struct cvy_kind_facts *out) {
    struct cvy_listing kind;
    if (!find(topic, index, &kind)) return false;
    return give(&CVY_INIT(cvy_kind_facts, .name = kind.name, .purpose = kind.purpose, .shorthand = kind.shorthand),
                out);
}

static const char *type_of(const struct cvy_key *key) {
    static const char *const types[] = {
        [CVY_KEY_INT] = "whole number", [CVY_KEY_REAL] = "number", [CVY_KEY_BOOL] = "true or false",
        [CVY_KEY_TEXT] = "text",        [CVY_KEY_NODE] = "",       [CVY_KEY_PAIR] = "whole number or [height, width]",
        [CVY_KEY_INIT] = "initialiser", [CVY_KEY_CHOICE] = "",
    };
    return key->type == CVY_KEY_CHOICE ? key->choices : types[key->type];
}

bool cvy_reference_setting(int topic, int kind, int index, struct cvy_setting_facts *out) {
    CVY_INSIDE();
    struct cvy_listing listing;
    if (!find(topic, kind, &listing) || listing.keys == NULL || index < 0) return false;
    const struct cvy_key *key = listing.keys;
    while (key->name && index > 0) key++, index--;
    if (key->name == NULL) return false;
    struct cvy_setting_facts own =
        CVY_INIT(cvy_setting_facts, .name = key->name, .help = key->help, .fallback = key->fallback);
    snprintf(own.type, sizeof own.type, "%s", type_of(key));
    _Static_assert(sizeof own.range == CVY_KEY_RANGE, "the public range has room for every one");
    cvy_key_range(key, own.range);
    return give(&own, out);
}

/* ---- Whole names ---- */

enum { MAX_SETTINGS = 128 };

/* Settings by their last word, and where they stand. */
struct settings {
    const char *names[MAX_SETTINGS];
    char paths[MAX_SETTINGS][64];
    size_t count;
};

static void add_path(struct settings *all, const char *name, const char *path) {
    if (all->count == MAX_SETTINGS) return;
    snprintf(all->paths[all->count], sizeof all->paths[0], "%s", path);
    all->names[all->count++] = name;
}

static void add_setting(struct settings *all, const char *name, const char *section) {
    char path[64];
    snprintf(path, sizeof path, "%.31s%s%.31s", section, *section ? "." : "", name);
    add_path(all, name, path);
}

static void add_keys(struct settings *all, const struct cvy_listing *listing, const char *section) {
    for (const struct cvy_key *k = listing->keys; k && k->name; k++) add_setting(all, k->name, section);
}

static bool look_up(const struct settings *all, const char *word, char out[64]) {
    const char *found = cvy_meant(word, all->names, all->count);
    for (size_t i = 0; found && i < all->count; i++)
        if (all->names[i] == found) {
            snprintf(out, 64, "%s", all->paths[i]);
            return true;
        }
    return false;
}

/* Sections themselves are no settings; the one that is meant by two of them is. */
static void add_sections(struct settings *all) {
    static const char *const sections[] = {"train", "data", "data.train", "init", "comm", "checkpoint", "log"};
    struct cvy_listing listing;
    add_setting(all, "name", "");
    add_setting(all, "seed", "");
    add_setting(all, "model", "");
    for (size_t s = 0; s < sizeof sections / sizeof *sections; s++)
        if (cvy_listing_find(cvy_experiment_list, sections[s], &listing)) add_keys(all, &listing, sections[s]);
    add_path(all, "data", "data.train");
    add_path(all, "init", "init.from");
}

/* The plainest optimiser that has it; else the first of all. */
static void add_optimizers(struct settings *all) {
    static const char *const kinds[] = {"sgd", "adam", "adagrad", "rmsprop"};
    struct cvy_listing listing;
    char section[64];
    for (size_t s = 0; s < sizeof kinds / sizeof *kinds; s++) {
        snprintf(section, sizeof section, "train.optimizer.%s", kinds[s]);
        if (cvy_listing_find(cvy_optimizers_list, kinds[s], &listing)) add_keys(all, &listing, section);
    }
    for (int i = 0; cvy_optimizers_list(i, &listing); i++) {
        snprintf(section, sizeof section, "train.optimizer.%.40s", listing.name);
        add_keys(all, &listing, section);
    }
}

bool cvy_reference_path(const char *word, char out[64]) {
    struct settings all = {.count = 0};
    add_sections(&all);
    if (look_up(&all, word, out)) return true;
    all.count = 0;
    add_optimizers(&all);
    return look_up(&all, word, out);
}
