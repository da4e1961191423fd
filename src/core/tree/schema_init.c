/* Initialisers as they are written: what each kind is told, in one table. */
#include <stddef.h>
#include <string.h>

#include "core/init.h"
#include "core/text.h"
#include "core/tree/schema.h"

#define HOW(member) offsetof(struct cvy_init_how, member)
#define GAIN                                                                                                           \
    { "gain", CVY_KEY_REAL, HOW(gain), "1", 0, 1e9, NULL, "times the standard deviation" }
#define MODE                                                                                                           \
    { "mode", CVY_KEY_CHOICE, HOW(mode), "fan_in", CVY_KEY_ANY, "fan_in|fan_out", "which connections the fan counts" }

static const struct cvy_key no_keys[] = {CVY_KEY_END};
static const struct cvy_key constant_keys[] = {
    {"value", CVY_KEY_REAL, HOW(value), NULL, CVY_KEY_ANY, NULL, "what all start with"}, CVY_KEY_END};
static const struct cvy_key uniform_keys[] = {
    {"low", CVY_KEY_REAL, HOW(low), NULL, CVY_KEY_ANY, NULL, "the lower end"},
    {"high", CVY_KEY_REAL, HOW(high), NULL, CVY_KEY_ANY, NULL, "the upper end"},
    CVY_KEY_END};
static const struct cvy_key normal_keys[] = {{"mean", CVY_KEY_REAL, HOW(mean), "0", CVY_KEY_ANY, NULL, "of the values"},
                                             {"std", CVY_KEY_REAL, HOW(std), NULL, 0, 1e9, NULL, "standard deviation"},
                                             CVY_KEY_END};
static const struct cvy_key lecun_keys[] = {GAIN, MODE, CVY_KEY_END};
static const struct cvy_key gain_keys[] = {GAIN, CVY_KEY_END};
static const struct cvy_key he_keys[] = {
    {"slope", CVY_KEY_REAL, HOW(slope), "0", 0, 1e9, NULL, "of a leaky ReLU"}, MODE, CVY_KEY_END};

static const struct {
    const char *name;
    const struct cvy_key *keys;
    bool free_of_shape;
    const char *purpose;
} kinds[] = {
    [CVY_INIT_ZERO] = {"zero", no_keys, true, "0"},
    [CVY_INIT_ONE] = {"one", no_keys, true, "1"},
    [CVY_INIT_CONSTANT] = {"constant", constant_keys, true, "one value"},
    [CVY_INIT_UNIFORM] = {"uniform", uniform_keys, true, "between low and high"},
    [CVY_INIT_NORMAL] = {"normal", normal_keys, true, "mean and standard deviation"},
    [CVY_INIT_TRUNCATED_NORMAL] = {"truncated_normal", normal_keys, true,
                                   "normal, drawn anew beyond two standard deviations"},
    [CVY_INIT_LECUN_NORMAL] = {"lecun_normal", lecun_keys, false, "normal of variance 1 / fan (LeCun et al. 1998)"},
    [CVY_INIT_LECUN_UNIFORM] = {"lecun_uniform", lecun_keys, false, "uniform of variance 1 / fan"},
    [CVY_INIT_XAVIER_NORMAL] = {"xavier_normal", gain_keys, false,
                                "normal of variance 2 / (fan_in + fan_out) (Glorot & Bengio 2010)"},
    [CVY_INIT_XAVIER_UNIFORM] = {"xavier_uniform", gain_keys, false, "uniform of variance 2 / (fan_in + fan_out)"},
    [CVY_INIT_HE_NORMAL] = {"he_normal", he_keys, false, "normal of variance 2 / fan (He et al. 2015)"},
    [CVY_INIT_HE_UNIFORM] = {"he_uniform", he_keys, false, "uniform of variance 2 / fan"},
    [CVY_INIT_ORTHOGONAL] = {"orthogonal", gain_keys, false,
                             "orthonormal rows or columns, whichever are fewer (Saxe et al. 2014)"},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

bool cvy_inits_list(int index, struct cvy_listing *out) {
    if (index >= KINDS) return false;
    *out = (struct cvy_listing){.name = kinds[index].name, .purpose = kinds[index].purpose, .keys = kinds[index].keys};
    return true;
}

static void read_kind(const struct cvy_node *name, const char *what, bool free_of_shape, int *kind,
                      struct cvy_findings *findings) {
    const char *names[KINDS];
    size_t count = 0;
    for (int i = 0; i < KINDS; i++) {
        if (free_of_shape && !kinds[i].free_of_shape) continue;
        names[count++] = kinds[i].name;
        if (strcmp(kinds[i].name, name->text) == 0) *kind = i;
    }
    if (*kind >= 0) return;
    const char *near = cvy_nearest(name->text, names, count);
    if (near)
        cvy_find(findings, name, "%s: unknown initialiser \"%s\"; did you mean \"%s\"?", what, name->text, near);
    else
        cvy_find(findings, name, "%s: unknown initialiser \"%s\"; %s", what, name->text,
                 free_of_shape ? "there are zero, one, constant, uniform, normal, truncated_normal"
                               : "for example he_normal, xavier_uniform, {normal: {std: 0.01}}");
}

void cvy_init_read(const struct cvy_node *node, const char *what, bool free_of_shape, struct cvy_init *out,
                   struct cvy_findings *findings) {
    const struct cvy_node *name, *body;
    int kind = -1;
    if (!cvy_schema_variant(node, what, &name, &body, findings)) return;
    read_kind(name, what, free_of_shape, &kind, findings);
    if (kind < 0) return;
    out->kind = (enum cvy_init_kind)kind;
    cvy_schema_read(kinds[kind].keys, body, name, kinds[kind].name, &out->how, findings);
    if (kind == CVY_INIT_UNIFORM && out->how.low > out->how.high)
        cvy_find(findings, name, "uniform: low %g is above high %g", out->how.low, out->how.high);
}
