/* Convoy: convolutional networks trained on clusters of CPU nodes. The public interface of libconvoy.
 *
 *   struct cvy_context *ctx;
 *   cvy_context_create(&(struct cvy_context_options){.comm = &my_comm}, &ctx);
 *   cvy_train(ctx, &(struct cvy_train_options){.experiment = "lenet5.yaml"}, &summary);
 *   cvy_context_destroy(&ctx);
 *
 * Every function returns a status; on failure cvy_error_message() says what was expected, what was found, where, and
 * what to do next. A function marked "Collective" is called by all ranks of the context and gives all of them the same
 * status; after a failure only rank 0 needs to speak.
 *
 * The library is a guest in the process. It never exits, installs no signal handler, and its settings are those of a
 * context, a run or a predictor, never of the process. A call leaves its thread as it found it: floating-point modes
 * and flags, locale, signal mask, HDF5's error printing; MPI, where a context has to start it, leaves environment and
 * signal handlers as they were. Inside a call numbers are rounded to nearest, denormals are zero and numbers in files
 * have points, whatever the caller has set, so results do not depend on that. At ISA level portable OpenBLAS has one
 * thread while a call computes, in the whole process, and then as many as before. */
#ifndef CONVOY_H
#define CONVOY_H

#include "convoy/context.h"
#include "convoy/data.h"
#include "convoy/log.h"
#include "convoy/model.h"
#include "convoy/op.h"
#include "convoy/reference.h"
#include "convoy/run.h"
#include "convoy/status.h"
#include "convoy/version.h"

#endif
