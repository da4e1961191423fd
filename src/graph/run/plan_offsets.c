/* Where buffers lie: those whose times do not meet share bytes (plan.h). */
#include <stdlib.h>

#include "core/memory.h"
#include "graph/run/plan_parts.h"

enum { SMALL_BYTES = 1 << 23 };

struct order {
    size_t bytes;
    int index;
};

static int larger_first(const void *a, const void *b) {
    const struct order *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->index - y->index;
}

static bool meet(const struct cvy_buffer *a, const struct cvy_buffer *b) {
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset at which `b` meets none of the placed ones; apart: and none of another size. */
static size_t lowest_place(const struct cvy_plan *plan, const struct order *placed, int count,
                           const struct cvy_buffer *b, bool apart) {
    size_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < count; i++) {
            const struct cvy_buffer *other = &plan->buffers[placed[i].index];
            bool overlap = at < other->offset + other->bytes && other->offset < at + b->bytes;
            if (overlap && (meet(b, other) || (apart && b->bytes != other->bytes))) {
                at = other->offset + other->bytes;
                moved = true;
            }
        }
    }
    return at;
}

/* In a small network memory is cheaper than its traffic between cores: of buffers of different sizes that share bytes,
 * half of what a thread writes was the other's before. */
static bool are_apart(const struct cvy_plan *plan) {
    size_t all = 0;
    for (int i = 0; i < plan->buffer_count; i++) all += plan->buffers[i].bytes;
    return all <= SMALL_BYTES;
}

cvy_status cvy_plan_offsets(struct cvy_plan *plan) {
    const bool apart = are_apart(plan);
    struct order *order;
    CVY_TRY(CVY_NEW(&order, plan->buffer_count, general));
    for (int i = 0; i < plan->buffer_count; i++) order[i] = (struct order){plan->buffers[i].bytes, i};
    qsort(order, (size_t)plan->buffer_count, sizeof *order, larger_first);
    for (int i = 0; i < plan->buffer_count; i++) {
        struct cvy_buffer *b = &plan->buffers[order[i].index];
        b->offset = lowest_place(plan, order, i, b, apart);
        if (b->offset + b->bytes > plan->leaf_bytes) plan->leaf_bytes = b->offset + b->bytes;
    }
    cvy_free(order);
    return CVY_OK;
}
