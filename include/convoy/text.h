/* Words: what a misspelt one was meant to be, what a number or a path stands for. */
#ifndef CONVOY_TEXT_H
#define CONVOY_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "convoy/status.h"

/* The one of `count` candidates that is the word itself, the word in other letters ("LeakyReLU"), or what another
 * program's word for it means here ("Linear": dense), or NULL. Not collective. */
CVY_API const char *cvy_meant(const char *word, const char *const *candidates, size_t count);

/* The same, else the nearest by edit distance, or NULL when none is near. Not collective. */
CVY_API const char *cvy_nearest(const char *word, const char *const *candidates, size_t count);

/* The noun that fits the count: cvy_plural(1, "leaf", "leaves") is "leaf". Not collective. */
CVY_API const char *cvy_plural(double count, const char *one, const char *many);
/* A number, or one divided by another ("0.5", "1/257"), and nothing else. False, and *out as it was, where it is none.
 * Not collective. */
CVY_API bool cvy_read_number(const char *text, double *out);

/* `path` with ~ or ~NAME at its start replaced by the home folder, into `out`, as a shell does it where a word begins
 * with it. CVY_ERR_USAGE for an unknown user, or where `room` is too small. Not collective. */
CVY_API cvy_status cvy_expand_home(const char *path, char *out, size_t room);

#endif
