/* Where more nodes stop paying, and what to change. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/plan_parts.h"
#include "core/ints.h"
#include "core/text.h"

#define PAYS    1.5  /* times as fast with twice the nodes */
#define EXPOSED 0.05 /* of the step: more is worth a word */
#define BETTER  0.03 /* of the step: that other buckets must save */

static void advise(struct cvy_plan_facts *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void advise(struct cvy_plan_facts *out, const char *fmt, ...) {
    const size_t used = strlen(out->advice), room = sizeof out->advice - used;
    va_list args;
    va_start(args, fmt);
    const int more = snprintf(out->advice + used, room, "%s", used ? "\n" : "");
    vsnprintf(out->advice + used + more, room > (size_t)more ? room - (size_t)more : 0, fmt, args);
    va_end(args);
}

/* The last doubling that is worth it. */
static cvy_status find_end(const struct plan *p, struct cvy_plan_facts *out) {
    struct cvy_forecast now;
    double before = p->alone;
    out->pays_until = 1;
    for (int n = 2; n <= out->most_nodes; n *= 2) {
        CVY_TRY(plan_forecast(p, n, p->experiment->bucket_mib, &now));
        if (before < PAYS * now.step) break;
        before = now.step;
        out->pays_until = n;
    }
    return CVY_OK;
}

/* Of the largest row that is possible: whether other buckets would hide more. */
static cvy_status try_buckets(const struct plan *p, const struct cvy_plan_row *row, struct cvy_plan_facts *out) {
    static const double sizes[] = {0.25, 0.5, 1, 2, 4, 8, 16, 32, 64};
    double best = row->step_ms, mib = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct cvy_forecast f;
        CVY_TRY(plan_forecast(p, row->nodes, sizes[i], &f));
        if (1e3 * f.step < best) best = 1e3 * f.step, mib = sizes[i];
    }
    if (best < (1 - BETTER) * row->step_ms)
        advise(out, "comm.bucket_mib: %g makes a step of %d nodes %.3g ms instead of %.3g", mib, row->nodes, best,
               row->step_ms);
    return CVY_OK;
}

static void advise_on_network(const struct plan *p, const struct cvy_plan_row *row, struct cvy_plan_facts *out) {
    const double bytes = 1e3 * (double)row->sent_bytes * p->network.outside.byte * p->each;
    const double messages = 1e3 * row->messages * row->buckets * p->network.outside.message;
    if (row->exposed_ms < EXPOSED * row->step_ms) return;
    if (bytes > messages)
        advise(
            out,
            "on %d nodes %.0f %% of a step is waiting for %s of gradients: samples that hide it (a larger train.batch "
            "and as many leaves) or a faster network",
            row->nodes, 100 * row->exposed_ms / row->step_ms, "the bytes");
    else
        advise(out,
               "on %d nodes %.0f %% of a step is waiting for messages, not for their bytes: larger buckets, or more "
               "samples a step",
               row->nodes, 100 * row->exposed_ms / row->step_ms);
}

cvy_status plan_advise(const struct plan *p, struct cvy_plan_facts *out) {
    const struct cvy_plan_row *last = NULL;
    CVY_TRY(find_end(p, out));
    for (int i = 0; i < out->row_count; i++)
        if (out->rows[i]->possible && (last == NULL || out->rows[i]->nodes > last->nodes)) last = out->rows[i];
    if (last->ranks > 1 && p->leaves % last->ranks != 0)
        advise(out, "%d leaves over %d ranks are not even: some ranks have %d, others %d", p->leaves, last->ranks,
               last->leaves, p->leaves / last->ranks);
    if (last->ranks == 1) return CVY_OK;
    advise_on_network(p, last, out);
    return try_buckets(p, last, out);
}
