/* oneDNN (Debian's libdnnl-dev), by its C interface of version 2. Tensors are described as NCHW and OIHW with the
 * layout left to it (`any`), which is how frameworks get its blocked formats. Without HAVE_ONEDNN there is no peer. */
#include "conv_peer.h"

#include <stdlib.h>

#ifdef HAVE_ONEDNN
#include <dnnl.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

static void check(dnnl_status_t status, const char *what) {
    if (status == dnnl_success) return;
    fprintf(stderr, "oneDNN: %s: status %d\n", what, (int)status);
    exit(1);
}
#define DO(call) check(call, #call)

enum { SRC, WEIGHTS, BIAS, DST, TENSORS };

struct peer {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t args[TENSORS];
    int count;
};

struct description {
    dnnl_memory_desc_t tensor[TENSORS];
    dnnl_dims_t strides, dilates, before, after;
};

static int after(int in, int out, int kernel, int stride, int dilation, int before) {
    return (out - 1) * stride + (kernel - 1) * dilation + 1 - in - before;
}

static struct description describe(const struct cvy_conv *g) {
    const dnnl_dims_t src = {g->n, g->in.c, g->in.h, g->in.w}, weights = {g->out.c, g->in.c, g->r, g->s};
    const dnnl_dims_t bias = {g->out.c}, dst = {g->n, g->out.c, g->out.h, g->out.w};
    struct description d = {
        .strides = {g->stride_h, g->stride_w},
        .dilates = {g->dilation_h - 1, g->dilation_w - 1},
        .before = {g->pad_top, g->pad_left},
        .after = {after(g->in.h, g->out.h, g->r, g->stride_h, g->dilation_h, g->pad_top),
                  after(g->in.w, g->out.w, g->s, g->stride_w, g->dilation_w, g->pad_left)},
    };
    DO(dnnl_memory_desc_init_by_tag(&d.tensor[SRC], 4, src, dnnl_f32, dnnl_format_tag_any));
    DO(dnnl_memory_desc_init_by_tag(&d.tensor[WEIGHTS], 4, weights, dnnl_f32, dnnl_format_tag_any));
    DO(dnnl_memory_desc_init_by_tag(&d.tensor[BIAS], 1, bias, dnnl_f32, dnnl_a));
    DO(dnnl_memory_desc_init_by_tag(&d.tensor[DST], 4, dst, dnnl_f32, dnnl_format_tag_any));
    return d;
}

static dnnl_status_t describe_pass(enum pass pass, dnnl_alg_kind_t how, struct description *d,
                                   dnnl_convolution_desc_t *out) {
    dnnl_memory_desc_t *t = d->tensor;
    if (pass == PASS_FORWARD)
        return dnnl_dilated_convolution_forward_desc_init(out, dnnl_forward_training, how, &t[SRC], &t[WEIGHTS],
                                                          &t[BIAS], &t[DST], d->strides, d->dilates, d->before,
                                                          d->after);
    if (pass == PASS_DATA)
        return dnnl_dilated_convolution_backward_data_desc_init(out, how, &t[SRC], &t[WEIGHTS], &t[DST], d->strides,
                                                                d->dilates, d->before, d->after);
    return dnnl_dilated_convolution_backward_weights_desc_init(out, how, &t[SRC], &t[WEIGHTS], &t[BIAS], &t[DST],
                                                               d->strides, d->dilates, d->before, d->after);
}

static dnnl_status_t make_pass(struct peer *p, enum pass pass, dnnl_alg_kind_t how, struct description *d,
                               dnnl_primitive_desc_t hint) {
    dnnl_convolution_desc_t conv;
    dnnl_status_t status = describe_pass(pass, how, d, &conv);
    return status ? status : dnnl_primitive_desc_create(&p->desc, &conv, NULL, p->engine, hint);
}

static void add_argument(struct peer *p, int name, dnnl_query_t what, int index) {
    const dnnl_memory_desc_t *desc = dnnl_primitive_desc_query_md(p->desc, what, index);
    dnnl_memory_t memory;
    void *data;
    DO(dnnl_memory_create(&memory, desc, p->engine, DNNL_MEMORY_ALLOCATE));
    DO(dnnl_memory_get_data_handle(memory, &data));
    float *values = data;
    for (size_t i = 0; i < dnnl_memory_desc_get_size(desc) / sizeof *values; i++)
        values[i] = (float)(i * 7 % 1024) / 512 - 1;
    p->args[p->count++] = (dnnl_exec_arg_t){name, memory};
}

static void add_arguments(struct peer *p, enum pass pass) {
    if (pass == PASS_DATA)
        add_argument(p, DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md, 0);
    else
        add_argument(p, DNNL_ARG_SRC, dnnl_query_src_md, 0);
    if (pass == PASS_FORWARD)
        add_argument(p, DNNL_ARG_DST, dnnl_query_dst_md, 0);
    else
        add_argument(p, DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, 0);
    if (pass == PASS_WEIGHTS) {
        add_argument(p, DNNL_ARG_DIFF_WEIGHTS, dnnl_query_diff_weights_md, 0);
        add_argument(p, DNNL_ARG_DIFF_BIAS, dnnl_query_diff_weights_md, 1);
        return;
    }
    add_argument(p, DNNL_ARG_WEIGHTS, dnnl_query_weights_md, 0);
    if (pass == PASS_FORWARD) add_argument(p, DNNL_ARG_BIAS, dnnl_query_weights_md, 1);
}

const char *peer_name(void) {
    static char name[32];
    const dnnl_version_t *v = dnnl_version();
    snprintf(name, sizeof name, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
    return name;
}

struct peer *peer_create(const struct cvy_conv *g, enum pass pass, bool direct) {
    struct peer *p = calloc(1, sizeof *p);
    if (p == NULL) abort();
    omp_set_num_threads(1);
    DO(dnnl_engine_create(&p->engine, dnnl_cpu, 0));
    DO(dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags));
    struct description d = describe(g);
    dnnl_status_t status;
    if (pass == PASS_FORWARD)
        status = make_pass(p, pass, direct ? dnnl_convolution_direct : dnnl_convolution_auto, &d, NULL);
    else {
        struct peer forward = {.engine = p->engine};
        DO(make_pass(&forward, PASS_FORWARD, dnnl_convolution_direct, &d, NULL));
        status = make_pass(p, pass, direct ? dnnl_convolution_direct : dnnl_convolution_auto, &d, forward.desc);
        DO(dnnl_primitive_desc_destroy(forward.desc));
    }
    if (status != dnnl_success) {
        peer_destroy(p);
        return NULL;
    }
    DO(dnnl_primitive_create(&p->primitive, p->desc));
    add_arguments(p, pass);
    return p;
}

void peer_run(struct peer *p) {
    DO(dnnl_primitive_execute(p->primitive, p->stream, p->count, p->args));
    DO(dnnl_stream_wait(p->stream));
}

const char *peer_algorithm(const struct peer *p) {
    const char *name = "?";
    dnnl_primitive_desc_query(p->desc, dnnl_query_impl_info_str, 0, (void *)&name);
    return name;
}

void peer_destroy(struct peer *p) {
    if (p == NULL) return;
    for (int i = 0; i < p->count; i++) dnnl_memory_destroy(p->args[i].memory);
    if (p->primitive) dnnl_primitive_destroy(p->primitive);
    if (p->desc) dnnl_primitive_desc_destroy(p->desc);
    if (p->stream) dnnl_stream_destroy(p->stream);
    if (p->engine) dnnl_engine_destroy(p->engine);
    free(p);
}
#else
const char *peer_name(void) {
    return NULL;
}
struct peer *peer_create(const struct cvy_conv *g, enum pass pass, bool direct) {
    (void)g, (void)pass, (void)direct;
    return NULL;
}
void peer_run(struct peer *peer) {
    (void)peer;
}
const char *peer_algorithm(const struct peer *peer) {
    (void)peer;
    return "";
}
void peer_destroy(struct peer *peer) {
    (void)peer;
}
#endif
