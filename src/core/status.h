/* Failing with a message, and passing a failure on with a trail. */
#ifndef CVY_CORE_STATUS_H
#define CVY_CORE_STATUS_H

#include <stddef.h>

#include "convoy/status.h"

#define CVY_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* A message is one line: control characters in it, as paths may have them, become \n, \x1b and the like, in place. */
void cvy_one_line(char *text, size_t room);

/* Sets this thread's message, one line but where it is passed on ("%s"), and starts its trail. Use CVY_FAIL. */
void cvy_fail_at(const char *file, int line, const char *fmt, ...) CVY_PRINTF(3, 4);
/* Puts "prefix: " before the message that is there (the place a caller knows and the callee did not). */
cvy_status cvy_fail_prefix(cvy_status status, const char *fmt, ...) CVY_PRINTF(2, 3);
/* Adds a line to the trail. Use CVY_TRY. */
void cvy_trail_at(const char *file, int line, const char *call);

/* The value is `status` itself, so that the compiler sees that a failure is one. */
#define CVY_FAIL(status, ...) (cvy_fail_at(__FILE__, __LINE__, __VA_ARGS__), (status))

/* The outside world (files, users, MPI) is checked always. */
#define CVY_CHECK(condition, status, ...)                                                                              \
    do {                                                                                                               \
        if (!(condition)) return CVY_FAIL((status), __VA_ARGS__);                                                      \
    } while (0)

/* Returns from the caller when the call fails. */
#define CVY_TRY(call)                                                                                                  \
    do {                                                                                                               \
        cvy_status status_ = (call);                                                                                   \
        if (status_ != CVY_OK) {                                                                                       \
            cvy_trail_at(__FILE__, __LINE__, #call);                                                                   \
            return status_;                                                                                            \
        }                                                                                                              \
    } while (0)

/* For functions that clean up at `done:` and return `status`. */
#define CVY_GO(call)                                                                                                   \
    do {                                                                                                               \
        status = (call);                                                                                               \
        if (status != CVY_OK) {                                                                                        \
            cvy_trail_at(__FILE__, __LINE__, #call);                                                                   \
            goto done;                                                                                                 \
        }                                                                                                              \
    } while (0)

/* Our own mistakes: checked in debug builds (make DEBUG=1). */
#ifdef CVY_DEBUG
#include <assert.h>
#define CVY_ASSERT(condition) assert(condition)
#else
#define CVY_ASSERT(condition) ((void)0)
#endif

/* A failure carried from one thread to another. */
struct cvy_failure {
    cvy_status status;
    char message[1024];
};
void cvy_failure_take(struct cvy_failure *failure, cvy_status status); /* copies this thread's message */
cvy_status cvy_failure_raise(const struct cvy_failure *failure);       /* makes it this thread's; returns its status */

#endif
