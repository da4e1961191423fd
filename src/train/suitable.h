/* Whether a loss can take the values that targets have, looked at before the first step and in each batch: ratings
 * given to softmax, or a mark of an unknown label given to logistic, would train without an error. */
#ifndef CVY_TRAIN_SUITABLE_H
#define CVY_TRAIN_SUITABLE_H

#include "io/dataset/dataset.h"
#include "ops/losses/loss.h"

/* Of samples first … first+count−1 with targets y; `loss` may be NULL. CVY_ERR_DATA naming the first that does not
 * suit.
 */
cvy_status cvy_suitable(const struct cvy_loss *loss, const struct cvy_target *target, const char *file, int64_t first,
                        int64_t count, const void *y);
/* Of a data set: as many of its first samples as make a GiB of targets. */
cvy_status cvy_suitable_set(const struct cvy_loss *loss, struct cvy_dataset *ds, const char *file);

/* Of the others, when they are read: for a loader to ask (data/loader.h). */
struct cvy_suiting {
    const struct cvy_loss *loss;
    struct cvy_target target;
    const char *file;
    const int64_t *members; /* what ids are numbered in the file, NULL: as they are */
};
cvy_status cvy_suitable_batch(const void *suiting, const int64_t *ids, int count, const void *y);

#endif
