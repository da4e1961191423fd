#include "core/machine.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define GROUP_PATH 4096

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

/* Control groups (of Slurm, of a container) come in two versions, and a machine may have both. A line of
 * /proc/self/cgroup, NUMBER:CONTROLLERS:GROUP, names the group in its version; its folder stands under `mount`. */
struct version {
    bool (*is_line)(const char *controllers);
    const char *mount, *limit, *used, *cached;
};

static bool is_second(const char *controllers) {
    return controllers[0] == '\0';
}

static bool has_memory(const char *controllers) {
    const size_t length = strlen("memory");
    for (const char *p = controllers; (p = strstr(p, "memory")); p += length)
        if ((p == controllers || p[-1] == ',') && (p[length] == ',' || p[length] == '\0')) return true;
    return false;
}

static const struct version versions[] = {
    {is_second, "/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file %lld"},
    {has_memory, "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file %lld"},
};

/* The number in a file of a group's folder. */
static int64_t group_number(const char *folder, const char *file, const char *format) {
    char path[GROUP_PATH + 64];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return read_number(path, format);
}

/* What one group leaves, INT64_MAX when it has no limit. Pages of files that nobody has open are given back. */
static int64_t group_leaves(const struct version *version, const char *folder) {
    const int64_t limit = group_number(folder, version->limit, "%lld");
    const int64_t used =
        group_number(folder, version->used, "%lld") - group_number(folder, "memory.stat", version->cached);
    return limit <= 0 ? INT64_MAX : limit > used ? limit - used : 1;
}

/* The least of a group and those above it, up to the mount. A container may see names that are not there: skipped. */
static int64_t nested_leave(const struct version *version, const char *root, const char *group) {
    char folder[GROUP_PATH];
    int64_t least = INT64_MAX;
    const size_t top = (size_t)snprintf(folder, sizeof folder, "%s%s", root, version->mount);
    if (top >= sizeof folder) return least;
    snprintf(folder + top, sizeof folder - top, "%s", strcmp(group, "/") == 0 ? "" : group);
    for (; strlen(folder) >= top; *strrchr(folder, '/') = '\0') {
        const int64_t leaves = group_leaves(version, folder);
        if (leaves < least) least = leaves;
    }
    return least;
}

int64_t cvy_machine_group_bytes(const char *root) {
    char line[GROUP_PATH];
    int64_t least = INT64_MAX;
    snprintf(line, sizeof line, "%s/proc/self/cgroup", root);
    FILE *file = fopen(line, "r");
    while (file && fgets(line, sizeof line, file)) {
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL) continue;
        *controllers++ = *group++ = '\0';
        group[strcspn(group, "\n")] = '\0';
        for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
            if (!versions[i].is_line(controllers)) continue;
            const int64_t leaves = nested_leave(&versions[i], root, group);
            if (leaves < least) least = leaves;
        }
    }
    if (file) fclose(file);
    return least;
}

int64_t cvy_machine_free_bytes(void) {
    int64_t available = read_number("/proc/meminfo", "MemAvailable: %lld kB") * 1024;
    const int64_t group = cvy_machine_group_bytes("");
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
