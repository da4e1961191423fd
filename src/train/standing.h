/* How one figure stands after so many evaluations: the best so far, and for how long it has not been beaten. Part of a
 * run's state. */
#ifndef CVY_TRAIN_STANDING_H
#define CVY_TRAIN_STANDING_H

#include <stdbool.h>
#include <stdint.h>

struct cvy_standing {
    double value;         /* the best; of no meaning where nothing was seen */
    int64_t step;         /* of it */
    int64_t seen, waited; /* evaluations: in all, and since the best */
};
enum { CVY_STANDING_NUMBERS = 4 };

/* Whether the value is better than all before, by more than min_delta. `more`: more is better. */
bool cvy_standing_take(struct cvy_standing *s, double value, bool more, double min_delta, int64_t step);

/* As a checkpoint has it. False where these are no such numbers. */
void cvy_standing_save(const struct cvy_standing *s, double out[CVY_STANDING_NUMBERS]);
bool cvy_standing_load(const double numbers[CVY_STANDING_NUMBERS], struct cvy_standing *out);

#endif
