/* The adapter: a layer as convoy/op.h has it, made an op. What the two have in common is passed through; on the way in
 * a plan becomes declarations, on the way back gradients start from zero, so that a layer only ever adds. */
#include "ops/registered.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"

struct registered {
    struct cvy_op_kind kind; /* first: an op's kind leads here */
    struct cvy_layer_kind theirs;
    struct cvy_key keys[CVY_LAYER_KEYS + 1];
    char fallbacks[CVY_LAYER_KEYS][32];
};

static struct registered all[CVY_REGISTERED]; /* the process's: files are read without a context, too */
static atomic_int count;                      /* those below it stay as they are */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

const struct cvy_op_kind *cvy_registered(int index) {
    return index < atomic_load(&count) ? &all[index].kind : NULL;
}

/* ---- What a layer sees ---- */

union setting {
    double real;
    int64_t whole;
};

/* An op's state. */
struct state {
    union setting settings[CVY_LAYER_KEYS];
};

static const struct registered *registered_of(const struct cvy_op *op) {
    return (const struct registered *)op->kind;
}

static struct cvy_layer_shape shape_of(struct cvy_shape s) {
    return (struct cvy_layer_shape){s.h, s.w, s.c};
}

struct view {
    struct cvy_layer_view layer;
    double settings[CVY_LAYER_KEYS];
    struct cvy_layer_shape in[CVY_LAYER_INPUTS];
};

static const struct cvy_layer_view *look(const struct cvy_op *op, struct view *v) {
    const struct cvy_layer_kind *theirs = &registered_of(op)->theirs;
    const struct state *s = op->state;
    for (int k = 0; k < theirs->key_count; k++)
        v->settings[k] = theirs->keys[k].whole ? (double)s->settings[k].whole : s->settings[k].real;
    for (int i = 0; i < op->inputs; i++) v->in[i] = shape_of(op->in[i]);
    v->layer = (struct cvy_layer_view){.name = op->name,
                                       .user = theirs->user,
                                       .settings = v->settings,
                                       .inputs = op->inputs,
                                       .in = v->in,
                                       .out = shape_of(op->out)};
    return &v->layer;
}

struct leaf {
    struct cvy_layer_call call;
    const float *x[CVY_LAYER_INPUTS], *weights[CVY_LAYER_WEIGHTS];
    float *dx[CVY_LAYER_INPUTS], *dweights[CVY_LAYER_WEIGHTS];
};

static struct cvy_layer_call *open_leaf(const struct cvy_op *op, struct cvy_call *call, bool backward, struct leaf *l) {
    const bool x = !backward || (op->reads & CVY_READS_INPUT), y = !backward || (op->reads & CVY_READS_OUTPUT);
    for (int i = 0; i < op->inputs; i++) l->x[i] = x ? call->x[i].data : NULL;
    for (int p = 0; p < op->params; p++) l->weights[p] = call->param[p];
    l->call = (struct cvy_layer_call){.samples = call->n,
                                      .training = call->mode == CVY_TRAIN,
                                      .threads = call->compute->threads,
                                      .pool = call->compute->pool,
                                      .x = l->x,
                                      .y = y ? call->y.data : NULL,
                                      .weights = l->weights,
                                      .saved = call->saved,
                                      .workspace = call->workspace};
    return &l->call;
}

/* Two dx may be one buffer: all are made zero before any is added to. */
static void open_gradients(const struct cvy_op *op, struct cvy_call *call, struct leaf *l) {
    for (int i = 0; i < op->inputs; i++) {
        l->dx[i] = call->dx[i].data;
        if (l->dx[i] && !call->accumulate[i])
            memset(l->dx[i], 0, (size_t)cvy_op_count(op->in[i], call->n) * sizeof(float));
    }
    for (int p = 0; p < op->params; p++) {
        l->dweights[p] = call->grad[p];
        memset(l->dweights[p], 0, cvy_param_stored(&op->param[p]) * sizeof(float));
    }
    l->call.dy = call->dy.data;
    l->call.dx = l->dx;
    l->call.dweights = l->dweights;
}

/* ---- The op ---- */

static bool find_fault(const struct cvy_layer_plan *plan) {
    const struct cvy_layer_shape *s = &plan->out;
    bool good = s->height > 0 && s->width > 0 && s->channels > 0 && plan->weight_count >= 0 &&
                plan->weight_count <= CVY_LAYER_WEIGHTS;
    for (int w = 0; good && w < plan->weight_count; w++) good = plan->weights[w].name && plan->weights[w].count > 0;
    return !good;
}

static void declare(struct cvy_op *op, const struct cvy_layer_weight *w) {
    struct cvy_param param = {.rank = 1,
                              .dims = {w->count},
                              .init = CVY_INIT_CONSTANT,
                              .init_how = {.value = w->start},
                              .decay = w->decays ? CVY_DECAY_WEIGHT : CVY_DECAY_NORM};
    snprintf(param.name, sizeof param.name, "%.127s", w->name);
    cvy_op_declare(op, &param);
}

static void infer(struct cvy_op *op, struct cvy_findings *findings) {
    const struct cvy_layer_kind *theirs = &registered_of(op)->theirs;
    struct view v;
    struct cvy_layer_plan plan = {.out = shape_of(op->in[0])};
    op->out = op->in[0];
    if (theirs->infer) theirs->infer(look(op, &v), &plan);
    if (plan.why[0]) {
        cvy_find(findings, op->node, "%s: %.*s", op->name, CVY_LAYER_WHY - 1, plan.why);
        return;
    }
    if (find_fault(&plan)) {
        cvy_find(findings, op->node, "%s: the plan of layer \"%s\" is wrong: %d×%d×%d, %d weights", op->name,
                 theirs->name, plan.out.height, plan.out.width, plan.out.channels, plan.weight_count);
        return;
    }
    op->out = (struct cvy_shape){plan.out.height, plan.out.width, plan.out.channels};
    op->reads = (theirs->reads & CVY_LAYER_READS_X ? CVY_READS_INPUT : 0) |
                (theirs->reads & CVY_LAYER_READS_Y ? CVY_READS_OUTPUT : 0);
    op->macs = plan.macs;
    for (int w = 0; w < plan.weight_count; w++) declare(op, &plan.weights[w]);
}

static size_t saved(const struct cvy_op *op, int n) {
    struct view v;
    return registered_of(op)->theirs.saved(look(op, &v), n);
}

static size_t workspace(const struct cvy_op *op, int n, int threads) {
    struct view v;
    return registered_of(op)->theirs.workspace(look(op, &v), n, threads);
}

static void forward(const struct cvy_op *op, struct cvy_call *call) {
    struct view v;
    struct leaf l;
    registered_of(op)->theirs.forward(look(op, &v), open_leaf(op, call, false, &l));
}

static void backward(const struct cvy_op *op, struct cvy_call *call) {
    struct view v;
    struct leaf l;
    open_leaf(op, call, true, &l);
    open_gradients(op, call, &l);
    registered_of(op)->theirs.backward(look(op, &v), &l.call);
}

static void describe(const struct cvy_op *op, struct cvy_buf *out) {
    const struct cvy_layer_kind *theirs = &registered_of(op)->theirs;
    struct view v;
    char text[256] = "";
    const struct cvy_layer_view *layer = look(op, &v);
    for (int k = 0; k < theirs->key_count; k++)
        cvy_buf_printf(out, "%s%.17g ", theirs->keys[k].name, layer->settings[k]);
    if (theirs->describe) theirs->describe(layer, text, sizeof text);
    if (text[0]) cvy_buf_printf(out, "%.255s ", text);
}

void cvy_layer_parallel(const struct cvy_layer_call *call, int tasks, void (*run)(void *arg, int task, int thread),
                        void *arg) {
    cvy_parallel(call->pool, tasks, run, arg);
}

/* ---- Registering ---- */

static bool is_word(const char *text) {
    size_t length = 0;
    for (;
         text && (islower((unsigned char)text[length]) || isdigit((unsigned char)text[length]) || text[length] == '_');)
        length++;
    return length > 0 && length < 32 && text[length] == '\0' && islower((unsigned char)text[0]);
}

static cvy_status check(const struct cvy_layer_kind *k) {
    CVY_CHECK(is_word(k->name), CVY_ERR_USAGE,
              "a layer's name \"%s\" is none: up to 31 small letters, digits and _, the first a letter", k->name);
    CVY_CHECK(k->key_count >= 0 && k->key_count <= CVY_LAYER_KEYS && (k->keys || k->key_count == 0), CVY_ERR_USAGE,
              "layer \"%s\" has %d keys; there may be %d", k->name, k->key_count, CVY_LAYER_KEYS);
    for (int i = 0; i < k->key_count; i++)
        CVY_CHECK(is_word(k->keys[i].name) && k->keys[i].help, CVY_ERR_USAGE,
                  "layer \"%s\": key %d has no name of small letters, digits and _, or no help", k->name, i);
    CVY_CHECK(k->min_inputs >= 0 && k->min_inputs <= k->max_inputs && k->max_inputs <= CVY_LAYER_INPUTS &&
                  (k->min_inputs > 0 || k->max_inputs == 0),
              CVY_ERR_USAGE, "layer \"%s\" takes %d to %d inputs; there may be 1 to %d", k->name, k->min_inputs,
              k->max_inputs, CVY_LAYER_INPUTS);
    return CVY_OK;
}

static void add_keys(struct registered *r) {
    for (int k = 0; k < r->theirs.key_count; k++) {
        const struct cvy_layer_key *theirs = &r->theirs.keys[k];
        const bool any = theirs->low == 0 && theirs->high == 0;
        snprintf(r->fallbacks[k], sizeof r->fallbacks[k], theirs->whole ? "%.0f" : "%.17g", theirs->fallback);
        r->keys[k] = (struct cvy_key){.name = theirs->name,
                                      .type = theirs->whole ? CVY_KEY_INT : CVY_KEY_REAL,
                                      .offset = offsetof(struct state, settings) + (size_t)k * sizeof(union setting),
                                      .fallback = theirs->needed ? NULL : r->fallbacks[k],
                                      .low = any ? -1e18 : theirs->low,
                                      .high = any ? 1e18 : theirs->high,
                                      .help = theirs->help};
    }
}

static void fill(struct registered *r, const struct cvy_layer_kind *kind) {
    r->theirs = *kind;
    add_keys(r);
    r->kind = (struct cvy_op_kind){.name = kind->name,
                                   .purpose = kind->purpose,
                                   .shorthand = kind->key_count ? kind->keys[0].name : NULL,
                                   .keys = r->keys,
                                   .state_size = sizeof(struct state),
                                   .min_inputs = kind->min_inputs ? kind->min_inputs : 1,
                                   .max_inputs = kind->max_inputs ? kind->max_inputs : 1,
                                   .infer = infer,
                                   .saved = kind->saved ? saved : NULL,
                                   .workspace = kind->workspace ? workspace : NULL,
                                   .forward = forward,
                                   .backward = backward,
                                   .describe = describe};
}

cvy_status cvy_registered_add(const struct cvy_layer_kind *kind) {
    CVY_TRY(check(kind));
    pthread_mutex_lock(&mutex);
    const int index = atomic_load(&count);
    bool taken = false;
    for (int i = 0; i < index; i++) taken |= strcmp(all[i].kind.name, kind->name) == 0;
    const bool room = index < CVY_REGISTERED;
    if (room && !taken) {
        fill(&all[index], kind);
        atomic_store(&count, index + 1);
    }
    pthread_mutex_unlock(&mutex);
    CVY_CHECK(!taken, CVY_ERR_USAGE, "a layer \"%s\" is registered already; choose another name", kind->name);
    CVY_CHECK(room, CVY_ERR_USAGE, "layer \"%s\": %d layers are registered, which is as many as there may be",
              kind->name, CVY_REGISTERED);
    return CVY_OK;
}
