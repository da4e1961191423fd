/* Reading a map into a struct by a table of keys: types, ranges, defaults, and the nearest key for a misspelt one. */
#ifndef CVY_CORE_TREE_SCHEMA_H
#define CVY_CORE_TREE_SCHEMA_H

#include "core/tree/node.h"

enum cvy_key_type {
    CVY_KEY_INT,    /* int64_t */
    CVY_KEY_REAL,   /* double */
    CVY_KEY_BOOL,   /* bool */
    CVY_KEY_TEXT,   /* const char *, owned by the tree */
    CVY_KEY_CHOICE, /* int: index in `choices` */
    CVY_KEY_NODE,   /* const struct cvy_node *: read by the caller; NULL when absent or null */
    CVY_KEY_PAIR,   /* int64_t[2]: one number for both axes, or [height, width] */
    CVY_KEY_INIT    /* struct cvy_init; choices "bias": only initialisers that know no fan */
};

struct cvy_key {
    const char *name;
    enum cvy_key_type type;
    size_t offset;        /* of the member */
    const char *fallback; /* as it would be written; NULL: must be given; "" for an absent text or node */
    double low, high;     /* INT, REAL, PAIR: the allowed range, both ends included */
    const char *choices;  /* CHOICE: "fp32|bf16" */
    const char *help;
};

/* "0 to 1e+09"; nothing where it takes no number, or any. */
enum { CVY_KEY_RANGE = 64 };
void cvy_key_range(const struct cvy_key *key, char out[CVY_KEY_RANGE]);

#define CVY_KEY_END                                                                                                    \
    { 0 }
#define CVY_KEY_ANY   -1e18, 1e18
#define CVY_KEY_COUNT 1, 1e9

/* One thing that a file may name, and its settings: what the reference for users is made from. A table of such things
 * has a lister: number `index` of it, false behind the last. */
struct cvy_listing {
    const char *name, *purpose; /* one line */
    const char *shorthand;      /* the key that `name: 2` sets, or NULL */
    const struct cvy_key *keys; /* NULL: none */
};
typedef bool cvy_lister(int index, struct cvy_listing *out);
/* The one of this name; false where there is none. */
bool cvy_listing_find(cvy_lister *list, const char *name, struct cvy_listing *out);

/* Reads `map` (NULL or null: all defaults) into `out`. Findings name the place; `what` names the thing ("optimizer
 * sgd"). */
void cvy_schema_read(const struct cvy_key *keys, const struct cvy_node *map, const struct cvy_node *place,
                     const char *what, void *out, struct cvy_findings *findings);

/* The names of the keys; returns how many. */
enum { CVY_SCHEMA_NAMES = 64 };
size_t cvy_schema_names(const struct cvy_key *keys, const char *names[CVY_SCHEMA_NAMES]);
/* Whether a key of the map (NULL: no) was meant to be `name`, one of the names that may stand there: it has been
 * reported then, and that `name` is missing need not be. */
bool cvy_schema_misspelt(const struct cvy_node *map, const char *name, const char *const *names, size_t count);

/* A thing written `name`, `name: {…}` or `{name: …}`: gives the name's node and what is under it (NULL for none).
 * False, with a finding, when it is neither. */
bool cvy_schema_variant(const struct cvy_node *node, const char *what, const struct cvy_node **name,
                        const struct cvy_node **body, struct cvy_findings *findings);
/* The name alone; NULL where it is neither. */
const char *cvy_schema_variant_name(const struct cvy_node *node);

#endif
