/* Convoy: convolutional networks trained on clusters of CPU nodes. The public interface of libconvoy.
 *
 *   struct cvy_context *ctx;
 *   cvy_context_create(&(struct cvy_context_options){.comm = &my_comm}, &ctx);
 *   cvy_train(ctx, &(struct cvy_train_options){.experiment = "lenet5.yaml"}, &summary);
 *   cvy_context_destroy(&ctx);
 *
 * Every function returns a status; on failure cvy_error_message() says what was expected, what was found, where, and
 * what to do next. A function marked "Collective" is called by all ranks of the context and gives all of them the same
 * status; after a failure only rank 0 needs to speak. The library never exits, installs no signal handler and has no
 * global state that affects results. */
#ifndef CONVOY_H
#define CONVOY_H

#ifdef __cplusplus
extern "C" {
#endif

#include "convoy/buf.h"
#include "convoy/context.h"
#include "convoy/data.h"
#include "convoy/log.h"
#include "convoy/model.h"
#include "convoy/reference.h"
#include "convoy/run.h"
#include "convoy/status.h"
#include "convoy/text.h"

/* "0.1.0" */
CVY_API const char *cvy_version(void);

#ifdef __cplusplus
}
#endif

#endif
