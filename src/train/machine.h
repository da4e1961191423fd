/* The machine: what memory is left, what it can do at most. */
#ifndef CVY_TRAIN_MACHINE_H
#define CVY_TRAIN_MACHINE_H

#include <stdint.h>

#include "kernels/compute.h"

/* Bytes that this process may still take: the system's available memory, or what a control group leaves. 0: unknown. */
int64_t cvy_machine_free_bytes(void);
double cvy_machine_peak_rss_mib(void);
/* What is in memory now: at the start of a command, the program, its libraries and MPI. 0: unknown. */
int64_t cvy_machine_resident_bytes(void);

/* Peaks over all threads of `compute`: multiply-adds (2 FLOP each) of the contraction kernels on data in cache, and
 * reading memory. */
double cvy_machine_fma_gflops(const struct cvy_compute *compute);
double cvy_machine_read_gbs(const struct cvy_compute *compute);

#endif
