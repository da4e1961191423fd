/* cvy_bench_network: messages between the ranks that are there. */
#include "comm/network.h"
#include "convoy/plan.h"
#include "core/sized.h"
#include "train/context.h"

_Static_assert((int)CVY_NETWORK_SIZES <= (int)CVY_LINK_POINTS, "a result has room for all points");

static void fill(const struct cvy_link_points *points, struct cvy_link_facts *out) {
    if (points->pairs == 0) return;
    out->pairs = points->pairs;
    out->alpha_us = 1e6 * points->fit.message;
    out->gb_s = points->fit.byte > 0 ? 1e-9 / points->fit.byte : 0;
    out->error = points->error;
    for (int i = 0; i < CVY_NETWORK_SIZES; i++) {
        out->points[i].bytes = (int64_t)points->bytes[i];
        out->points[i].us = 1e6 * points->seconds[i];
    }
    out->point_count = CVY_NETWORK_SIZES;
}

cvy_status cvy_bench_network(struct cvy_context *ctx, const struct cvy_bench_network_options *options,
                             struct cvy_network_facts *out) {
    CVY_ENTER(ctx);
    struct cvy_bench_network_options how = {.size = 0};
    struct cvy_network_facts own;
    struct cvy_network_points points;
    cvy_status status = CVY_BEGIN(cvy_network_facts, out, &own);
    if (status == CVY_OK) status = CVY_READ(cvy_bench_network_options, options, &how);
    CVY_TRY(cvy_comm_agree(ctx->comm, status));
    CVY_TRY(cvy_network_measure(ctx->comm, how.seconds > 0 ? how.seconds : 3, &points));
    own.ranks = cvy_comm_size(ctx->comm);
    own.hosts = cvy_comm_hosts(ctx->comm);
    fill(&points.inside, &own.node);
    fill(&points.outside, &own.across);
    return cvy_sized_give(CVY_OK, &own, out);
}
