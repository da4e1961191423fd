/* Several hosts: how fast messages between ranks are, and what a training on them would be like. */
#ifndef CONVOY_PLAN_H
#define CONVOY_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "convoy/context.h"
#include "convoy/sized.h"
#include "convoy/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Messages between ranks of one host, or of two: each takes alpha and a time for its bytes. These two keep their size.
 */
enum { CVY_LINK_POINTS = 16 };
struct cvy_link_facts {
    int pairs;             /* of ranks that were measured; 0: there are none, and all is zero */
    double alpha_us, gb_s; /* the line through the points: µs a message, 10⁹ bytes a second; 0: no time was seen */
    double error;          /* of the line where it fits worst, as a share of the point */
    int point_count;
    struct {
        int64_t bytes;
        double us; /* one way: half a round trip, of the fastest tenth */
    } points[CVY_LINK_POINTS];
};
struct cvy_network_facts {
    size_t size; /* of this struct */
    int ranks, hosts;
    struct cvy_link_facts node, across; /* ranks of one host, of two */
};
CVY_SIZED(cvy_network_facts)
struct cvy_bench_network_options {
    size_t size;    /* of this struct */
    double seconds; /* how long to measure; 0: 3 */
};
CVY_SIZED(cvy_bench_network_options)
/* Measures messages between ranks of the context. CVY_ERR_USAGE where it has only one. Collective. */
CVY_API cvy_status cvy_bench_network(struct cvy_context *ctx, const struct cvy_bench_network_options *options,
                                     struct cvy_network_facts *out);

/* A training on so many hosts, by a model (an α-β network, measured computing). */
struct cvy_plan_row {
    int nodes, ranks;
    bool possible;                            /* else all below is 0, and */
    char problem[512];                        /* says why, and what would do */
    int leaves;                               /* of a step, that a rank has at most */
    double step_ms;                           /* of which: */
    double compute_ms, update_ms, exposed_ms; /* exposed: waiting for other ranks, and copying for them */
    double efficiency;                        /* of one node that does all of it, its step divided by the nodes */
    double samples_per_s, hours;              /* hours: of all epochs, without evaluations; 0: samples are not known */
    int64_t memory_bytes;                     /* of rank 0 */
    char reduction[16];                       /* how buckets are summed, "" on one rank */
    int buckets, messages;                    /* messages: that a rank sends for a bucket, at most */
    int64_t sent_bytes;                       /* that a rank sends in a step */
};
struct cvy_plan_facts {
    size_t size; /* of this struct */
    char name[128];
    int batch, leaf, leaves, ranks_per_node, threads; /* threads: of a rank, as computing was measured */
    int64_t params, samples, steps;                   /* of an epoch; 0: the data are not there */
    int64_t epochs;
    char compute[256], network[256];           /* where the times come from, for people */
    double forward_ms, backward_ms, update_ms; /* of a leaf, and of all weights */
    double alpha_us, gb_s;                     /* between hosts */
    int row_count;
    struct cvy_plan_row **rows; /* [row_count] pointers, as they were asked for */
    int most_nodes;             /* that have leaves for all ranks; 0: not even one */
    int pays_until;             /* the most nodes at which twice as many take at most two thirds of the time of half */
    char advice[512];           /* what to change, a sentence a line; "": nothing */
};
CVY_SIZED(cvy_plan_facts)
struct cvy_plan_options {
    size_t size;            /* of this struct */
    const char *experiment; /* file; its data need not be there */
    const char *const *set; /* "a.b=v", as in training */
    int set_count;
    const int *nodes; /* [node_count]; none: 1, 2, 4, … as far as there are leaves */
    int node_count;
    int ranks_per_node;  /* 0: 1 */
    const char *network; /* "100gbit", "10gbit", "measured" (between the ranks of the context), or a file with what
                            `bench --network --json` printed; NULL: "100gbit" */
    const char *bench;   /* a file with what `bench EXPERIMENT --json` printed; NULL: computing is measured now */
    double memory_gib;   /* of a node; 0: what is free here */
    int64_t samples;     /* of the training data, where they are not there; 0: not known */
};
CVY_SIZED(cvy_plan_options)
/* CVY_ERR_USAGE where none of the rows is possible: its problem is the message. Collective. */
CVY_API cvy_status cvy_plan(struct cvy_context *ctx, const struct cvy_plan_options *options,
                            struct cvy_plan_facts *out);
CVY_API void cvy_plan_facts_destroy(struct cvy_plan_facts *facts);

#ifdef __cplusplus
}
#endif

#endif
