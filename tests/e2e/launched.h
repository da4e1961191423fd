/* The program under convoy-run, and hands on its processes: requests, kills, and that nothing is left. */
#ifndef CVY_TESTS_LAUNCHED_H
#define CVY_TESTS_LAUNCHED_H

#include "e2e.h"

/* `convoy-run -n RANKS -t 1 OPTIONS convoy train endless.yaml --run RUN --resume …`, in the background; the experiment
 * has no end. */
struct e2e_job launched_start(int ranks, const char *options, const char *run);
/* Living processes that have the word --run RUN and this name ("convoy", "mpirun", NULL: any): how many, and the PIDs
 * of the first `room`. */
int launched_find(const char *run, const char *name, pid_t *pids, int room);
/* What ends the job when convoy-run is killed. */
bool launched_has_guard(struct e2e_job launcher);
/* Waits until there are at least so many; false after 30 s. */
bool launched_wait_for(const char *run, const char *name, int count);
/* One of them gets the signal. */
void launched_signal(const char *run, const char *name, int which, int number);
/* Nobody of the run is left, at the latest after 10 s; else they are named, and killed. */
void launched_expect_nobody(const char *run);
/* Kills a rank or mpirun so many times, each at a random moment after the run has come further (every third: while a
 * checkpoint is being written), then asks it to stop, and compares: the bits of a run that nobody touched, metrics of
 * one run, an event a restart. */
void launched_kill_often(const char *run, int ranks, int kills);
/* The endless run ends at this step, going on with `ranks`, with the bits of a run that nobody touched. */
void launched_finish(const char *run, int ranks, int step);

#endif
