/* A run has diverged: which checkpoint to go on from. One whose own weights give a loss that is not finite, or far
 * above the usual one, leads there again at any learning rate; so such of this session are set aside, and none is
 * removed. */
#include <stdio.h>
#include <string.h>

#include "io/ckpt/ckpt.h"
#include "train/record/advice.h"
#include "train/record/coordinator_parts.h"

static int set_aside(struct cvy_coordinator *c) {
    struct cvy_ckpt_list list;
    char path[CVY_PATH_MAX], aside[CVY_PATH_MAX + 16];
    const int64_t last = c->sound > c->resumed_step ? c->sound : c->resumed_step;
    int count = 0;
    if (cvy_ckpt_list(c->folder, &list) != CVY_OK) return 0;
    for (int i = 0; i < list.count; i++) {
        if (list.steps[i] <= last || cvy_ckpt_name(c->folder, list.steps[i], path) != CVY_OK) continue;
        snprintf(aside, sizeof aside, "%s" CVY_CKPT_DIVERGED, path);
        count += rename(path, aside) == 0;
    }
    cvy_ckpt_list_destroy(&list);
    return count;
}

/* The loss of the very weights that this session began with. */
static bool tell_first_step(const struct cvy_coordinator *c, struct cvy_buf *advice) {
    const int64_t begun = c->resumed_step >= 0 ? c->resumed_step : 0;
    const char *from = c->of.task->experiment->init_from; /* "": none */
    if (c->of.engine->state.step != begun) return false;
    if (c->resumed_step >= 0)
        cvy_buf_printf(advice,
                       "it is the first step after the checkpoint of step %lld: what was changed since, or that "
                       "checkpoint, is at fault, and no learning rate helps; go on from an earlier one (move that file "
                       "out of %s), or start a new run",
                       (long long)begun, c->folder);
    else
        cvy_buf_printf(advice,
                       "it is the first step, of %s%s, and no learning rate helps; look at the scale of the inputs "
                       "(data.mean, data.std) and at %s",
                       from[0] ? "the weights of " : "initial weights", from,
                       from[0] ? "that run" : "the layers' init");
    return true;
}

void cvy_coordinator_diverged(struct cvy_coordinator *c, struct cvy_buf *advice) {
    char newest[CVY_PATH_MAX];
    bool found = false;
    if (c == NULL) return;
    cvy_coordinator_join(c);
    const int aside = set_aside(c);
    if (cvy_ckpt_newest(c->folder, NULL, NULL, &found, newest) != CVY_OK) found = false;
    if (aside)
        cvy_buf_printf(advice, "%d %s, whose weights lead there again, %s now named step-N.h5.diverged; ", aside,
                       cvy_plural(aside, "checkpoint", "checkpoints"), cvy_plural(aside, "is", "are"));
    if (tell_first_step(c, advice)) return;
    if (found)
        cvy_buf_printf(advice, "the checkpoint of step %lld is good; go on from it with ",
                       (long long)cvy_ckpt_step(newest));
    else
        cvy_buf_printf(advice, "there is no checkpoint before it; start afresh, by --resume too, with ");
    cvy_advice_calmer(c->of.task, c->of.engine->lr, !found, advice);
    cvy_advice_resume_slower(c->of.task, c->of.engine->lr, advice);
}
