/* The parts that a session is made in, one after the other (session.c). */
#ifndef CVY_TRAIN_SESSION_PARTS_H
#define CVY_TRAIN_SESSION_PARTS_H

#include "train/session.h"

/* Of an experiment that is read: graph, data, optimiser; all that is known before memory is taken. Not collective. */
cvy_status cvy_session_plan(struct cvy_session *s);

/* Says what may not be meant: a leaf that was chosen, nothing to learn, traps of the network's end and the schedule. */
void cvy_session_say_doubts(const struct cvy_session *s);
/* Warns where rounding would become whole steps (session_noise.c). */
void cvy_session_warn_of_noise(const struct cvy_session *s);

/* Opens and checks both sets, and cuts them into batches: train, test, scale, plan, test_plan, augment, normalize. Not
 * collective. */
cvy_status cvy_session_open_data(struct cvy_session *s);
/* Whether all ranks read the same, and the test set is on the training's scale. Collective. */
cvy_status cvy_session_compare_data(struct cvy_session *s);
/* What inputs are normalised by: as the experiment says, the run that goes on, the data set, or what all its samples
 * come to. Collective: rank 0 decides. */
cvy_status cvy_session_normalize(struct cvy_session *s);
/* What the training data are called in messages; NULL: there are none. */
const char *cvy_session_train_name(const struct cvy_session *s);
/* Bytes of a set that are held in memory: all or none. */
size_t cvy_session_held_bytes(const struct cvy_session *s, const struct cvy_source *source);

/* Whether gradients are used as they come: nothing to sum, one pass over the one leaf, and no rule that sees the whole
 * gradient. */
bool cvy_session_can_release(const struct cvy_session *s);
/* How the epoch is cut that training begins in: from s->state.position on. */
struct cvy_epoch_plan cvy_session_first_epoch(const struct cvy_session *s);
struct cvy_exchange_plan cvy_session_exchange_plan(const struct cvy_session *s);
struct cvy_loader_spec cvy_session_loader_spec(const struct cvy_session *s);
/* Logs what a rank will need; CVY_ERR_USAGE when it is more than there is. Not collective. */
cvy_status cvy_session_check_memory(const struct cvy_session *s);
/* Nets, evaluation, vectors. Not collective. */
cvy_status cvy_session_allocate(struct cvy_session *s);

/* Where training begins: step, epoch and position of the checkpoint to resume from, once it is certain that the run can
 * go on from it; s->state on all ranks. Collective. */
cvy_status cvy_session_find_place(struct cvy_session *s);

/* The checkpoint of init.from, when its network is this one but for init.except. Rank 0. */
cvy_status cvy_session_open_init(const struct cvy_session *s, struct cvy_ckpt **out);

/* Whether this rank wants to stop: a request, or (rank 0) the time limit. For those who are given a function to ask,
 * from any thread; `session` a struct cvy_session. */
bool cvy_session_stop_wanted(void *session);

/* Whether weights, statistics, slots and average are finite: only then there is something to save. Not collective, and
 * the same on all ranks. */
bool cvy_session_finite(struct cvy_session *s);

/* Initial values, another run's weights (init.from), or the checkpoint to resume from. Collective: rank 0 reads, all
 * get the same bytes. */
cvy_status cvy_session_start_values(struct cvy_session *s);

#endif
