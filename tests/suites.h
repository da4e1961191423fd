/* All suites, in the order in which they run: lower floors first. */
#define UNIT_SUITES(X) X(core)
#define MPI_SUITES(X)
#define E2E_SUITES(X)
