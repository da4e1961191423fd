#include "optim/optimizer.h"

#include <string.h>

#include "core/memory.h"

#define CVY_OPTIMIZERS(X) X(sgd)

#define DECLARE(name) extern const struct cvy_optimizer_kind cvy_optimizer_##name;
CVY_OPTIMIZERS(DECLARE)

static const struct cvy_optimizer_kind *const kinds[] = {
#define LIST(name) &cvy_optimizer_##name,
    CVY_OPTIMIZERS(LIST)};

enum { KINDS = sizeof kinds / sizeof *kinds };

static const struct cvy_optimizer_kind *find_kind(const struct cvy_node *name, struct cvy_findings *findings) {
    const char *names[KINDS];
    for (int i = 0; i < KINDS; i++) {
        if (strcmp(kinds[i]->name, name->text) == 0) return kinds[i];
        names[i] = kinds[i]->name;
    }
    const char *near = cvy_nearest(name->text, names, KINDS);
    cvy_find(findings, name, "unknown optimizer \"%s\"; there is %s", name->text, near ? near : names[0]);
    return NULL;
}

/* The kind, with `state` (room of state_size) filled when there is memory for it. */
static const struct cvy_optimizer_kind *read_node(const struct cvy_node *node, void **state, cvy_status *status,
                                                  struct cvy_findings *findings) {
    const struct cvy_node *name, *body;
    if (!cvy_schema_variant(node, "optimizer", &name, &body, findings)) return NULL;
    const struct cvy_optimizer_kind *kind = find_kind(name, findings);
    if (kind == NULL) return NULL;
    *status = cvy_alloc(kind->state_size, CVY_TAG_general, state);
    if (*status == CVY_OK) cvy_schema_read(kind->keys, body, name, kind->name, *state, findings);
    return kind;
}

void cvy_optimizer_check(const struct cvy_node *node, struct cvy_findings *findings) {
    void *state = NULL;
    cvy_status status = CVY_OK;
    read_node(node, &state, &status, findings);
    cvy_free(state);
}

cvy_status cvy_optimizer_create(const struct cvy_node *node, size_t stored, struct cvy_optimizer *out) {
    struct cvy_findings findings = {0};
    cvy_status status = CVY_OK;
    *out = (struct cvy_optimizer){.stored = stored};
    out->kind = read_node(node, &out->state, &status, &findings);
    if (status == CVY_OK) status = cvy_findings_raise(&findings, CVY_ERR_USAGE);
    if (status == CVY_OK) out->slots = out->kind->slot_count(out->state);
    for (int s = 0; s < out->slots && status == CVY_OK; s++) status = CVY_NEW(&out->slot[s], stored, optimizer);
    if (status != CVY_OK) cvy_optimizer_destroy(out);
    return status;
}

void cvy_optimizer_destroy(struct cvy_optimizer *optimizer) {
    for (int s = 0; s < CVY_MAX_SLOTS; s++) cvy_free(optimizer->slot[s]);
    cvy_free(optimizer->state);
    *optimizer = (struct cvy_optimizer){0};
}

void cvy_optimizer_update(const struct cvy_optimizer *optimizer, const struct cvy_compute *compute, float *values,
                          const float *gradient, size_t first, size_t end, double lr, double grad_scale) {
    struct cvy_update u = {.w = values + first,
                           .g = gradient + first,
                           .count = end - first,
                           .grad_scale = (float)grad_scale,
                           .lr = (float)lr};
    for (int s = 0; s < optimizer->slots; s++) u.slot[s] = optimizer->slot[s] + first;
    optimizer->kind->update(compute, optimizer->state, &u);
}
