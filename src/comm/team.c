#include "comm/team.h"

#include "core/ints.h"

#define LINE 16 /* floats of a cache line */

struct cvy_team cvy_team_all(const struct cvy_places *places, int me, int leaves, bool window) {
    return (struct cvy_team){
        .places = places, .leaves = leaves, .size = places->ranks, .me = me, .lead = -1, .window = window};
}

struct cvy_team cvy_team_across(const struct cvy_team *all) {
    const struct cvy_places *places = all->places;
    const int node = cvy_places_node(places, all->me);
    return (struct cvy_team){.places = places,
                             .leaves = all->leaves,
                             .size = places->nodes,
                             .me = node,
                             .lead = all->me - places->firsts[node]};
}

int cvy_team_rank(const struct cvy_team *team, int member) {
    return team->lead < 0 ? member : team->places->firsts[member] + team->lead;
}

/* Where the leaves of a member begin; of all behind the last. */
static int first_leaf(const struct cvy_team *team, int member) {
    const int rank = team->lead < 0 ? member : team->places->firsts[member], ranks = team->places->ranks;
    return rank == ranks ? team->leaves : cvy_tree_share(team->leaves, rank, ranks).first;
}

int cvy_team_subtrees(const struct cvy_team *team, int first, int end, struct cvy_leaf_range subtrees[CVY_TREE_DEPTH]) {
    return cvy_tree_subtrees(team->leaves, (struct cvy_leaf_range){first_leaf(team, first), first_leaf(team, end)},
                             subtrees);
}

void cvy_slice(size_t count, int parts, int index, size_t *first, size_t *length) {
    const size_t lines = cvy_ceil_div(count, LINE), most = cvy_ceil_div(lines, (size_t)parts) * LINE;
    *first = (size_t)index * most < count ? (size_t)index * most : count;
    *length = count - *first < most ? count - *first : most;
}
