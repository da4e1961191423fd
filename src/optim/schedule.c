#include "optim/schedule.h"

#include <string.h>

#include "core/memory.h"

#define CVY_SCHEDULES(X)                                                                                               \
    X(constant)                                                                                                        \
    X(cosine)                                                                                                          \
    X(cosine_restarts)                                                                                                 \
    X(exponential)                                                                                                     \
    X(multi_step)                                                                                                      \
    X(one_cycle)                                                                                                       \
    X(plateau)                                                                                                         \
    X(polynomial)                                                                                                      \
    X(step)

#define DECLARE(name) extern const struct cvy_schedule_kind cvy_schedule_##name;
CVY_SCHEDULES(DECLARE)

static const struct cvy_schedule_kind *const kinds[] = {
#define LIST(name) &cvy_schedule_##name,
    CVY_SCHEDULES(LIST)};

enum { KINDS = sizeof kinds / sizeof *kinds };

bool cvy_schedules_list(int index, struct cvy_listing *out) {
    if (index >= KINDS) return false;
    *out =
        (struct cvy_listing){.name = kinds[index]->name, .purpose = kinds[index]->purpose, .keys = kinds[index]->keys};
    return true;
}

static const struct cvy_schedule_kind *find_kind(const struct cvy_node *name, struct cvy_findings *findings) {
    const char *names[KINDS];
    for (int i = 0; i < KINDS; i++) {
        if (strcmp(kinds[i]->name, name->text) == 0) return kinds[i];
        names[i] = kinds[i]->name;
    }
    const char *near = cvy_nearest(name->text, names, KINDS);
    cvy_find(findings, name, "learning_rate: expected a number or a schedule, found \"%s\"; %s%s%s", name->text,
             near ? "did you mean \"" : "", near ? near : "convoy help schedules lists them", near ? "\"?" : "");
    return NULL;
}

const double *cvy_schedule_number(const struct cvy_schedule *s, const char *name) {
    for (const struct cvy_key *k = s->kind->keys; k->name; k++)
        if (strcmp(k->name, name) == 0) return (const double *)(const void *)((const char *)s->state + k->offset);
    return NULL;
}

static void check_floor(const struct cvy_schedule *s, const struct cvy_node *name, struct cvy_findings *findings) {
    const double *floor = cvy_schedule_number(s, "floor"), *peak = cvy_schedule_number(s, "peak"),
                 *value = cvy_schedule_number(s, "value");
    const double *highest = peak ? peak : value;
    if (floor && highest && *floor > *highest)
        cvy_find(findings, name, "%s: floor %g is above %s %g; the floor is the lowest rate, make it the smaller one",
                 s->kind->name, *floor, peak ? "peak" : "value", *highest);
}

static cvy_status read_node(const struct cvy_node *node, struct cvy_schedule *out, struct cvy_findings *findings) {
    const struct cvy_node *name, *body;
    double value;
    struct cvy_node number, *items[1], key = {.kind = CVY_NODE_SCALAR, .text = "value"}, *keys[1] = {&key};
    if (cvy_node_real(node, &value) && value < 0) {
        cvy_find(findings, node, "learning_rate: %g is out of range; at least 0", value);
        return CVY_OK;
    }
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
    int before = findings->count;
    cvy_schema_read(out->kind->keys, body, name, out->kind->name, out->state, findings);
    if (findings->count > before) return CVY_OK;
    check_floor(out, name, findings);
    if (out->kind->check) out->kind->check(out->state, name, findings);
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

void cvy_schedule_doubt(const struct cvy_schedule *schedule, double epochs, const struct cvy_node *place,
                        struct cvy_findings *findings) {
    const double *warmup = cvy_schedule_number(schedule, "warmup_epochs");
    if (warmup && *warmup >= epochs)
        cvy_find(findings, place,
                 "learning_rate: %s: warmup_epochs %g takes %s the %g %s of the run: there is nothing but warm-up; "
                 "lower it or raise train.epochs",
                 schedule->kind->name, *warmup, *warmup > epochs ? "more than" : "all of", epochs,
                 cvy_plural(epochs, "epoch", "epochs"));
    if (schedule->kind->doubt) schedule->kind->doubt(schedule->state, epochs, place, findings);
}

double cvy_schedule_at(const struct cvy_schedule *schedule, struct cvy_progress progress) {
    return schedule->kind->at(schedule->state, progress);
}

void cvy_schedule_observe(const struct cvy_schedule *schedule, double loss, double top1,
                          struct cvy_schedule_memory *memory) {
    if (schedule->kind->observe) schedule->kind->observe(schedule->state, loss, top1, memory);
}
