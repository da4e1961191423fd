/* Runs: training, evaluating, and the checkpoints they leave. */
#ifndef CONVOY_RUN_H
#define CONVOY_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "convoy/context.h"
#include "convoy/data.h"
#include "convoy/sized.h"
#include "convoy/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is measured of a network beside each other: "loss"; of classes "top1" and, of 6 and more, "top5" (0..1, over all
 * samples or pixels that are not ignored); of several labels a sample "exact" (0..1, all of them right); of values
 * "mae", "rmse" and, of maps, "psnr". */
struct cvy_figure {
    const char *name, *title, *unit; /* "top1", "top-1", "%": shown times 100; the texts are constants */
    double value;
};
/* These two structs keep their size. */
enum { CVY_FIGURES = 12, CVY_FIGURES_TEXT = 512 };
struct cvy_figures {
    int count;
    struct cvy_figure items[CVY_FIGURES];
};
/* The value of a name, NaN where there is none; and all of them: "loss 0.3015  top-1 89.12 %  …". Not collective. */
CVY_API double cvy_figures_get(const struct cvy_figures *figures, const char *name);
CVY_API const char *cvy_figures_text(const struct cvy_figures *figures, char out[CVY_FIGURES_TEXT]);

/* What one step did. */
struct cvy_step {
    int64_t step;         /* completed updates, this one included */
    double epoch, epochs; /* seen, with fraction, and the experiment's */
    int64_t samples;      /* of this step, over all ranks */
    double loss;          /* their mean */
    double learning_rate; /* of this step */
    double samples_per_s; /* of this step, evaluation left out */
};
/* Called after every step, as convoy/context.h says of a program's own functions. True asks to stop, as
 * cvy_request_stop does: after the next step there is a checkpoint, and cvy_train returns CVY_STOPPED. */
typedef bool cvy_step_fn(void *user, const struct cvy_step *step);

struct cvy_train_options {
    size_t size;                                /* of this struct */
    const char *experiment;                     /* file */
    const struct cvy_data_source *train, *test; /* in the place of data.train and data.test, or NULL */
    const char *const *set;                     /* "train.batch=128": the value is YAML, replaces the whole node */
    int set_count;
    const char *run_folder;          /* NULL: runs/NAME */
    bool resume;                     /* go on from the newest good checkpoint; start afresh where there is none */
    const char *const *allow_change; /* keys that may differ from the run's experiment on resume */
    int allow_change_count;
    bool has_steps; /* stop when the run's global step reaches `steps` */
    int64_t steps;
    double time_limit;                     /* seconds after which to checkpoint and return CVY_STOPPED; 0: none */
    bool dry_run;                          /* check everything, report, do not train */
    const char *program;                   /* as the user called it, for commands in messages; NULL: convoy */
    cvy_step_fn *on_step;                  /* or NULL */
    void *user;                            /* of on_step */
    const struct cvy_data_form *test_form; /* its scale is that of `test`; or NULL */
    const char *restarted;                 /* why this is not the first start, lines for log and metrics; or NULL */
    const char *trace; /* file for what each rank does with its time, as trace events in Chrome's JSON; NULL: none */
};
CVY_SIZED(cvy_train_options)
struct cvy_train_summary {
    size_t size; /* of this struct */
    char run_folder[1024];
    int64_t step;            /* completed updates */
    double epoch;            /* epochs seen, with fraction */
    bool trained;            /* a step was done in this session; else loss and rates are 0 */
    double loss;             /* of the last step */
    struct cvy_figures test; /* of the last evaluation; none where there was none */
    double samples_per_s;    /* training, over this session, evaluation left out */
    double first_step_s;     /* from process start to the end of the first step */
    double seconds;
    double peak_rss_mib;           /* of this process */
    struct cvy_figures validation; /* of the last evaluation; none where there is no data.validation */
};
CVY_SIZED(cvy_train_summary)
/* Collective: trains as the experiment says, or goes on with it, and leaves a run folder. With CVY_OK and CVY_STOPPED
 * *out is filled: loss, figures and steps alike on all ranks, times each one's own, run_folder and samples_per_s on
 * rank 0 alone. CVY_ERR_USAGE: the experiment, the folder or an option; CVY_ERR_DATA: the data, after a checkpoint
 * where steps were done; CVY_ERR_CHECKPOINT: nothing whole to resume from; CVY_ERR_DIVERGED; CVY_ERR_LOST: a rank;
 * CVY_STOPPED: on request or by the time limit, after a checkpoint. */
CVY_API cvy_status cvy_train(struct cvy_context *ctx, const struct cvy_train_options *options,
                             struct cvy_train_summary *out);

struct cvy_eval_options {
    size_t size;                          /* of this struct */
    const char *from;                     /* checkpoint file or run folder */
    const char *data;                     /* NULL: the experiment's data.test */
    const struct cvy_data_form *form;     /* of `data`, or NULL; its scale also of `source` */
    const struct cvy_data_source *source; /* in its place, or NULL */
    bool best;                            /* of a run folder: its best checkpoint instead (checkpoint.best) */
};
CVY_SIZED(cvy_eval_options)
struct cvy_eval_result {
    size_t size; /* of this struct */
    char checkpoint[1024];
    int64_t samples;
    struct cvy_figures figures;
    int classes;
    char **class_names; /* [classes], or of labels and values; numbers as text where the data set had no names */
    int64_t *confusion; /* of classes: [true class][predicted class], of all that is not ignored; else NULL */
    int64_t *labels;    /* of several labels a sample: [classes][truly no, yes][predicted no, yes]; else NULL */
};
CVY_SIZED(cvy_eval_result)
/* Collective: the ranks share the samples; each counts once, and all ranks get the same result. CVY_ERR_CHECKPOINT
 * where there is no network, CVY_ERR_DATA where the data are none for it. */
CVY_API cvy_status cvy_eval(struct cvy_context *ctx, const struct cvy_eval_options *options,
                            struct cvy_eval_result *out);
CVY_API void cvy_eval_result_destroy(struct cvy_eval_result *result);

/* ---- Checkpoints ---- */

struct cvy_checkpoint_entry {
    char path[1024];
    int64_t step, bytes;
    bool good;
    char problem[256]; /* where not good */
};
struct cvy_checkpoint_list {
    size_t size; /* of this struct */
    int count;
    struct cvy_checkpoint_entry **items; /* [count] pointers, oldest first */
};
CVY_SIZED(cvy_checkpoint_list)
/* Those of a run folder (or of its folder of checkpoints); each is read whole. CVY_ERR_CHECKPOINT where `run` is none.
 * Not collective. */
CVY_API cvy_status cvy_checkpoint_list_read(const char *run, struct cvy_checkpoint_list *out);
CVY_API void cvy_checkpoint_list_destroy(struct cvy_checkpoint_list *list);

/* The runs in a folder, by name. */
struct cvy_run_entry {
    char path[1024];
    int checkpoints;
    int64_t step, bytes; /* of the newest checkpoint (−1: none); of all of them */
    bool good;           /* the newest one is */
    char problem[256];   /* where it is not */
};
struct cvy_run_list {
    size_t size; /* of this struct */
    int count;
    struct cvy_run_entry **items; /* [count] pointers */
};
CVY_SIZED(cvy_run_list)
/* None where `folder` is a run itself, or no folder. Not collective. */
CVY_API cvy_status cvy_run_list_read(const char *folder, struct cvy_run_list *out);
CVY_API void cvy_run_list_destroy(struct cvy_run_list *list);

struct cvy_checkpoint_info {
    size_t size;                   /* of this struct */
    char path[1024], name[128];    /* the file; the experiment */
    char isa[16], written[32];     /* level; when: "2026-01-31T12:00:00Z" */
    int64_t step, epoch, position; /* completed updates; epochs, and samples of the one that goes on */
    int64_t params, tensors, bytes;
    uint64_t seed, digest;
    int ranks, threads; /* that wrote it */
    char *experiment;   /* resolved, YAML */
};
CVY_SIZED(cvy_checkpoint_info)
/* `from` is a checkpoint file or a run folder (its newest good one), here and below. CVY_ERR_CHECKPOINT where there is
 * none, or it is damaged. Not collective. */
CVY_API cvy_status cvy_checkpoint_info_read(const char *from, struct cvy_checkpoint_info *out);
CVY_API void cvy_checkpoint_info_destroy(struct cvy_checkpoint_info *info);

/* The path of a run's best checkpoint, which checkpoint.best keeps. CVY_ERR_CHECKPOINT where `run` is none, or has
 * none. Not collective. */
CVY_API cvy_status cvy_checkpoint_best(const char *run, char out[1024]);

/* Reads every byte. Fails with CVY_ERR_CHECKPOINT and what is damaged: the checkpoint, or the newest of a run. Not
 * collective. */
CVY_API cvy_status cvy_checkpoint_verify(const char *from);

struct cvy_checkpoint_difference {
    char name[160];   /* "/param/conv1/weight" or "step" */
    char what[160];   /* for people: shapes, values */
    int64_t elements; /* that differ */
    double max_abs;
    int64_t max_ulps;
};
struct cvy_checkpoint_diff {
    size_t size;    /* of this struct */
    bool identical; /* in /param, /buffer, /optim, step, epoch, position, seed, schedule state */
    int count;
    struct cvy_checkpoint_difference **items; /* [count] pointers */
};
CVY_SIZED(cvy_checkpoint_diff)
/* Compares bit by bit. That they differ is no failure. Not collective. */
CVY_API cvy_status cvy_checkpoint_diff_read(const char *a, const char *b, struct cvy_checkpoint_diff *out);
CVY_API void cvy_checkpoint_diff_destroy(struct cvy_checkpoint_diff *diff);

#ifdef __cplusplus
}
#endif

#endif
