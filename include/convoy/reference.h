/* The reference: what may be written in an experiment or a model file, from the tables that read them. */
#ifndef CONVOY_REFERENCE_H
#define CONVOY_REFERENCE_H

#include <stdbool.h>

#include "convoy/sized.h"
#include "convoy/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* "layers", "losses" …, and what they are. */
struct cvy_topic_facts {
    size_t size; /* of this struct */
    const char *name, *purpose;
};
CVY_SIZED(cvy_topic_facts)
/* A layer, a loss, an optimiser …; `shorthand` is the setting that a single value sets (`maxpool: 2`), or NULL. */
struct cvy_kind_facts {
    size_t size; /* of this struct */
    const char *name, *purpose, *shorthand;
};
CVY_SIZED(cvy_kind_facts)
struct cvy_setting_facts {
    size_t size; /* of this struct */
    const char *name, *help;
    const char *fallback; /* as it would be written; NULL: it must be given; "": none */
    char type[128];       /* "whole number", "fp32|bf16"; "": as `help` says */
    char range[64];       /* "1 to 4096", both ends included; "": any */
};
CVY_SIZED(cvy_setting_facts)

/* Number `index` of the topics, of a topic's kinds, of a kind's settings; false behind the last. Texts are constant.
 * Not collective. */
CVY_API bool cvy_reference_topic(int index, struct cvy_topic_facts *out);
CVY_API bool cvy_reference_kind(int topic, int index, struct cvy_kind_facts *out);
CVY_API bool cvy_reference_setting(int topic, int kind, int index, struct cvy_setting_facts *out);

/* The whole name of the setting that a word means: "epochs" → "train.epochs", "lr" → "train.learning_rate", "momentum"
 * → "train.optimizer.sgd.momentum". False where there is none. Not collective. */
CVY_API bool cvy_reference_path(const char *word, char out[64]);

#ifdef __cplusplus
}
#endif

#endif
