/* Words that stand in the wrong place of an experiment: settings of another section, and what is said on the command
 * line. */
#ifndef CVY_EXPERIMENT_ELSEWHERE_H
#define CVY_EXPERIMENT_ELSEWHERE_H

#include <stdbool.h>

/* "--steps 100, an option of convoy train", where the word means that; `value`: what it is to be, NULL: its kind is
 * named. False, and *out as it was, where it does not. */
bool cvy_typed(const char *word, const char *value, char out[160]);

/* The same, or the whole name of the setting that the word means ("train.epochs"): for findings. */
bool cvy_elsewhere(const char *word, char out[160]);

#endif
