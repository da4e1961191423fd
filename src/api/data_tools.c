#include "api/data_tools.h"

#include <string.h>

#include "api/pictures.h"
#include "core/sized.h"
#include "train/contract.h"
#include "train/suitable.h"

static bool stop_asked(void *worker) {
    return cvy_context_stop_asked(((struct cvy_data_worker *)worker)->ctx);
}

static void tell(void *worker, int64_t done, int64_t total) {
    cvy_log_samples(&((struct cvy_data_worker *)worker)->told, done, total);
}

struct cvy_work cvy_data_work(struct cvy_context *ctx, const char *doing, struct cvy_data_worker *worker) {
    *worker = (struct cvy_data_worker){ctx, {ctx->log, doing, 0}};
    return (struct cvy_work){stop_asked, tell, worker};
}

void cvy_data_forget(struct cvy_data_like *like) {
    cvy_experiment_destroy(&like->experiment);
    cvy_ckpt_close(&like->ckpt);
}

static cvy_status read_like(const char *from, struct cvy_data_like *out) {
    char path[CVY_PATH_MAX];
    const char *dot = strrchr(from, '.');
    const bool text = dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
    if (text) return cvy_experiment_load(from, NULL, 0, &out->experiment);
    CVY_TRY(cvy_checkpoint_find(from, NULL, path));
    CVY_TRY(cvy_ckpt_open(path, &out->ckpt));
    return cvy_checkpoint_experiment(out->ckpt, path, &out->experiment);
}

cvy_status cvy_data_place(const char *path, const struct cvy_data_form *form, struct cvy_data_like *like,
                          struct cvy_dataset_spec *out) {
    struct cvy_data_form how;
    *like = (struct cvy_data_like){NULL, NULL};
    *out = (struct cvy_dataset_spec){0};
    CVY_TRY(CVY_READ(cvy_data_form, form, &how));
    if (how.like) CVY_TRY(read_like(how.like, like));
    CVY_TRY(cvy_contract_place(like->experiment, path, &how, out));
    out->may_lack_y = how.y == NULL;
    return CVY_OK;
}

/* The names of the run's classes; NULL: it has none. */
static const struct cvy_ckpt_attribute *names_of(const struct cvy_data_like *like) {
    const struct cvy_ckpt_attribute *names = like->ckpt ? cvy_ckpt_attribute(like->ckpt, "classes") : NULL;
    return names && names->texts ? names : NULL;
}

/* What the network would make of it, as eval would say; *by_number: where classes have names on one side alone. Maps
 * are as large as the samples: of those of another size than the network's nothing is said. */
static cvy_status compare_set(const struct cvy_data_like *like, struct cvy_graph *graph,
                              const struct cvy_dataset_info *info, const char *file, char by_number[CVY_BY_NUMBER]) {
    const struct cvy_ckpt_attribute *names = names_of(like);
    CVY_TRY(cvy_datasets_check_channels(graph, info, file));
    if (cvy_shape_count(info->target.shape) == 0) return CVY_OK;
    if (cvy_shape_equal(info->shape, graph->input)) CVY_TRY(cvy_datasets_check_target(graph, info, file));
    if (names == NULL) return CVY_OK;
    CVY_TRY(cvy_datasets_names(names->texts, names->count, cvy_ckpt_path(like->ckpt), info, file));
    cvy_datasets_by_number(names->texts, names->count, info, by_number);
    return CVY_OK;
}

/* As the network reads it, with classes that are called as those of the run, and numbered so. `whole`: its targets are
 * read, too, for what the loss cannot take. */
static cvy_status open_like(const struct cvy_data_like *like, struct cvy_dataset_spec *spec, bool whole,
                            char by_number[CVY_BY_NUMBER], struct cvy_dataset **out) {
    const struct cvy_ckpt_attribute *names = names_of(like);
    struct cvy_graph *graph;
    CVY_TRY(cvy_experiment_graph(like->experiment, like->experiment->loss, &graph));
    if (like->experiment->target == CVY_TARGET_Y) cvy_datasets_wish(like->experiment, graph, spec);
    spec->most_classes = cvy_graph_classes(graph);
    spec->names = names ? names->texts : NULL;
    spec->name_count = names ? names->count : 0;
    cvy_status status = cvy_dataset_open(spec, out);
    if (status == CVY_OK) status = compare_set(like, graph, cvy_dataset_info(*out), spec->file, by_number);
    if (status == CVY_OK && whole && like->experiment->target == CVY_TARGET_Y)
        status = cvy_suitable_set(cvy_graph_loss(graph), *out, spec->file);
    if (status != CVY_OK) cvy_dataset_close(out);
    cvy_graph_destroy(&graph);
    return status;
}

cvy_status cvy_data_open(const char *path, const struct cvy_data_form *form, bool stored, const struct cvy_work *work,
                         char by_number[CVY_BY_NUMBER], struct cvy_dataset **out) {
    struct cvy_data_like like;
    struct cvy_dataset_spec spec;
    by_number[0] = '\0';
    CVY_TRY(cvy_refuse_picture(path));
    cvy_status status = cvy_data_place(path, form, &like, &spec);
    if (work) spec.work = *work;
    if (status == CVY_OK)
        status = like.experiment ? open_like(&like, &spec, stored, by_number, out) : cvy_dataset_open(&spec, out);
    if (status == CVY_OK && stored && spec.names) {
        cvy_dataset_close(out);
        spec.names = NULL;
        spec.name_count = 0;
        status = cvy_dataset_open(&spec, out);
    }
    cvy_data_forget(&like);
    return status;
}
