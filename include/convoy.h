/* Convoy: convolutional networks trained on clusters of CPU nodes. The public interface of libconvoy, for C and C++.
 *
 *   struct cvy_train_summary summary = cvy_train_summary_default();
 *   struct cvy_context *ctx;
 *   cvy_context_create(&CVY_INIT(cvy_context_options, .comm = &my_comm), &ctx);
 *   cvy_train(ctx, &CVY_INIT(cvy_train_options, .experiment = "lenet5.yaml"), &summary);
 *   cvy_context_destroy(&ctx);
 *
 * Most functions return a status; on failure cvy_error_message() says what was expected, what was found, where, and
 * what to do next. A function marked "Collective" is called by all ranks of the context and gives all of them the same
 * status; after a failure only rank 0 needs to speak. Options and results begin with their size (convoy/sized.h).
 *
 * Ownership: what a function makes its …_destroy destroys. That takes the address of a pointer, which may be NULL and
 * is NULL afterwards, or a result, which may never have been filled and is empty afterwards. What options point to has
 * to stay until the call returns, unless it is said otherwise; what a result points to is the result's. On failure
 * there is nothing to destroy.
 *
 * Threads: a context, and what is made with it (predictors, inputs, predictions), is used by one thread at a time, not
 * always the same one; several contexts may work at once, each in a thread of its own, where MPI was not started by the
 * program for fewer threads than that (MPI_THREAD_MULTIPLE). cvy_request_stop may be called from anywhere, a signal
 * handler too; functions without a context from any thread. Functions of the program's own that are called back may
 * call what convoy/context.h says of them.
 *
 * The library is a guest in the process. It never exits, installs no signal handler, and its settings are those of a
 * context, a run or a predictor, never of the process; only layers of a program's own (convoy/op.h) are the process's.
 * A call leaves its thread as it found it: floating-point modes and flags, locale, signal mask, HDF5's error printing;
 * MPI, where a context has to start it, leaves environment and signal handlers as they were, and ends with the last
 * context; a communicator that a context is given is duplicated, and stays the program's. Inside a call numbers are
 * rounded to nearest, denormals are zero and numbers in files have points, whatever the caller has set, so results do
 * not depend on that. At ISA level portable OpenBLAS has one thread while a call computes, in the whole process, and
 * then as many as before. */
#ifndef CONVOY_H
#define CONVOY_H

#include "convoy/context.h"
#include "convoy/data.h"
#include "convoy/formats.h"
#include "convoy/log.h"
#include "convoy/model.h"
#include "convoy/op.h"
#include "convoy/plan.h"
#include "convoy/reference.h"
#include "convoy/run.h"
#include "convoy/status.h"
#include "convoy/version.h"

#endif
