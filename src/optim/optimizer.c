#include "optim/optimizer.h"

#include <string.h>

#include "core/ints.h"
#include "core/memory.h"

#define CVY_OPTIMIZERS(X)                                                                                              \
    X(adagrad)                                                                                                         \
    X(adam)                                                                                                            \
    X(adamw)                                                                                                           \
    X(lamb)                                                                                                            \
    X(lars)                                                                                                            \
    X(rmsprop)                                                                                                         \
    X(sgd)

#define DECLARE(name) extern const struct cvy_optimizer_kind cvy_optimizer_##name;
CVY_OPTIMIZERS(DECLARE)

static const struct cvy_optimizer_kind *const kinds[] = {
#define LIST(name) &cvy_optimizer_##name,
    CVY_OPTIMIZERS(LIST)};

#define WORD(name) " " #name

enum { KINDS = sizeof kinds / sizeof *kinds };

bool cvy_optimizers_list(int index, struct cvy_listing *out) {
    if (index >= KINDS) return false;
    *out =
        (struct cvy_listing){.name = kinds[index]->name, .purpose = kinds[index]->purpose, .keys = kinds[index]->keys};
    return true;
}

static const struct cvy_optimizer_kind *find_kind(const struct cvy_node *name, struct cvy_findings *findings) {
    const char *names[KINDS];
    for (int i = 0; i < KINDS; i++) {
        if (strcmp(kinds[i]->name, name->text) == 0) return kinds[i];
        names[i] = kinds[i]->name;
    }
    const char *near = cvy_nearest(name->text, names, KINDS);
    if (near)
        cvy_find(findings, name, "unknown optimizer \"%s\"; did you mean \"%s\"?", name->text, near);
    else
        cvy_find(findings, name, "unknown optimizer \"%s\"; there are" CVY_OPTIMIZERS(WORD), name->text);
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
    if (*status != CVY_OK) return kind;
    const int before = findings->count;
    cvy_schema_read(kind->keys, body, name, kind->name, *state, findings);
    if (kind->check && findings->count == before) kind->check(*state, body, findings);
    return kind;
}

void cvy_optimizer_check(const struct cvy_node *node, struct cvy_findings *findings) {
    void *state = NULL;
    cvy_status status = CVY_OK;
    read_node(node, &state, &status, findings);
    cvy_free(state);
}

/* Neighbours that are updated alike become one stretch; padding between them is zero and stays so. */
static void add_stretch(struct cvy_optimizer *o, const struct cvy_param *param, enum cvy_decay_on decay_on) {
    const struct cvy_stretch one = {.first = param->offset,
                                    .end = param->offset + param->stored,
                                    .lr_factor = param->lr_factor,
                                    .decay = decay_on == CVY_DECAY_ON_ALL || param->decay == CVY_DECAY_WEIGHT,
                                    .adapt = param->decay == CVY_DECAY_WEIGHT};
    struct cvy_stretch *last = o->stretch_count ? &o->stretches[o->stretch_count - 1] : NULL;
    bool alike = last && last->end == one.first && last->lr_factor == one.lr_factor && last->decay == one.decay;
    if (one.lr_factor == 0) return;
    if (alike && !o->kind->per_param)
        last->end = one.end;
    else
        o->stretches[o->stretch_count++] = one;
}

static cvy_status allocate(struct cvy_optimizer *o, const struct cvy_params *params, enum cvy_decay_on decay_on) {
    o->slots = o->kind->slots(o->state, o->slot_name);
    for (int s = 0; s < o->slots; s++) CVY_TRY(CVY_NEW(&o->slot[s], o->stored, optimizer));
    CVY_TRY(CVY_NEW(&o->stretches, params->count, optimizer));
    for (int i = 0; i < params->count; i++) add_stretch(o, &params->items[i], decay_on);
    return CVY_OK;
}

cvy_status cvy_optimizer_create(const struct cvy_node *node, const struct cvy_params *params,
                                enum cvy_decay_on decay_on, struct cvy_optimizer *out) {
    struct cvy_findings findings = {0};
    cvy_status status = CVY_OK;
    *out = (struct cvy_optimizer){.stored = params->stored};
    out->kind = read_node(node, &out->state, &status, &findings);
    if (status == CVY_OK) status = cvy_findings_raise(&findings, CVY_ERR_USAGE);
    if (status == CVY_OK) status = allocate(out, params, decay_on);
    if (status != CVY_OK) cvy_optimizer_destroy(out);
    return status;
}

void cvy_optimizer_destroy(struct cvy_optimizer *optimizer) {
    for (int s = 0; s < CVY_MAX_SLOTS; s++) cvy_free(optimizer->slot[s]);
    cvy_free(optimizer->stretches);
    cvy_free(optimizer->state);
    *optimizer = (struct cvy_optimizer){0};
}

void cvy_optimizer_update(const struct cvy_optimizer *optimizer, const struct cvy_compute *compute,
                          const struct cvy_optimizer_step *how) {
    for (int i = 0; i < optimizer->stretch_count; i++) {
        const struct cvy_stretch *stretch = &optimizer->stretches[i];
        const size_t from = cvy_max(how->first, stretch->first), to = cvy_min(how->end, stretch->end);
        if (from >= to) continue;
        struct cvy_update u = {.w = how->values + from,
                               .g = how->gradient + (from - how->first),
                               .count = to - from,
                               .grad_scale = how->grad_scale,
                               .lr = how->lr * stretch->lr_factor,
                               .decay = stretch->decay,
                               .adapt = stretch->adapt,
                               .step = how->step};
        for (int s = 0; s < optimizer->slots; s++) u.slot[s] = optimizer->slot[s] + from;
        optimizer->kind->update(compute, optimizer->state, &u);
    }
}
