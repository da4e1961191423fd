/* The whole name of a setting, "train.optimizer.sgd.momentum", held against the tables that read the file. */
#ifndef CVY_EXPERIMENT_SETTING_H
#define CVY_EXPERIMENT_SETTING_H

#include "core/tree/schema.h"

/* A setting that is one of several kinds: `adam`, or {adam: {…}}. */
struct cvy_variant {
    const char *path, *fallback;
    cvy_lister *list;
};
/* The one at this path; NULL where there is none. */
const struct cvy_variant *cvy_variant_at(const char *path);

/* Whether an experiment may have it, written or not. What stands in a list has a number for its name. */
bool cvy_setting_exists(const char *path);
/* What such a name was meant to be: "momentum" → "train.optimizer.sgd.momentum", "train.batsh" → "train.batch". False
 * where nothing is near. */
bool cvy_setting_meant(const char *path, char out[64]);

#endif
