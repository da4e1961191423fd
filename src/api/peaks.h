/* What the machine gives at most, measured beside the work that is held against it: clocks drift and other processes
 * come and go, so short probes are spread over a benchmark and the best of each counts. */
#ifndef CVY_API_PEAKS_H
#define CVY_API_PEAKS_H

#include "kernels/compute.h"

struct cvy_peaks {
    const struct cvy_compute *compute;
    double bf16_all; /* GFLOP/s of all threads, where the processor has instructions or tiles for bf16; else 0 */
    double fma_one, fma_all;    /* GFLOP/s in fp32, of one thread and of all together: products of data in cache */
    double read_gbs, triad_gbs; /* all threads: reading memory; a = b + s·c, its three streams counted */
    float *operands;            /* of the products */
    float *memory;              /* of the streams */
    double *sums;               /* [CVY_PEAK_TASKS · 8] so that nothing is optimised away */
};
#define CVY_PEAK_TASKS 64

/* Takes 192 MiB. Not collective. */
cvy_status cvy_peaks_create(const struct cvy_compute *compute, struct cvy_peaks *out);
void cvy_peaks_destroy(struct cvy_peaks *peaks);
/* One probe of each, some 20 ms in all; the members above are the best so far. */
void cvy_peaks_probe(struct cvy_peaks *peaks);

#endif
