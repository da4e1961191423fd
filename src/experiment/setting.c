#include "experiment/setting.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "convoy/reference.h"
#include "core/text.h"
#include "experiment/keys.h"
#include "graph/model/graph.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

const struct cvy_variant *cvy_variant_at(const char *path) {
    static const struct cvy_variant variants[] = {{"train.optimizer", "sgd", cvy_optimizers_list},
                                                  {"train.learning_rate", "constant", cvy_schedules_list},
                                                  {"train.loss", "softmax_cross_entropy", cvy_losses_list}};
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (strcmp(variants[i].path, path) == 0) return &variants[i];
    return NULL;
}

/* Sections with the keys of another one. */
static const char *section_at(const char *path) {
    static const char *const same[][2] = {
        {"", "experiment"}, {"data.validation", "data.train"}, {"data.test", "data.train"}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (strcmp(same[i][0], path) == 0) return same[i][1];
    return path;
}

/* What may stand under a setting: keys, one of several kinds, or a list's items. */
struct place {
    const struct cvy_key *keys;
    cvy_lister *kinds;
};

static struct place place_at(const char *path, const struct place *above, const char *word) {
    struct cvy_listing listing;
    if (above && above->kinds)
        return (struct place){.keys = cvy_listing_find(above->kinds, word, &listing) ? listing.keys : NULL};
    const struct cvy_variant *variant = cvy_variant_at(path);
    if (variant) return (struct place){.kinds = variant->list};
    return (struct place){.keys =
                              cvy_listing_find(cvy_experiment_list, section_at(path), &listing) ? listing.keys : NULL};
}

/* The names that may stand there. */
static size_t names_in(const struct place *place, const char *names[CVY_SCHEMA_NAMES]) {
    struct cvy_listing listing;
    size_t count = 0;
    if (place->keys) return cvy_schema_names(place->keys, names);
    while (place->kinds && count < CVY_SCHEMA_NAMES && place->kinds((int)count, &listing))
        names[count++] = listing.name;
    return count;
}

/* Follows the path as far as there is such a setting: *done of its letters, and the place that it has come to. True
 * where that is all of it. */
static bool follow(const char *path, size_t *done, struct place *place) {
    const char *names[CVY_SCHEMA_NAMES];
    char before[256], word[256];
    *done = 0;
    *place = place_at("", NULL, "");
    for (const char *next = path; next; next = strchr(next, '.') ? strchr(next, '.') + 1 : NULL) {
        const size_t length = strcspn(next, "."), count = names_in(place, names);
        size_t i = 0;
        snprintf(word, sizeof word, "%.*s", (int)length, next);
        if (count == 0) return isdigit((unsigned char)*word) != 0;
        while (i < count && strcmp(names[i], word) != 0) i++;
        if (i == count) return false;
        *done = (size_t)(next - path) + length;
        snprintf(before, sizeof before, "%.*s", (int)*done, path);
        *place = place_at(before, place, word);
    }
    return true;
}

bool cvy_setting_exists(const char *path) {
    struct place place;
    size_t done;
    return follow(path, &done, &place);
}

bool cvy_setting_meant(const char *path, char out[64]) {
    const char *names[CVY_SCHEMA_NAMES], *last = strrchr(path, '.') ? strrchr(path, '.') + 1 : path;
    struct place place;
    size_t done;
    if (follow(path, &done, &place)) return false;
    const char *wrong = path + done + (done > 0);
    const char *near = cvy_nearest(wrong, names, names_in(&place, names));
    if (near) snprintf(out, 64, "%.*s%s%s", (int)done, path, done ? "." : "", near);
    return near || cvy_reference_path(last, out);
}
