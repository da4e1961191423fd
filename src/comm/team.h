/* Who sums with whom.
 *
 *     hosts:   ranks 0 1 2 │ ranks 3 4 5 │ ranks 6 7      firsts = 0, 3, 6, 8; least = 2
 *     teams:   all ranks; or of each host the rank number `lead`: 0 3 6, and 1 4 7
 *
 * Member i of a team stands for neighbouring ranks (itself, or all of its host), and so for neighbouring leaves: it
 * brings the largest whole subtrees that these consist of. */
#ifndef CVY_COMM_TEAM_H
#define CVY_COMM_TEAM_H

#include "comm/places.h"
#include "comm/tree.h"

struct cvy_team {
    const struct cvy_places *places;
    int leaves; /* of the step */
    int size, me;
    int lead;    /* < 0: member i is rank i; else the rank of host i of this number */
    bool window; /* ranks of a host see each other's gradients */
};

/* Of all ranks, as rank `me`. */
struct cvy_team cvy_team_all(const struct cvy_places *places, int me, int leaves, bool window);
/* Of one rank a host, with that of `me` in it; `me` must be among the first `places->least` of its host. */
struct cvy_team cvy_team_across(const struct cvy_team *all);
int cvy_team_rank(const struct cvy_team *team, int member);
/* The largest whole subtrees that members [first, end) hold together; returns how many. */
int cvy_team_subtrees(const struct cvy_team *team, int first, int end, struct cvy_leaf_range subtrees[CVY_TREE_DEPTH]);

/* Slice `index` of `parts` of `count` floats: whole cache lines but for the last; the first is the largest. */
void cvy_slice(size_t count, int parts, int index, size_t *first, size_t *length);

#endif
