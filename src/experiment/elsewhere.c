#include "experiment/elsewhere.h"

#include <stdio.h>
#include <string.h>

#include "convoy/reference.h"
#include "core/text.h"
#include "core/tree/schema.h"
#include "graph/model/graph.h"

/* What convoy train takes beside the file, and mpirun; `kind`: of its value, NULL: it has none. A test holds it against
 * the program's own table. */
static const struct {
    const char *name, *written, *kind, *of;
} typed[] = {
    {"run", "--run", "DIR", "convoy train"},
    {"resume", "--resume", NULL, "convoy train"},
    {"allow-change", "--allow-change", "a.b", "convoy train"},
    {"steps", "--steps", "N", "convoy train"},
    {"time-limit", "--time-limit", "TIME", "convoy train"},
    {"dry-run", "--dry-run", NULL, "convoy train"},
    {"threads", "--threads", "T", "convoy train"},
    {"log-level", "--log-level", "LEVEL", "convoy train"},
    {"rank-logs", "--rank-logs", "DIR", "convoy train"},
    {"silence", "--silence", "TIME", "convoy train"},
    {"json", "--json", NULL, "convoy train"},
    {"quiet", "--quiet", NULL, "convoy train"},
    {"ranks", "-n", "RANKS", "mpirun, which starts convoy"},
};
enum { TYPED = sizeof typed / sizeof *typed };

bool cvy_typed(const char *word, const char *value, char out[160]) {
    const char *names[TYPED];
    for (int i = 0; i < TYPED; i++) names[i] = typed[i].name;
    const char *found = cvy_meant(word, names, TYPED);
    for (int i = 0; found && i < TYPED; i++) {
        if (names[i] != found) continue;
        const char *given = typed[i].kind && value && value[0] ? value : typed[i].kind;
        snprintf(out, 160, "%s%s%.80s, an option of %s", typed[i].written, given ? " " : "", given ? given : "",
                 typed[i].of);
    }
    return found != NULL;
}

/* "frozen" and its like, as they are written beside a layer. */
static bool beside_layer(const char *word, char out[160]) {
    struct cvy_listing layer;
    const char *names[CVY_SCHEMA_NAMES], *found = NULL;
    if (cvy_listing_find(cvy_model_list, "layer", &layer))
        found = cvy_meant(word, names, cvy_schema_names(layer.keys, names));
    if (found) snprintf(out, 160, "%s beside a layer of the model: - {dense: …, %s: …}", found, found);
    return found != NULL;
}

bool cvy_elsewhere(const char *word, char out[160]) {
    char path[64];
    if (cvy_typed(word, NULL, out)) return true;
    if (!cvy_reference_path(word, path)) return beside_layer(word, out);
    snprintf(out, 160, "%s%s", path, strchr(path, '.') ? "" : " at the top of the experiment");
    return true;
}
