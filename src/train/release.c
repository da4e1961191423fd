#include "train/release.h"

#include "core/memory.h"

size_t cvy_release_bytes(const struct cvy_graph *graph) {
    return cvy_graph_part_floats(graph) * sizeof(float);
}

cvy_status cvy_release_create(const struct cvy_graph *graph, struct cvy_release *out) {
    *out = (struct cvy_release){.count = 0};
    return cvy_alloc(cvy_release_bytes(graph), CVY_TAG_gradients, (void **)&out->arena);
}

void cvy_release_destroy(struct cvy_release *release) {
    CVY_DELETE(&release->arena);
}

float *cvy_release_place(struct cvy_release *release, size_t first, size_t count) {
    CVY_ASSERT(release->count < CVY_MOST_SPANS);
    float *at = release->arena + release->used;
    release->held[release->count].first = first;
    release->held[release->count].count = count;
    release->held[release->count++].at = at;
    release->used += count;
    return at;
}

float *cvy_release_take(struct cvy_release *release, size_t first) {
    int i = 0;
    while (release->held[i].first != first) i++;
    float *at = release->held[i].at;
    release->held[i] = release->held[--release->count];
    if (release->count == 0) release->used = 0;
    return at;
}
