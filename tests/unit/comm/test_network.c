/* The α-β model: what sums cost by it, and the line through measured points. */
#include <math.h>

#include "comm/cuts.h"
#include "comm/exchange_internal.h"
#include "comm/network.h"
#include "test.h"

static void points_of(struct cvy_link link, struct cvy_link_points *out) {
    *out = (struct cvy_link_points){.pairs = 1};
    size_t bytes = 4;
    for (int i = 0; i < CVY_NETWORK_SIZES; i++, bytes *= 4) {
        out->bytes[i] = bytes;
        out->seconds[i] = link.message + link.byte * (double)bytes;
    }
}

static void line_is_found(void) {
    struct cvy_link_points p;
    points_of((struct cvy_link){2e-6, 1 / 12.5e9}, &p);
    cvy_link_fit(&p);
    CU_ASSERT_DOUBLE_EQUAL(p.fit.message, 2e-6, 1e-14);
    CU_ASSERT_DOUBLE_EQUAL(1 / p.fit.byte, 12.5e9, 1e3);
    CU_ASSERT(p.error < 1e-9);
    /* One point twice as slow: neither the small messages nor the large ones lose their line to it. */
    p.seconds[5] *= 2;
    cvy_link_fit(&p);
    CU_ASSERT_DOUBLE_EQUAL(p.fit.message, 2e-6, 0.2e-6);
    CU_ASSERT_DOUBLE_EQUAL(1 / p.fit.byte, 12.5e9, 1e9);
    CU_ASSERT(p.error > 0.4 && p.error < 0.5);
}

/* Large messages that are faster than small ones have no β, and none is below zero. */
static void line_does_not_fall(void) {
    struct cvy_link_points p;
    points_of((struct cvy_link){1e-6, 0}, &p);
    for (int i = 0; i < CVY_NETWORK_SIZES; i++) p.seconds[i] /= 1 + i;
    cvy_link_fit(&p);
    CU_ASSERT(p.fit.message > 0);
    CU_ASSERT_EQUAL(p.fit.byte, 0);
    points_of((struct cvy_link){0, 1e-9}, &p);
    p.seconds[0] /= 3;
    cvy_link_fit(&p);
    CU_ASSERT_EQUAL(p.fit.message, 0);
    CU_ASSERT(p.fit.byte > 0);
}

/* 4 hosts of a rank each, 8 MiB: halving sends 4 messages and 12 MiB, direct 6 and as much; both by hand. */
static void sums_cost_what_their_bills_say(void) {
    const struct cvy_network network = {.inside = {1, 1}, .outside = {1e-5, 1e-9}, .copied = 0};
    int firsts[] = {0, 1, 2, 3, 4};
    const struct cvy_places places = {
        .network = &cvy_network_usual, .ranks = 4, .nodes = 4, .firsts = firsts, .least = 1};
    const struct cvy_team team = cvy_team_all(&places, 3, 4, false);
    const double bytes = 1e-9 * (12 << 20);
    CU_ASSERT_DOUBLE_EQUAL(cvy_network_cost(&network, &cvy_reduction_halving, &team, 1 << 21), 4e-5 + bytes, 1e-12);
    CU_ASSERT_DOUBLE_EQUAL(cvy_network_cost(&network, &cvy_reduction_direct, &team, 1 << 21), 6e-5 + bytes, 1e-12);
}

/* Where a message is dear, few are sent and buckets are few; where it is cheap, bytes decide. */
static void choices_follow_the_network(void) {
    int firsts[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    const struct cvy_network dear = {{1e-3, 1e-12}, {1e-3, 1e-12}, 1e-12}, cheap = {{1e-9, 1e-9}, {1e-9, 1e-9}, 1e-9};
    struct cvy_places places = {
        .network = &dear, .ranks = 8, .nodes = 8, .firsts = firsts, .least = 1, .in_rows = true};
    const struct cvy_team team = cvy_team_all(&places, 0, 8, false);
    CU_ASSERT_PTR_EQUAL(cvy_reduction_choose(&team, 1 << 20), &cvy_reduction_halving);
    places.network = &cheap;
    CU_ASSERT_PTR_EQUAL(cvy_reduction_choose(&team, 1 << 20), &cvy_reduction_direct);
    struct cvy_comm comm = {.size = 8, .places = places};
    const struct cvy_stretch_end ends[] = {{3 << 18, 1e-3}, {2 << 18, 2e-3}, {1 << 18, 3e-3}, {0, 4e-3}};
    size_t cuts[4];
    CU_ASSERT(cvy_cuts_choose(&comm, 4 << 18, ends, 4, cuts) > 1);
    comm.places.network = &dear;
    CU_ASSERT_EQUAL(cvy_cuts_choose(&comm, 4 << 18, ends, 4, cuts), 1);
}

static const struct test_case cases[] = {
    {"reductions and buckets follow the network", choices_follow_the_network},
    {"the line through exact points is theirs", line_is_found},
    {"neither a message nor a byte costs less than nothing", line_does_not_fall},
    {"sums cost what their bills say", sums_cost_what_their_bills_say},
    {0},
};
const struct test_suite suite_network = {"network", cases, NULL};
