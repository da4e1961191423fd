#include "train/record/advice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE "train.learning_rate"

/* ---- A schedule, with its rates divided ---- */

static bool is_rate(const char *key) {
    static const char *const rates[] = {"value", "peak", "floor"};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        if (strcmp(key, rates[i]) == 0) return true;
    return false;
}

static double highest_rate(const struct cvy_node *node, bool rate) {
    double value, highest = 0;
    if (node->kind == CVY_NODE_SCALAR) return rate && cvy_node_real(node, &value) ? value : 0;
    for (size_t i = 0; i < node->count; i++) {
        value = highest_rate(node->items[i], node->kind == CVY_NODE_MAP && is_rate(node->keys[i]->text));
        if (value > highest) highest = value;
    }
    return highest;
}

/* As flow YAML, on one line; rates times `factor`. */
static void write_node(struct cvy_buf *out, const struct cvy_node *node, bool rate, double factor) {
    double value;
    if (node->kind == CVY_NODE_SCALAR && rate && cvy_node_real(node, &value))
        cvy_buf_printf(out, "%.3g", value * factor);
    else if (node->kind == CVY_NODE_SCALAR)
        cvy_buf_printf(out, "%s", node->text);
    if (node->kind == CVY_NODE_SCALAR) return;
    const bool map = node->kind == CVY_NODE_MAP;
    cvy_buf_printf(out, map ? "{" : "[");
    for (size_t i = 0; i < node->count; i++) {
        cvy_buf_printf(out, "%s", i ? ", " : "");
        if (map) cvy_buf_printf(out, "%s: ", node->keys[i]->text);
        write_node(out, node->items[i], map && is_rate(node->keys[i]->text), factor);
    }
    cvy_buf_printf(out, map ? "}" : "]");
}

/* Of the rate that was in force, and of what is still to come. */
static double highest_of(const struct cvy_task *t, double lr) {
    const double named = t->lr_factor * highest_rate(t->experiment->learning_rate, true);
    return named > lr ? named : lr;
}

/* A tenth, and no more than the rate that experiments have where they name none. */
static void write_rate(const struct cvy_task *t, double lr, struct cvy_buf *out) {
    struct cvy_buf set = {0};
    const double highest = highest_of(t, lr);
    const double factor = highest * 0.1 > 0.01 ? 0.01 / highest : 0.1;
    cvy_buf_printf(&set, RATE "=");
    write_node(&set, t->experiment->learning_rate, true, factor);
    cvy_buf_printf(out, " --set");
    cvy_buf_shell_word(out, cvy_buf_text(&set));
    cvy_buf_destroy(&set);
}

/* ---- What else makes steps smaller, beside what is set already ---- */

/* A run that goes on is past its warm-up, and one_cycle's way up is its own. */
static void write_warmup(const struct cvy_task *t, bool anew, struct cvy_buf *out) {
    const double *epochs = anew ? cvy_schedule_number(&t->schedule, "warmup_epochs") : NULL;
    if (epochs && *epochs > 0)
        cvy_buf_printf(out, ", more warmup_epochs in its schedule than %g,", *epochs);
    else if (epochs)
        cvy_buf_printf(out, ", warmup_epochs in its schedule,");
}

static void write_clip(const struct cvy_task *t, bool anew, struct cvy_buf *out) {
    const struct cvy_gradient_rule *rule = &t->experiment->gradient;
    if (rule->clip_norm > 0)
        cvy_buf_printf(out, "a train.clip.norm below %g", rule->clip_norm);
    else if (rule->clip_value > 0)
        cvy_buf_printf(out, "a train.clip.value below %g", rule->clip_value);
    else
        cvy_buf_printf(out, "%s--set 'train.clip={norm: 1}'", anew ? "" : "--allow-change train.clip ");
}

void cvy_advice_calmer(const struct cvy_task *t, double lr, bool anew, struct cvy_buf *out) {
    const double highest = highest_of(t, lr);
    cvy_buf_printf(out, "a lower learning rate (%g now", lr);
    if (highest > lr) cvy_buf_printf(out, ", %g at its highest", highest);
    cvy_buf_printf(out, ")");
    write_warmup(t, anew, out);
    cvy_buf_printf(out, " or ");
    write_clip(t, anew, out);
}

/* ---- The command ---- */

static bool sets_rate(const char *set) {
    const size_t length = strlen(RATE);
    return strncmp(set, RATE, length) == 0 && (set[length] == '=' || set[length] == '.');
}

void cvy_advice_resume_slower(const struct cvy_task *t, double lr, struct cvy_buf *out) {
    const struct cvy_train_options *o = t->options;
    if (o->train || o->test) return;
    cvy_buf_printf(out, "; at a lower rate:");
    cvy_buf_shell_word(out, o->program ? o->program : "convoy");
    cvy_buf_printf(out, " train");
    cvy_buf_shell_word(out, o->experiment);
    if (o->run_folder) {
        cvy_buf_printf(out, " --run");
        cvy_buf_shell_word(out, o->run_folder);
    }
    cvy_buf_printf(out, " --resume");
    if (o->has_steps) cvy_buf_printf(out, " --steps %lld", (long long)o->steps);
    for (int i = 0; i < o->set_count; i++) {
        if (sets_rate(o->set[i])) continue;
        cvy_buf_printf(out, " --set");
        cvy_buf_shell_word(out, o->set[i]);
    }
    for (int i = 0; i < o->allow_change_count; i++) {
        if (strcmp(o->allow_change[i], RATE) == 0) continue;
        cvy_buf_printf(out, " --allow-change");
        cvy_buf_shell_word(out, o->allow_change[i]);
    }
    cvy_buf_printf(out, " --allow-change " RATE);
    write_rate(t, lr, out);
}
