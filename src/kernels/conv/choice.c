/* How a pass finds its algorithm. */
#include "kernels/conv/parts.h"
#include "kernels/trace.h"

bool cvy_always(const struct cvy_conv *g) {
    (void)g;
    return true;
}

size_t cvy_no_floats(const struct cvy_conv *g, int threads) {
    (void)g, (void)threads;
    return 0;
}

const struct cvy_algorithm *cvy_algorithm_choose(const struct cvy_algorithm *list, const struct cvy_conv *shape,
                                                 bool winograd) {
    while (!list->applicable(shape) || (list->winograd && !winograd)) list++;
    return list;
}

void cvy_algorithm_run(const struct cvy_algorithm *algorithm, const struct cvy_pass_call *call) {
    cvy_trace_algorithm(call->compute, algorithm->name);
    algorithm->run(call);
}

size_t cvy_algorithms_floats(const struct cvy_algorithm *list, const struct cvy_conv *g, int threads) {
    const size_t with = cvy_algorithm_choose(list, g, !g->direct)->floats(g, threads);
    const size_t without = cvy_algorithm_choose(list, g, false)->floats(g, threads);
    return with > without ? with : without;
}
