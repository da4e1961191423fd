#define _GNU_SOURCE
#include "train/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/memory.h"
#include "core/sized.h"
#include "core/text.h"
#include "io/file.h"

bool cvy_launcher_rank_is_zero(void) {
    return cvy_launcher_rank() == 0;
}

/* OMP_NUM_THREADS, else the cpuset shared by the ranks of this node. */
static int default_threads(const struct cvy_comm *comm) {
    const char *text = getenv("OMP_NUM_THREADS");
    int threads = text ? atoi(text) : 0;
    if (threads < 1) threads = cvy_processors() / cvy_comm_local_size(comm);
    return threads < 1 ? 1 : threads;
}

static cvy_status open_rank_log(struct cvy_context *ctx, const char *folder) {
    char path[4096];
    if (folder == NULL) return CVY_OK;
    CVY_TRY(cvy_folder_make(folder));
    snprintf(path, sizeof path, "%s/rank-%04d.log", folder, cvy_comm_rank(ctx->comm));
    return cvy_log_open_file(ctx->log, CVY_LOG_OF_RANK, path);
}

/* The lowest level of all ranks, capped by CONVOY_ISA on any of them. Collective. */
static cvy_status agree_on_isa(struct cvy_context *ctx, enum cvy_isa *isa) {
    enum cvy_isa cap;
    CVY_TRY(cvy_comm_agree(ctx->comm, cvy_isa_cap(&cap)));
    int level = (int)cvy_isa_detect(), granted = cap < CVY_ISA_AMX || !cvy_isa_amx_refused();
    CVY_TRY(cvy_comm_min_int(ctx->comm, &level));
    CVY_TRY(cvy_comm_min_int(ctx->comm, &granted));
    if (!granted)
        cvy_info(ctx->log, "AMX is there, but the operating system refuses it to us: bf16 works at %s instead",
                 cvy_isa_name((enum cvy_isa)level));
    *isa = (enum cvy_isa)level;
    return CVY_OK;
}

static cvy_status create_parts(struct cvy_context *ctx, const struct cvy_context_options *options) {
    enum cvy_isa isa;
    CVY_TRY(cvy_comm_create(options->comm, &ctx->comm));
    if (options->silence > 0) cvy_comm_set_silence(ctx->comm, options->silence);
    cvy_status status =
        cvy_log_create(options->log_level, cvy_comm_rank(ctx->comm) == 0,
                       (struct cvy_log_ears){options->on_log, options->on_progress, options->user}, &ctx->log);
    if (status == CVY_OK) status = open_rank_log(ctx, options->log_folder);
    CVY_TRY(cvy_comm_agree(ctx->comm, status));
    CVY_TRY(agree_on_isa(ctx, &isa));
    int threads = options->threads > 0 ? options->threads : default_threads(ctx->comm);
    CVY_TRY(cvy_comm_agree(ctx->comm, cvy_compute_create(threads, isa, &ctx->compute)));
    cvy_debug(ctx->log, "%d %s, %d %s each, ISA level %s", cvy_comm_size(ctx->comm),
              cvy_plural(cvy_comm_size(ctx->comm), "rank", "ranks"), threads, cvy_plural(threads, "thread", "threads"),
              cvy_isa_name(isa));
    return CVY_OK;
}

cvy_status cvy_context_create(const struct cvy_context_options *options, struct cvy_context **out) {
    CVY_INSIDE();
    struct cvy_context_options how;
    *out = NULL;
    CVY_TRY(CVY_READ(cvy_context_options, options, &how));
    CVY_TRY(CVY_NEW(out, 1, general));
    cvy_status status = create_parts(*out, &how);
    if (status != CVY_OK) cvy_context_destroy(out);
    return status;
}

void cvy_context_destroy(struct cvy_context **out) {
    CVY_INSIDE();
    struct cvy_context *ctx = *out;
    if (ctx == NULL) return;
    cvy_compute_destroy(&ctx->compute);
    if (ctx->comm && !cvy_comm_broken(ctx->comm)) cvy_comm_barrier(ctx->comm);
    cvy_log_destroy(&ctx->log);
    cvy_comm_destroy(&ctx->comm);
    CVY_DELETE(out);
}

void cvy_context_enter(const struct cvy_context *ctx, struct cvy_visit *visit) {
    cvy_enter(&visit->outside);
    visit->compute = ctx->compute;
    cvy_compute_enter(visit->compute);
}

void cvy_context_leave(struct cvy_visit *visit) {
    cvy_compute_leave(visit->compute);
    cvy_leave(&visit->outside);
}

int cvy_context_rank(const struct cvy_context *ctx) {
    return cvy_comm_rank(ctx->comm);
}
int cvy_context_ranks(const struct cvy_context *ctx) {
    return cvy_comm_size(ctx->comm);
}
int cvy_context_threads(const struct cvy_context *ctx) {
    return ctx->compute->threads;
}
const char *cvy_context_isa(const struct cvy_context *ctx) {
    return cvy_isa_name(ctx->compute->level);
}

bool cvy_context_broken(const struct cvy_context *ctx) {
    return ctx->broken || cvy_comm_broken(ctx->comm);
}

void cvy_context_abort(struct cvy_context *ctx, cvy_status status) {
    cvy_comm_abort(ctx->comm, (int)status);
}

cvy_status cvy_context_alone(struct cvy_context *ctx, cvy_status status) {
    if (status == CVY_OK || cvy_comm_size(ctx->comm) == 1) return status;
    int rank = cvy_comm_rank(ctx->comm);
    usleep((useconds_t)(rank < 16 ? rank : 16) * 300000u);
    /* The end that a lower rank has asked for comes as SIGTERM, which also wakes us: then it has spoken. */
    for (int i = 0; rank > 0 && atomic_load(&ctx->stop) && i < 8; i++) sleep(1);
    ctx->broken = true;
    return status;
}

bool cvy_context_stop_asked(void *ctx) {
    return atomic_load(&((struct cvy_context *)ctx)->stop) != 0;
}

cvy_status cvy_context_heeded(struct cvy_context *ctx, cvy_status status) {
    if (status == CVY_STOPPED) atomic_store(&ctx->stop, 0);
    return status;
}

void cvy_request_stop(struct cvy_context *ctx) {
    atomic_fetch_add(&ctx->stop, 1);
}
