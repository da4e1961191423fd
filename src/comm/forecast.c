/* A step in the model. All ranks are alike, so one is followed: its processor (`now`), its link (`wire`), its buckets.
 *
 *     processor  forward │ layer │ layer │c│ layer │c│ wait │ update …        c: copies of a phase, at a poll
 *     link                       │ bucket 0, phase 0 │  bucket 0, phase 1 …
 *
 * Of a phase's messages each keeps the link for its bytes; their latencies pass at the same time, but for the part in
 * which a processor handles each. */
#include "comm/forecast.h"

#include <math.h>

#include "comm/exchange_internal.h"
#include "core/ints.h"
#include "core/memory.h"

#define HANDLED 0.4 /* of a message's α: what sender and receiver do for it themselves */

/* A bucket's way: phases that follow each other. */
struct way {
    size_t first, count, missing;
    struct cvy_bill bill;
    int phases, phase;
    double messages, copying; /* of a phase; s */
    double due;               /* when the phase's messages are there */
};

struct forecast {
    const struct cvy_forecast_spec *spec;
    struct cvy_link link;
    struct way *ways;
    int count, started;
    double now, wire; /* the processor's clock; when the link is free */
};

/* ---- Buckets ---- */

/* As many as there are rounds, there and back; two where every rank sends to every other; one within a host. */
static void plan_phases(const struct forecast *f, struct way *w) {
    w->phases = w->bill.rounds > 0 ? 2 * w->bill.rounds : w->bill.messages > 0 ? 2 : 1;
    w->messages = (double)w->bill.messages / w->phases;
    w->copying = (double)w->bill.copied * f->spec->network->copied / w->phases;
}

/* A round sends half of what the one before did; back the other way around. */
static double bytes_of(const struct way *w) {
    const int rounds = w->bill.rounds;
    if (rounds == 0) return (double)w->bill.sent / w->phases;
    const int round = w->phase < rounds ? w->phase : w->phases - 1 - w->phase;
    return (double)w->bill.sent / 2 * ldexp(1, -round - 1) / (1 - ldexp(1, -rounds));
}

/* Messages of a bucket that the library sums: as those of halving, which it may well be. */
static struct cvy_bill library_bill(const struct cvy_team *team, size_t floats) {
    const int rounds = (int)ceil(log2(team->size));
    const double share = (team->size - 1.0) / team->size;
    return (struct cvy_bill){.messages = 2 * rounds,
                             .sent = (size_t)(2 * share * (double)floats * sizeof(float)),
                             .copied = (size_t)(share * (double)floats * sizeof(float)),
                             .rounds = rounds};
}

static struct cvy_bill bill_of(const struct cvy_reduction *reduction, const struct cvy_team *team, size_t floats) {
    return reduction == &cvy_reduction_library ? library_bill(team, floats) : reduction->bill(team, floats);
}

static const struct cvy_reduction *reduction_of(const struct forecast *f, const struct cvy_team *team, size_t floats) {
    const struct cvy_reduction *wanted = f->spec->exchange->reduction;
    return wanted ? wanted : cvy_reduction_choose(team, floats);
}

/* From the vector's end to its start. What buckets of one size cost is asked once. */
static cvy_status create_ways(struct forecast *f, struct cvy_forecast *out) {
    const struct cvy_exchange_plan *plan = f->spec->exchange;
    const struct cvy_places *places = &f->spec->comm->places;
    const struct cvy_team team = cvy_team_all(places, 0, plan->leaves[0], places->least > 1);
    size_t end = plan->floats;
    f->count = cvy_plan_buckets(plan);
    CVY_TRY(CVY_NEW(&f->ways, f->count, comm));
    for (int b = 0; b < f->count; b++) {
        struct way *w = &f->ways[b];
        w->first = cvy_plan_bucket(plan, b);
        w->count = w->missing = end - w->first;
        end = w->first;
        if (team.size == 1) continue;
        if (b > 0 && w->count == w[-1].count) {
            w->bill = w[-1].bill;
        } else {
            out->reduction = reduction_of(f, &team, w->count);
            w->bill = bill_of(out->reduction, &team, w->count);
        }
        plan_phases(f, w);
        out->messages = cvy_max(out->messages, w->bill.messages);
        out->sent += w->bill.sent;
    }
    out->buckets = f->count;
    return CVY_OK;
}

/* ---- Time ---- */

static double latency(const struct forecast *f, double messages) {
    return messages > 0 ? f->link.message * (1 + HANDLED * (messages - 1)) : 0;
}

static void begin_phase(struct forecast *f, struct way *w) {
    f->now += w->copying;
    const double start = fmax(f->now, f->wire);
    f->wire = start + bytes_of(w) * f->link.byte;
    w->due = f->wire + latency(f, w->messages);
}

static bool done(const struct way *w) {
    return w->phase >= w->phases;
}

static void poll(struct forecast *f) {
    for (int b = 0; b < f->started; b++) {
        struct way *w = &f->ways[b];
        while (!done(w) && w->due <= f->now)
            if (++w->phase < w->phases) begin_phase(f, w);
    }
}

/* Floats [first, end) are final. */
static void finish_floats(struct forecast *f, size_t first, size_t end) {
    for (int b = f->started; b < f->count; b++) {
        struct way *w = &f->ways[b];
        const size_t low = first > w->first ? first : w->first;
        const size_t high = end < w->first + w->count ? end : w->first + w->count;
        if (low < high) w->missing -= high - low;
    }
    for (; f->started < f->count && f->ways[f->started].missing == 0; f->started++)
        if (f->ways[f->started].phases > 0) begin_phase(f, &f->ways[f->started]);
}

/* Polls until `until` has come. */
static void wait_until(struct forecast *f, double until) {
    while (f->now < until) {
        double next = until;
        for (int b = 0; b < f->started; b++)
            if (!done(&f->ways[b])) next = fmin(next, f->ways[b].due);
        f->now = fmax(f->now, next);
        poll(f);
    }
}

/* The record of flags and losses: to rank 0, who handles one of each, and back. */
static void wait_for_control(struct forecast *f) {
    const int ranks = f->spec->comm->places.ranks;
    if (ranks > 1) wait_until(f, f->now + 2 * latency(f, (ranks - 1) / 2.0 + 1));
}

static void wait_for_bucket(struct forecast *f, const struct way *w) {
    poll(f);
    while (!done(w)) wait_until(f, fmax(w->due, nextafter(f->now, INFINITY)));
}

static void run(struct forecast *f) {
    const struct cvy_forecast_spec *s = f->spec;
    f->now = s->before;
    for (int i = 0; i < s->stretch_count; i++) {
        f->now += s->stretches[i].seconds;
        if (s->stretches[i].count)
            finish_floats(f, s->stretches[i].first, s->stretches[i].first + s->stretches[i].count);
        poll(f);
    }
    for (int b = f->started; b < f->count; b++) f->ways[b].missing = 0; /* the leaf is done */
    finish_floats(f, 0, 0);
    wait_for_control(f);
    for (int b = 0; b < f->count; b++) {
        wait_for_bucket(f, &f->ways[b]);
        if (!s->whole) f->now += s->update * (double)f->ways[b].count / (double)s->exchange->floats;
    }
    if (s->whole) f->now += s->update;
}

cvy_status cvy_forecast(const struct cvy_forecast_spec *spec, struct cvy_forecast *out) {
    const struct cvy_places *places = &spec->comm->places;
    struct forecast f = {.spec = spec};
    *out = (struct cvy_forecast){0};
    f.link = places->nodes > 1 ? spec->network->outside : spec->network->inside;
    if (places->nodes > 1) f.link.byte *= places->least; /* a host's ranks share its link */
    cvy_status status = create_ways(&f, out);
    if (status == CVY_OK) {
        run(&f);
        double busy = spec->before + spec->update;
        for (int i = 0; i < spec->stretch_count; i++) busy += spec->stretches[i].seconds;
        out->step = f.now;
        out->exposed = f.now - busy;
    }
    cvy_free(f.ways);
    return status;
}
