#include "train/alike.h"

#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "core/text.h"

/* What one rank has; all of its bytes are set, since they are compared. */
struct reading {
    int64_t count, shape[3], x_type, target[3], target_type, classes;
    uint64_t targets, inputs, digest;
};

static struct reading reading_of(const struct cvy_dataset_info *info, const struct cvy_probe *probe) {
    const struct cvy_shape x = info->shape, y = info->target.shape;
    return (struct reading){.count = info->count,
                            .shape = {x.h, x.w, x.c},
                            .x_type = info->x_type,
                            .target = {y.h, y.w, y.c},
                            .target_type = info->target.type,
                            .classes = info->classes,
                            .targets = probe->targets,
                            .inputs = probe->inputs,
                            .digest = info->digest};
}

/* ---- What differs, in words ---- */

static void say_count(const struct reading *r, char out[64]) {
    snprintf(out, 64, "%lld %s", (long long)r->count, cvy_plural((double)r->count, "sample", "samples"));
}
static void say_shape(const struct reading *r, char out[64]) {
    snprintf(out, 64, "samples of %lld×%lld×%lld", (long long)r->shape[0], (long long)r->shape[1],
             (long long)r->shape[2]);
}
static void say_type(const struct reading *r, char out[64]) {
    snprintf(out, 64, "%s as inputs", r->x_type == CVY_U8 ? "bytes" : "numbers");
}
static void say_target(const struct reading *r, char out[64]) {
    snprintf(out, 64, "targets of %lld×%lld×%lld", (long long)r->target[0], (long long)r->target[1],
             (long long)r->target[2]);
}
static void say_target_type(const struct reading *r, char out[64]) {
    snprintf(out, 64, "%s as targets", r->target_type == CVY_I32 ? "classes" : "values");
}
static void say_classes(const struct reading *r, char out[64]) {
    snprintf(out, 64, "%lld %s", (long long)r->classes, cvy_plural((double)r->classes, "class", "classes"));
}
static void say_targets(const struct reading *r, char out[64]) {
    snprintf(out, 64, "targets with checksum %016llx", (unsigned long long)r->targets);
}
static void say_inputs(const struct reading *r, char out[64]) {
    snprintf(out, 64, "inputs with checksum %016llx", (unsigned long long)r->inputs);
}
static void say_digest(const struct reading *r, char out[64]) {
    snprintf(out, 64, "contents with digest %016llx", (unsigned long long)r->digest);
}

#define MEMBER(name) offsetof(struct reading, name), sizeof((struct reading *)0)->name
static const struct {
    size_t at, size;
    void (*say)(const struct reading *r, char out[64]);
} members[] = {
    {MEMBER(count), say_count},
    {MEMBER(shape), say_shape},
    {MEMBER(x_type), say_type},
    {MEMBER(target), say_target},
    {MEMBER(target_type), say_target_type},
    {MEMBER(classes), say_classes},
    {MEMBER(targets), say_targets},
    {MEMBER(inputs), say_inputs},
    {MEMBER(digest), say_digest},
};

static cvy_status compare(struct cvy_comm *comm, const struct reading *all, int rank, const char *name) {
    const struct reading *first = &all[0], *other = &all[rank];
    char here[64], there[64];
    for (size_t m = 0; m < sizeof members / sizeof *members; m++) {
        if (memcmp((const char *)first + members[m].at, (const char *)other + members[m].at, members[m].size) == 0)
            continue;
        members[m].say(first, here);
        members[m].say(other, there);
        return CVY_FAIL(CVY_ERR_DATA,
                        "rank %d on %s: %s has %s there, and %s on rank 0 (%s): all ranks must read the same; give "
                        "every host the same copy, or a folder that they share",
                        rank, cvy_comm_host(comm, rank), name, there, here, cvy_comm_host(comm, 0));
    }
    return CVY_OK;
}

cvy_status cvy_alike_source(struct cvy_comm *comm, const struct cvy_source *source, const struct cvy_probe *probe,
                            const char *name) {
    const struct reading mine = reading_of(&source->info, probe);
    const int ranks = cvy_comm_size(comm);
    struct reading *all;
    CVY_TRY(cvy_comm_agree(comm, CVY_NEW(&all, ranks, general)));
    cvy_status status = cvy_comm_allgather(comm, &mine, sizeof mine, all);
    for (int rank = 1; rank < ranks && status == CVY_OK; rank++) status = compare(comm, all, rank, name);
    cvy_free(all);
    return status;
}

cvy_status cvy_alike_number(struct cvy_comm *comm, uint64_t number, const char *what, cvy_status code) {
    const int ranks = cvy_comm_size(comm);
    uint64_t *all;
    CVY_TRY(cvy_comm_agree(comm, CVY_NEW(&all, ranks, general)));
    cvy_status status = cvy_comm_allgather(comm, &number, sizeof number, all);
    for (int rank = 1; rank < ranks && status == CVY_OK; rank++)
        if (all[rank] != all[0])
            status = CVY_FAIL(code,
                              "rank %d on %s: %s is not that of rank 0 (%s): all ranks must read the same; give every "
                              "host the same copy, or a folder that they share",
                              rank, cvy_comm_host(comm, rank), what, cvy_comm_host(comm, 0));
    cvy_free(all);
    return status;
}
