/* All suites, in the order in which they run: lower floors first. */
#define UNIT_SUITES(X) X(core) X(kernels) X(kernels_loops) X(tree)
#define MPI_SUITES(X)  X(comm) X(exchange)
#define E2E_SUITES(X)  X(launch)
