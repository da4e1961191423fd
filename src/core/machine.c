#include "core/machine.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* ---- Memory ---- */

/* The number in the first line of a file that scanf's format finds; 0 for none ("max"). */
static int64_t read_number(const char *path, const char *format) {
    char line[256];
    long long value = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL) return 0;
    while (fgets(line, sizeof line, file) && sscanf(line, format, &value) != 1) value = 0;
    fclose(file);
    return value;
}

/* What a control group (of Slurm, of a container) leaves, given its folder; INT64_MAX when it has no limit. */
static int64_t group_leaves(const char *folder) {
    char path[600];
    snprintf(path, sizeof path, "%s/memory.max", folder);
    int64_t limit = read_number(path, "%lld");
    snprintf(path, sizeof path, "%s/memory.current", folder);
    int64_t used = read_number(path, "%lld");
    return limit <= 0 ? INT64_MAX : limit > used ? limit - used : 1;
}

/* The least of our own control group and those above it. */
static int64_t groups_leave(void) {
    char line[256] = "", folder[512];
    FILE *file = fopen("/proc/self/cgroup", "r");
    if (file == NULL) return INT64_MAX;
    bool unified = fgets(line, sizeof line, file) && strncmp(line, "0::/", 4) == 0;
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    snprintf(folder, sizeof folder, "/sys/fs/cgroup%s", unified ? line + 3 : "");
    int64_t least = INT64_MAX;
    for (size_t root = strlen("/sys/fs/cgroup"); strlen(folder) >= root; *strrchr(folder, '/') = '\0') {
        int64_t leaves = group_leaves(folder);
        if (leaves < least) least = leaves;
    }
    return least;
}

int64_t cvy_machine_free_bytes(void) {
    int64_t available = read_number("/proc/meminfo", "MemAvailable: %lld kB") * 1024, group = groups_leave();
    return group < available ? group : available;
}

int64_t cvy_machine_resident_bytes(void) {
    return read_number("/proc/self/status", "VmRSS: %lld kB") * 1024;
}

double cvy_machine_peak_rss_mib(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}
