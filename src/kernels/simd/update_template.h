/* Loops of optimisers, included by loops_template.h after norm_template.h (whose doubles are used here). */

static inline vf load(const float *p, int64_t i, int64_t lanes) {
    return v_load_lanes(p + i, (int)lanes);
}
static inline void store(float *p, int64_t i, int64_t lanes, vf v) {
    v_store_lanes(p + i, v, (int)lanes);
}

static inline vf rounded(double x) {
    return v_set((float)x);
}

/* keep·x + (1 − keep)·y */
static inline vf blend(double keep, vf x, vf y) {
    return v_fma(rounded(1 - keep), y, rounded(keep) * x);
}

static inline vf with_decay(double grad_scale, vf g, double weight_decay, vf w) {
    return v_fma(rounded(weight_decay), w, rounded(grad_scale) * g);
}

static void adam(const struct cvy_adam *how, float *w, const float *g, float *m, float *v, float *top, int64_t count) {
    EACH_VECTOR(i, lanes, count) {
        vf old = load(w, i, lanes), d = with_decay(how->grad_scale, load(g, i, lanes), how->weight_decay, old);
        vf mean = blend(how->beta1, load(m, i, lanes), d), square = blend(how->beta2, load(v, i, lanes), d * d);
        store(m, i, lanes, mean);
        store(v, i, lanes, square);
        if (top) {
            vf before = load(top, i, lanes);
            square = v_select(before > square, before, square);
            store(top, i, lanes, square);
        }
        vf step = mean / v_fma(v_sqrt(square), rounded(how->root), rounded(how->eps));
        store(w, i, lanes, v_fma(rounded(-how->rate), step, rounded(how->keep) * old));
    }
}

static void rmsprop(const struct cvy_rmsprop *how, float *w, const float *g, float *v, float *mean, float *speed,
                    int64_t count) {
    EACH_VECTOR(i, lanes, count) {
        vf old = load(w, i, lanes), d = with_decay(how->grad_scale, load(g, i, lanes), how->weight_decay, old);
        vf square = blend(how->alpha, load(v, i, lanes), d * d);
        store(v, i, lanes, square);
        if (mean) {
            vf middle = blend(how->alpha, load(mean, i, lanes), d);
            store(mean, i, lanes, middle);
            square = at_least(square - middle * middle, 0); /* rounding may take a variance below zero */
        }
        vf step = d / (v_sqrt(square) + rounded(how->eps));
        if (speed) {
            step = v_fma(rounded(how->momentum), load(speed, i, lanes), step);
            store(speed, i, lanes, step);
        }
        store(w, i, lanes, v_fma(rounded(-how->lr), step, old));
    }
}

static void adagrad(const struct cvy_adagrad *how, float *w, const float *g, float *sum, int64_t count) {
    EACH_VECTOR(i, lanes, count) {
        vf old = load(w, i, lanes), d = with_decay(how->grad_scale, load(g, i, lanes), how->weight_decay, old);
        vf squares = v_fma(d, d, load(sum, i, lanes));
        store(sum, i, lanes, squares);
        vf step = d / (v_sqrt(squares + rounded(how->initial)) + rounded(how->eps));
        store(w, i, lanes, v_fma(rounded(-how->lr), step, old));
    }
}

static void lars(const struct cvy_lars *how, float *w, const float *g, float *v, int64_t count) {
    EACH_VECTOR(i, lanes, count) {
        vf old = load(w, i, lanes), d = with_decay(how->grad_scale, load(g, i, lanes), how->weight_decay, old);
        vf speed = v_fma(rounded(how->momentum), load(v, i, lanes), rounded(how->rate) * d);
        store(v, i, lanes, speed);
        store(w, i, lanes, old - speed);
    }
}

/* ---- sums in double: lanes beyond a tail are zero ---- */

static inline void add_squares(vd *sum, vf x) {
    float lanes[VEC];
    v_store(lanes, x);
    vd low = wide(half_load(lanes, HALF)), high = wide(half_load(lanes + HALF, HALF));
    *sum += low * low;
    *sum += high * high;
}

static inline double total(vd sum) {
    double all = 0;
    for (int i = 0; i < HALF; i++) all += sum[i];
    return all;
}

static double sum_squares(const float *x, int64_t count) {
    vd sum = {0};
    EACH_VECTOR(i, lanes, count)
    add_squares(&sum, load(x, i, lanes));
    return total(sum);
}

static inline vf lamb_step(const struct cvy_lamb *how, vf w, vf m, vf v) {
    vf step = rounded(how->mean) * m / v_fma(v_sqrt(v), rounded(how->root), rounded(how->eps));
    return v_fma(rounded(how->weight_decay), w, step);
}

static void lamb_moments(const struct cvy_lamb *how, const float *w, const float *g, float *m, float *v, int64_t count,
                         struct cvy_lamb_norms *squares) {
    vd of_w = {0}, of_u = {0};
    EACH_VECTOR(i, lanes, count) {
        vf old = load(w, i, lanes), d = rounded(how->grad_scale) * load(g, i, lanes);
        vf mean = blend(how->beta1, load(m, i, lanes), d), square = blend(how->beta2, load(v, i, lanes), d * d);
        store(m, i, lanes, mean);
        store(v, i, lanes, square);
        add_squares(&of_w, old);
        add_squares(&of_u, lamb_step(how, old, mean, square)); /* a lane of zeros gives 0/eps */
    }
    *squares = (struct cvy_lamb_norms){total(of_w), total(of_u)};
}

static void lamb_apply(const struct cvy_lamb *how, float *w, const float *m, const float *v, int64_t count) {
    EACH_VECTOR(i, lanes, count) {
        vf old = load(w, i, lanes), u = lamb_step(how, old, load(m, i, lanes), load(v, i, lanes));
        store(w, i, lanes, v_fma(rounded(-how->rate), u, old));
    }
}

/* ---- clipping, averages ---- */

static void clamp(float *x, float scale, float limit, int64_t count) {
    EACH_VECTOR(i, lanes, count)
    store(x, i, lanes, at_most(at_least(load(x, i, lanes) * v_set(scale), -limit), limit));
}

static void average(float *mean, const float *x, float share, int64_t count) {
    EACH_VECTOR(i, lanes, count) {
        vf old = load(mean, i, lanes);
        store(mean, i, lanes, v_fma(v_set(share), load(x, i, lanes) - old, old));
    }
}

#define UPDATE_LOOPS                                                                                                   \
    {                                                                                                                  \
        .adam = adam, .rmsprop = rmsprop, .adagrad = adagrad, .lars = lars, .lamb_moments = lamb_moments,              \
        .lamb_apply = lamb_apply, .sum_squares = sum_squares, .clamp = clamp, .average = average                       \
    }
