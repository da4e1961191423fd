/* The parts that the coordinator is made in: coordinator.c opens the run and speaks; coordinator_save.c writes
 * checkpoints, whatever the disk does meanwhile; coordinator_last.c sees to it that the last one is not lost;
 * coordinator_diverged.c finds the one to go on from. */
#ifndef CVY_TRAIN_RECORD_COORDINATOR_PARTS_H
#define CVY_TRAIN_RECORD_COORDINATOR_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "train/record/coordinator.h"
#include "train/record/metrics.h"
#include "train/record/rise.h"
#include "train/record/timeline.h"

/* What cannot be written at the moment, of all that a run writes. One warning begins it, one line ends it. */
struct cvy_trouble {
    bool checkpoints, metrics;
    int tries;       /* in vain */
    int64_t since;   /* step */
    double next;     /* clock: when to try again */
    double pause;    /* s, longer each time */
    bool no_handles; /* for want of file handles */
};

struct cvy_coordinator {
    struct cvy_coordinator_parts of;
    struct cvy_metrics *metrics;
    char folder[CVY_PATH_MAX];      /* of checkpoints */
    struct cvy_buf experiment;      /* resolved, as YAML */
    char best_of[64], early_of[64]; /* what the state's are of; "": nothing */
    int64_t keep_every;             /* steps, 0: none */
    bool experiment_written;        /* to the run's folder */
    struct cvy_trouble trouble;

    /* Since the last metrics line, and since the start. */
    struct cvy_metric_totals window;
    double window_compute, window_comm, window_wait, window_update, last_progress;
    double train_seconds, session_start, wall_before;
    int64_t train_samples;

    /* The checkpoint being written; or the best one, that could not be written. */
    struct cvy_ckpt_image *image; /* NULL: none */
    struct cvy_ckpt_saving saving;
    pthread_t writer;
    bool writing;
    atomic_bool written;               /* by the writer: it is done */
    double stall_s, write_s, saved_at; /* saved_at: clock, of the last one that was begun */
    struct cvy_failure failure;
    int64_t written_step; /* −1: none */
    bool made_room;       /* old ones went for new ones, and it was said */

    struct cvy_rise rise;
    struct cvy_timeline timeline;

    /* Which checkpoints are worth to go on from: those whose weights gave no loss far above the usual. */
    double usual_loss;    /* the running mean of this session's; 0 before the first step */
    int64_t sound;        /* the newest of them, −1: none is known */
    int64_t unproved;     /* written (or being written), and the loss of its weights is not known yet; −1: none */
    int64_t resumed_step; /* −1: a fresh start */
};

/* experiment.yaml and log.txt; metrics.jsonl is the metrics'. */
cvy_status cvy_coordinator_write_files(struct cvy_coordinator *c);

/* Sees whether what was written is still there. */
void cvy_coordinator_look_at_folder(struct cvy_coordinator *c);
/* Waits for the writer, if there is one, and says how it went. */
void cvy_coordinator_join(struct cvy_coordinator *c);
/* Ends a metrics line, and knows when it is in trouble. */
void cvy_coordinator_end_line(struct cvy_coordinator *c);
/* Writes c->image to the folder of checkpoints and waits; the image stays. */
cvy_status cvy_coordinator_write_now(struct cvy_coordinator *c);
/* A try in vain, whose message is this thread's; and that all is well again, if it is. */
void cvy_coordinator_in_trouble(struct cvy_coordinator *c, bool *what);
void cvy_coordinator_recovered(struct cvy_coordinator *c, bool *what);

/* The last checkpoint, which could not be written at once (status, and this thread's message): a copy elsewhere, some
 * patience, and what to do next. */
cvy_status cvy_coordinator_insist(struct cvy_coordinator *c, cvy_status status);

#endif
