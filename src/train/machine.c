#include "train/machine.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "core/clock.h"
#include "core/memory.h"
#include "kernels/conv.h"

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

/* ---- Peaks ---- */

/* The best of a few rounds: a peak, not a mean. */
static double best_rate(void (*round)(void *), void *arg, double units) {
    double best = 0;
    for (double end = cvy_clock() + 0.15; cvy_clock() < end;) {
        double start = cvy_clock();
        round(arg);
        double rate = units / (cvy_clock() - start) * 1e-9;
        if (rate > best) best = rate;
    }
    return best;
}

struct fma {
    const struct cvy_compute *compute;
    struct cvy_conv g;
    float *x, *w, *y;
    void *ws;
};

static void fma_round(void *arg) {
    struct fma *f = arg;
    cvy_conv_forward(f->compute, &f->g, f->x, f->w, NULL, f->y, f->ws);
}

/* A 3×3 convolution of 64 channels on 14×14 pixels, all in cache: as near to the peak as the contraction gets. */
double cvy_machine_fma_gflops(const struct cvy_compute *compute) {
    struct fma f = {.compute = compute,
                    .g = {.n = 8 * compute->threads,
                          .in = {16, 16, 64},
                          .out = {14, 14, 64},
                          .r = 3,
                          .s = 3,
                          .stride_h = 1,
                          .stride_w = 1,
                          .dilation_h = 1,
                          .dilation_w = 1}};
    double rate = 0, macs = (double)f.g.n * 14 * 14 * 64 * 64 * 9;
    if (CVY_NEW(&f.x, f.g.n * 16 * 16 * 64, general) == CVY_OK && CVY_NEW(&f.w, 9 * 64 * 64, general) == CVY_OK &&
        CVY_NEW(&f.y, f.g.n * 14 * 14 * 64, general) == CVY_OK &&
        cvy_alloc(cvy_conv_workspace(&f.g, compute->threads), CVY_TAG_workspace, &f.ws) == CVY_OK)
        rate = best_rate(fma_round, &f, 2 * macs);
    cvy_free(f.x);
    cvy_free(f.w);
    cvy_free(f.y);
    cvy_free(f.ws);
    return rate;
}

struct reading {
    const struct cvy_compute *compute;
    const uint64_t *data;
    size_t words;  /* a task */
    uint64_t *sum; /* a task; so that nothing is optimised away */
};
enum { READ_TASKS = 64 };

static void read_task(void *arg, int task, int thread) {
    const struct reading *r = arg;
    (void)thread;
    const uint64_t *p = r->data + (size_t)task * r->words;
    uint64_t sum[8] = {0};
    for (size_t i = 0; i < r->words; i += 8)
        for (int k = 0; k < 8; k++) sum[k] += p[i + (size_t)k];
    for (int k = 1; k < 8; k++) sum[0] += sum[k];
    r->sum[task * 8] = sum[0];
}

static void read_round(void *arg) {
    struct reading *r = arg;
    cvy_parallel(r->compute->pool, READ_TASKS, read_task, r);
}

double cvy_machine_read_gbs(const struct cvy_compute *compute) {
    size_t bytes = (size_t)128 << 20;
    uint64_t *data, sum[READ_TASKS * 8] = {0};
    if (cvy_alloc(bytes, CVY_TAG_general, (void **)&data) != CVY_OK) return 0;
    memset(data, 1, bytes);
    struct reading r = {compute, data, bytes / sizeof *data / READ_TASKS, sum};
    double rate = best_rate(read_round, &r, (double)bytes);
    cvy_free(data);
    return rate;
}
