#include "comm/imagined.h"

#include "comm/internal.h"
#include "core/memory.h"

cvy_status cvy_comm_imagine(int nodes, int each, struct cvy_comm **out) {
    const int ranks = nodes * each;
    CVY_TRY(CVY_NEW(out, 1, comm));
    struct cvy_comm *comm = *out;
    *comm = (struct cvy_comm){
        .mpi = MPI_COMM_NULL, .node = MPI_COMM_NULL, .size = ranks, .local_size = each, .network = cvy_network_usual};
    comm->places =
        (struct cvy_places){.network = &comm->network, .ranks = ranks, .nodes = nodes, .least = each, .in_rows = true};
    cvy_status status = CVY_NEW(&comm->places.firsts, nodes + 1, comm);
    if (status != CVY_OK) {
        CVY_DELETE(out);
        return status;
    }
    for (int n = 0; n <= nodes; n++) comm->places.firsts[n] = n * each;
    return CVY_OK;
}
