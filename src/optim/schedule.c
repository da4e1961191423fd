#include "optim/schedule.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"

/* Linear from 0 to 1 over the first `warmup` epochs (Goyal et al. 2017). */
static double warm(double epoch, double warmup) {
    return epoch < warmup ? epoch / warmup : 1;
}

/* ---- constant ---- */

struct constant {
    double value, warmup_epochs;
};
static const struct cvy_key constant_keys[] = {
    {"value", CVY_KEY_REAL, offsetof(struct constant, value), NULL, 0, 1e9, NULL, "the learning rate"},
    {"warmup_epochs", CVY_KEY_REAL, offsetof(struct constant, warmup_epochs), "0", 0, 1e9, NULL, NULL},
    CVY_KEY_END};
static double constant_at(const void *state, struct cvy_progress p) {
    const struct constant *s = state;
    return s->value * warm(p.epoch, s->warmup_epochs);
}

/* ---- step: × factor every so many epochs ---- */

struct step {
    double value, every_epochs, factor, warmup_epochs;
};
static const struct cvy_key step_keys[] = {
    {"value", CVY_KEY_REAL, offsetof(struct step, value), NULL, 0, 1e9, NULL, "the first learning rate"},
    {"every_epochs", CVY_KEY_REAL, offsetof(struct step, every_epochs), NULL, 1e-6, 1e9, NULL, NULL},
    {"factor", CVY_KEY_REAL, offsetof(struct step, factor), "0.1", 0, 1e9, NULL, NULL},
    {"warmup_epochs", CVY_KEY_REAL, offsetof(struct step, warmup_epochs), "0", 0, 1e9, NULL, NULL},
    CVY_KEY_END};
static double step_at(const void *state, struct cvy_progress p) {
    const struct step *s = state;
    return s->value * pow(s->factor, floor(p.epoch / s->every_epochs)) * warm(p.epoch, s->warmup_epochs);
}

/* ---- cosine (Loshchilov & Hutter 2017, one cycle), from peak to floor after the warm-up ---- */

struct cosine {
    double peak, floor, warmup_epochs;
};
static const struct cvy_key cosine_keys[] = {
    {"peak", CVY_KEY_REAL, offsetof(struct cosine, peak), NULL, 0, 1e9, NULL, "the highest learning rate"},
    {"floor", CVY_KEY_REAL, offsetof(struct cosine, floor), "0", 0, 1e9, NULL, NULL},
    {"warmup_epochs", CVY_KEY_REAL, offsetof(struct cosine, warmup_epochs), "0", 0, 1e9, NULL, NULL},
    CVY_KEY_END};
static double cosine_at(const void *state, struct cvy_progress p) {
    const struct cosine *s = state;
    if (p.epoch < s->warmup_epochs) return s->peak * warm(p.epoch, s->warmup_epochs);
    double rest = p.epochs - s->warmup_epochs;
    double done = rest > 0 ? (p.epoch - s->warmup_epochs) / rest : 1;
    if (done > 1) done = 1;
    return s->floor + (s->peak - s->floor) * 0.5 * (1 + cos(3.14159265358979323846 * done));
}

static const struct cvy_schedule_kind kinds[] = {
    {"constant", constant_keys, sizeof(struct constant), false, constant_at},
    {"step", step_keys, sizeof(struct step), false, step_at},
    {"cosine", cosine_keys, sizeof(struct cosine), true, cosine_at},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static const struct cvy_schedule_kind *find_kind(const struct cvy_node *name, struct cvy_findings *findings) {
    const char *names[KINDS];
    for (int i = 0; i < KINDS; i++) {
        if (strcmp(kinds[i].name, name->text) == 0) return &kinds[i];
        names[i] = kinds[i].name;
    }
    const char *near = cvy_nearest(name->text, names, KINDS);
    cvy_find(findings, name, "learning_rate: expected a number or a schedule, found \"%s\"%s%s%s", name->text,
             near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return NULL;
}

static cvy_status read_node(const struct cvy_node *node, struct cvy_schedule *out, struct cvy_findings *findings) {
    const struct cvy_node *name, *body;
    double value;
    struct cvy_node number, *items[1], key = {.kind = CVY_NODE_SCALAR, .text = "value"}, *keys[1] = {&key};
    if (cvy_node_real(node, &value)) { /* a bare number is {constant: {value: number}} */
        static const struct cvy_node constant = {.kind = CVY_NODE_SCALAR, .text = "constant"};
        items[0] = (struct cvy_node *)(uintptr_t)node;
        number = *node;
        number.kind = CVY_NODE_MAP;
        number.count = 1;
        number.keys = keys;
        number.items = items;
        name = &constant;
        body = &number;
    } else if (!cvy_schema_variant(node, "learning_rate", &name, &body, findings)) {
        return CVY_OK;
    }
    out->kind = find_kind(name, findings);
    if (out->kind == NULL) return CVY_OK;
    CVY_TRY(cvy_alloc(out->kind->state_size, CVY_TAG_general, &out->state));
    cvy_schema_read(out->kind->keys, body, name, out->kind->name, out->state, findings);
    return CVY_OK;
}

cvy_status cvy_schedule_create(const struct cvy_node *node, struct cvy_schedule *out) {
    struct cvy_findings findings = {0};
    *out = (struct cvy_schedule){0};
    cvy_status status = read_node(node, out, &findings);
    if (status == CVY_OK) status = cvy_findings_raise(&findings, CVY_ERR_USAGE);
    if (status != CVY_OK) cvy_schedule_destroy(out);
    return status;
}

void cvy_schedule_destroy(struct cvy_schedule *schedule) {
    cvy_free(schedule->state);
    *schedule = (struct cvy_schedule){0};
}

void cvy_schedule_check(const struct cvy_node *node, struct cvy_findings *findings) {
    struct cvy_schedule schedule = {0};
    read_node(node, &schedule, findings);
    cvy_schedule_destroy(&schedule);
}

double cvy_schedule_at(const struct cvy_schedule *schedule, struct cvy_progress progress) {
    return schedule->kind->at(schedule->state, progress);
}
