/* The machine: what memory is left, what was taken. */
#ifndef CVY_CORE_MACHINE_H
#define CVY_CORE_MACHINE_H

#include <stdint.h>

/* Bytes that this process may still take: the system's available memory, or what a control group leaves. 0: unknown. */
int64_t cvy_machine_free_bytes(void);
/* What our control groups of both versions, and those above them, leave; INT64_MAX: no limit. `root` stands before
 * every path: "", or a folder in which a test has made such files. */
int64_t cvy_machine_group_bytes(const char *root);
double cvy_machine_peak_rss_mib(void);
/* What is in memory now: at the start of a command, the program, its libraries and MPI. 0: unknown. */
int64_t cvy_machine_resident_bytes(void);

#endif
