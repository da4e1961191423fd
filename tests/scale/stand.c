#define CVY_SCALE_STAND_ITSELF
#include "stand.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "core/memory.h"
#include "kernels/compute.h"

enum { LARGE = 1 << 20, CARRIED = 1 << 27 /* bytes: no message is larger */ };
enum { MOST_AREAS = 256 };
static const double HOST_FLOPS = 1e9; /* of the platforms of run.py */

bool stand_empty;
double stand_copied = 1 / 8e9, stand_pause = 5e-6;
int stand_sent[STAND_TAGS];

static struct {
    char *from;
    size_t bytes;
} areas[MOST_AREAS];
static int area_count;
static double waited; /* s: of the last pause of a wait */
static double owed;   /* s of copying that the clock does not know of yet */

void stand_work(double seconds) {
    owed += seconds;
    if (owed < 1e-7) return; /* not worth an event */
    smpi_execute_flops(owed * HOST_FLOPS);
    owed = 0;
}

static bool is_empty(const void *at) {
    for (int i = 0; i < area_count; i++)
        if ((const char *)at >= areas[i].from && (const char *)at < areas[i].from + areas[i].bytes) return true;
    return false;
}

void *stand_memcpy(void *to, const void *from, size_t bytes) {
    owed += (double)bytes * stand_copied;
    return stand_empty && (is_empty(to) || is_empty(from)) ? to : memmove(to, from, bytes);
}

void stand_add_to(const struct cvy_compute *compute, float *to, const float *from, int64_t count);
void stand_add_to(const struct cvy_compute *compute, float *to, const float *from, int64_t count) {
    (void)compute;
    owed += (double)count * sizeof *to * stand_copied;
    if (stand_empty && (is_empty(to) || is_empty(from))) return;
    for (int64_t i = 0; i < count; i++) to[i] += from[i];
}

/* What messages carry that have no content: SimGrid does not copy what it knows to be shared. All simulated ranks are
 * in one process, whose environment they have in common. */
static void *carried(void) {
    char text[32];
    const char *known = getenv("CONVOY_SCALE_BLOCK");
    if (known) return (void *)strtoul(known, NULL, 16);
    void *block = smpi_shared_malloc(CARRIED, __FILE__, __LINE__);
    snprintf(text, sizeof text, "%lx", (unsigned long)block);
    setenv("CONVOY_SCALE_BLOCK", text, 1);
    return block;
}

int stand_isend(const void *from, int count, MPI_Datatype type, int peer, int tag, MPI_Comm comm,
                MPI_Request *request) {
    stand_work(0);
    if (tag < STAND_TAGS) stand_sent[tag]++;
    waited = 0; /* something had come */
    return MPI_Isend(is_empty(from) ? carried() : from, count, type, peer, tag, comm, request);
}

int stand_irecv(void *to, int count, MPI_Datatype type, int peer, int tag, MPI_Comm comm, MPI_Request *request) {
    return MPI_Irecv(is_empty(to) ? carried() : to, count, type, peer, tag, comm, request);
}

/* One who waits for long polls less often, or simulating it would take all day: at most a tenth too late. */
int stand_yield(void) {
    stand_work(0);
    waited = waited > 0 ? 1.1 * waited : stand_pause;
    smpi_usleep((useconds_t)(1e6 * waited));
    return 0;
}

cvy_status stand_alloc(size_t bytes, enum cvy_tag tag, void **out);
void stand_free(void *block);
double stand_clock(void);

double stand_clock(void) {
    return MPI_Wtime();
}

/* Of a bucket's scratch the head is written: pointers to pieces. */
cvy_status stand_alloc(size_t bytes, enum cvy_tag tag, void **out) {
    if (!stand_empty || bytes < LARGE || area_count == MOST_AREAS) return cvy_alloc(bytes, tag, out);
    *out = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (*out == MAP_FAILED) return CVY_ERR_INTERNAL;
    areas[area_count].from = *out;
    areas[area_count++].bytes = bytes;
    return CVY_OK;
}

void stand_free(void *block) {
    if (!is_empty(block)) cvy_free(block); /* the rest ends with the simulation */
}
