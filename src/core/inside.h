/* What the library works in, whatever the thread that calls it is in. A guest leaves the house as it was: a public call
 * enters, and before it returns the thread is as it came, exception flags included:
 *
 *   floating point   rounds to nearest, traps nothing, and takes denormals for zero in operands and results, in every
 *                    thread that computes alike, so that results do not depend on who computes what
 *   numbers in text  have a point, as JSON and YAML want it
 *
 * A function of the caller's that is called back is called in what the caller had. */
#ifndef CVY_CORE_INSIDE_H
#define CVY_CORE_INSIDE_H

#include <fenv.h>
#include <pthread.h>

/* What a thread was in. */
struct cvy_outside {
    fenv_t floats;
    void *locale;
    const struct cvy_outside *first; /* of the calls that this thread was in before: the outermost, NULL: none */
};

/* A pair, in the same thread; pairs may be nested. */
void cvy_enter(struct cvy_outside *outside);
void cvy_leave(struct cvy_outside *outside);
/* The two at once: from here to the end of the function, however it ends. */
#define CVY_INSIDE()                                                                                                   \
    struct cvy_outside outside_ __attribute__((cleanup(cvy_leave)));                                                   \
    cvy_enter(&outside_)

/* What this thread was in before it entered: for functions of the caller's. */
struct cvy_outside cvy_outside_now(void);
/* Calling one of those: `theirs` until cvy_leave(&ours). */
void cvy_go_outside(const struct cvy_outside *theirs, struct cvy_outside *ours);

/* A thread of the library's own, which works inside from beginning to end and takes no signal of the process: these are
 * for the caller's threads. As pthread_create. */
int cvy_thread_start(pthread_t *thread, void *(*run)(void *), void *arg);
/* The first thing that `run` does. */
void cvy_thread_settle(void);

#endif
