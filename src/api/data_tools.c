#include "api/data_tools.h"

#include <string.h>

#include "core/sized.h"
#include "data/probe.h"
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
    const char *dot = strrchr(from, '.');
    const bool text = dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
    if (text) return cvy_experiment_load(from, NULL, 0, &out->experiment);
    CVY_TRY(cvy_checkpoint_open(from, NULL, &out->ckpt));
    return cvy_checkpoint_experiment(out->ckpt, cvy_ckpt_path(out->ckpt), &out->experiment);
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

static bool has_targets(const struct cvy_data_like *like) {
    return like->experiment && like->experiment->target == CVY_TARGET_Y;
}

/* The scale of targets of values becomes what the run's was, as eval takes them; and with `inputs` theirs is held
 * against it, too, which are left as they are stored. */
static cvy_status hold_against(const struct cvy_data_like *like, struct cvy_dataset *ds,
                               const struct cvy_dataset_spec *spec, bool inputs, struct cvy_log *log) {
    struct cvy_contract contract;
    struct cvy_source *source;
    struct cvy_probe probe;
    double factor;
    if (like->ckpt == NULL) return CVY_OK;
    CVY_TRY(cvy_contract_load(like->ckpt, &like->experiment->train, &contract));
    CVY_TRY(cvy_source_borrow(ds, &source));
    cvy_status status = cvy_source_probe(source, &probe);
    if (status == CVY_OK && has_targets(like))
        status = cvy_contract_scale_targets(&contract, source, &probe, spec->y_scale, spec->file, "--y-scale K", log);
    if (status == CVY_OK && inputs)
        status =
            cvy_contract_factor(&contract, &probe.range, 0, spec->file, "--scale K of eval and predict", log, &factor);
    cvy_source_destroy(&source);
    return status;
}

cvy_status cvy_data_settle(const struct cvy_data_like *like, struct cvy_log *log, struct cvy_dataset_spec *spec) {
    struct cvy_graph *graph;
    struct cvy_dataset *ds;
    if (!has_targets(like)) return CVY_OK;
    CVY_TRY(cvy_experiment_graph(like->experiment, like->experiment->loss, &graph));
    cvy_datasets_wish(like->experiment, graph, spec);
    cvy_graph_destroy(&graph);
    CVY_TRY(cvy_dataset_open(spec, &ds));
    const double alone = cvy_dataset_info(ds)->y_scale;
    cvy_status status = hold_against(like, ds, spec, false, log);
    if (status == CVY_OK && cvy_dataset_info(ds)->y_scale != alone) spec->y_scale = cvy_dataset_info(ds)->y_scale;
    cvy_dataset_close(&ds);
    return status;
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
    if (has_targets(like)) cvy_datasets_wish(like->experiment, graph, spec);
    spec->most_classes = cvy_graph_classes(graph);
    spec->names = names ? names->texts : NULL;
    spec->name_count = names ? names->count : 0;
    cvy_status status = cvy_dataset_open(spec, out);
    if (status == CVY_OK) status = compare_set(like, graph, cvy_dataset_info(*out), spec->file, by_number);
    if (status == CVY_OK) status = hold_against(like, *out, spec, whole, NULL);
    if (status == CVY_OK && whole && has_targets(like))
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
