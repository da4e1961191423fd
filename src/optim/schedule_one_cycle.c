/* one_cycle (Smith & Topin 2018, "super-convergence"; names and defaults are PyTorch's): up from peak/div_factor to the
 * peak over the first pct_start of the training, then down to 1/final_div_factor of the start; with three_phase down to
 * the start in as much time as it went up, then on. Momentum is left alone. */
#include <math.h>
#include <stddef.h>

#include "optim/schedule.h"

struct one_cycle {
    double peak, pct_start, div_factor, final_div_factor;
    int anneal; /* 0 cosine, 1 linear */
    bool three_phase;
};

#define REAL(name, fallback, low, help) CVY_SCHEDULE_REAL(struct one_cycle, name, fallback, low, help)
static const struct cvy_key keys[] = {REAL(peak, NULL, 0, "the highest learning rate"),
                                      {"pct_start", CVY_KEY_REAL, offsetof(struct one_cycle, pct_start), "0.3", 0.001,
                                       0.999, NULL, "the share of the training that goes up"},
                                      REAL(div_factor, "25", 1, "it starts at the peak over this"),
                                      REAL(final_div_factor, "10000", 1, "it ends at the start over this"),
                                      {"anneal", CVY_KEY_CHOICE, offsetof(struct one_cycle, anneal), "cos", CVY_KEY_ANY,
                                       "cos|linear", "the shape of the ways"},
                                      {"three_phase", CVY_KEY_BOOL, offsetof(struct one_cycle, three_phase), "false",
                                       CVY_KEY_ANY, NULL, "down to the start in as much time as it went up, then on"},
                                      CVY_KEY_END};

static void check(void *state, const struct cvy_node *name, struct cvy_findings *findings) {
    const struct one_cycle *s = state;
    if (s->three_phase && s->pct_start >= 0.5)
        cvy_find(findings, name, "one_cycle: with three_phase, pct_start %g must be below 0.5", s->pct_start);
}

static double between(const struct one_cycle *s, double from, double to, double share) {
    if (s->anneal == 0) share = 0.5 * (1 - cos(3.14159265358979323846 * share));
    return from + (to - from) * share;
}

static double at(const void *state, struct cvy_progress p) {
    const struct one_cycle *s = state;
    double x = p.epochs > 0 && p.epoch < p.epochs ? p.epoch / p.epochs : 1, up = s->pct_start;
    double start = s->peak / s->div_factor, end = start / s->final_div_factor;
    if (x < up) return between(s, start, s->peak, x / up);
    if (!s->three_phase) return between(s, s->peak, end, (x - up) / (1 - up));
    if (x < 2 * up) return between(s, s->peak, start, (x - up) / up);
    return between(s, start, end, (x - 2 * up) / (1 - 2 * up));
}

const struct cvy_schedule_kind cvy_schedule_one_cycle = {
    .name = "one_cycle",
    .purpose = "up to the peak and down again, far below the start (super-convergence); its way up is its warm-up",
    .keys = keys,
    .state_size = sizeof(struct one_cycle),
    .needs_end = true,
    .at = at,
    .check = check};
