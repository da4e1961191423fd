/* The machine: what memory is left, what was taken. */
#ifndef CVY_TRAIN_MACHINE_H
#define CVY_TRAIN_MACHINE_H

#include <stdint.h>

/* Bytes that this process may still take: the system's available memory, or what a control group leaves. 0: unknown. */
int64_t cvy_machine_free_bytes(void);
double cvy_machine_peak_rss_mib(void);

#endif
