/* Words: what a misspelt one was meant to be. */
#ifndef CONVOY_TEXT_H
#define CONVOY_TEXT_H

#include <stddef.h>

#include "convoy/status.h"

/* The one of `count` candidates that is the word itself, the word in other letters ("LeakyReLU"), or what another
 * program's word for it means here ("Linear": dense), or NULL. Not collective. */
CVY_API const char *cvy_meant(const char *word, const char *const *candidates, size_t count);

/* The same, else the nearest by edit distance, or NULL when none is near. Not collective. */
CVY_API const char *cvy_nearest(const char *word, const char *const *candidates, size_t count);

#endif
