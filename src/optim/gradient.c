#include "optim/gradient.h"

#include <math.h>

#include "kernels/update.h"

static const struct cvy_key clip_keys[] = {{"value", CVY_KEY_REAL, offsetof(struct cvy_gradient_rule, clip_value), "0",
                                            0, 1e9, NULL, "the most that an element may have"},
                                           {"norm", CVY_KEY_REAL, offsetof(struct cvy_gradient_rule, clip_norm), "0", 0,
                                            1e9, NULL, "the most that the norm over all parameters may be"},
                                           CVY_KEY_END};
static const struct cvy_key noise_keys[] = {
    {"eta", CVY_KEY_REAL, offsetof(struct cvy_gradient_rule, noise_eta), NULL, 0, 1e9, NULL, "its variance at step 0"},
    {"gamma", CVY_KEY_REAL, offsetof(struct cvy_gradient_rule, noise_gamma), "0.55", 0, 10, NULL,
     "its variance falls with (1 + step) to this power"},
    CVY_KEY_END};

void cvy_gradient_read(const struct cvy_node *clip, const struct cvy_node *noise, struct cvy_gradient_rule *out,
                       struct cvy_findings *findings) {
    *out = (struct cvy_gradient_rule){0};
    if (clip) {
        int before = findings->count;
        cvy_schema_read(clip_keys, clip, clip, "clip", out, findings);
        if (findings->count == before && (out->clip_value > 0) == (out->clip_norm > 0))
            cvy_find(findings, clip, "clip: expected {value: v} or {norm: v}, above zero");
    }
    if (noise) cvy_schema_read(noise_keys, noise, noise, "gradient_noise", out, findings);
}

bool cvy_gradient_list(int index, struct cvy_listing *out) {
    static const struct cvy_listing both[] = {
        {"train.clip", "large gradients are cut; one of its settings", NULL, clip_keys},
        {"train.gradient_noise", "normal noise on the mean gradient (Neelakantan et al. 2015)", NULL, noise_keys}};
    if (index >= 2) return false;
    *out = both[index];
    return true;
}

bool cvy_gradient_needs_all(const struct cvy_gradient_rule *rule) {
    return rule->clip_norm > 0 || rule->noise_eta > 0;
}

static bool learns(const struct cvy_param *param) {
    return param->lr_factor != 0;
}

/* Neighbours that learn are one sum; their padding is zero. */
double cvy_gradient_norm(const struct cvy_compute *compute, const struct cvy_params *params, const float *gradient) {
    double sum = 0;
    for (int i = 0, end; i < params->count; i = end) {
        end = i + 1;
        if (!learns(&params->items[i])) continue;
        while (end < params->count && learns(&params->items[end])) end++;
        const struct cvy_param *first = &params->items[i], *last = &params->items[end - 1];
        size_t floats = last->offset + last->stored - first->offset;
        sum += cvy_vec_sum_squares(compute, gradient + first->offset, (int64_t)floats);
    }
    return sqrt(sum);
}

static void add_noise(const struct cvy_gradient_rule *rule, const struct cvy_compute *compute,
                      const struct cvy_params *params, const struct cvy_gradient *g, double scale) {
    double sigma = sqrt(rule->noise_eta / pow((double)g->step, rule->noise_gamma)); /* step = 1 + t */
    for (int i = 0; i < params->count; i++) {
        const struct cvy_param *p = &params->items[i];
        if (learns(p)) cvy_gradient_add_noise(compute, p, g->seed, g->step, scale, sigma, g->sum + p->offset);
    }
}

double cvy_gradient_apply(const struct cvy_gradient_rule *rule, const struct cvy_compute *compute,
                          const struct cvy_params *params, const struct cvy_gradient *g) {
    double scale = g->scale;
    if (rule->clip_norm > 0) {
        double share = rule->clip_norm / (scale * cvy_gradient_norm(compute, params, g->sum) + 1e-6);
        if (share < 1) scale *= share;
    }
    if (rule->clip_value > 0) {
        cvy_vec_clamp(compute, g->sum, (float)scale, (float)rule->clip_value, (int64_t)(g->end - g->first));
        scale = 1;
    }
    if (rule->noise_eta > 0) {
        add_noise(rule, compute, params, g, scale);
        scale = 1;
    }
    return scale;
}
