/* cvy_register_layer: a layer of a program's own, whose name nothing else has that stands where layers do. */
#include "core/inside.h"
#include "core/sized.h"
#include "graph/model/graph.h"
#include "ops/losses/losses.h"
#include "ops/ops.h"
#include "ops/registered.h"

/* Where a name is taken: what has it. */
static const char *holder_of(const char *name) {
    static const struct {
        cvy_lister *list;
        const char *what;
    } lists[] = {{cvy_losses_list, "a loss"}, {cvy_groups_list, "a group of layers"}};
    struct cvy_listing found;
    const char *near;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        if (cvy_listing_find(lists[i].list, name, &found)) return lists[i].what;
    return cvy_ops_find(name, &near) ? "a layer" : NULL;
}

cvy_status cvy_register_layer(const struct cvy_layer_kind *kind) {
    CVY_INSIDE();
    static const struct cvy_member needs[] = {
        CVY_MEMBER(cvy_layer_kind, name),
        CVY_MEMBER(cvy_layer_kind, purpose),
        CVY_MEMBER(cvy_layer_kind, forward),
        CVY_MEMBER(cvy_layer_kind, backward),
        {0},
    };
    struct cvy_layer_kind own;
    CVY_TRY(CVY_READ_NEEDING(cvy_layer_kind, kind, &own, needs));
    const char *holder = holder_of(own.name);
    CVY_CHECK(holder == NULL, CVY_ERR_USAGE, "the name \"%s\" is taken, by %s; choose another", own.name, holder);
    return cvy_registered_add(&own);
}
