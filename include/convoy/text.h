/* Words: what a misspelt one was meant to be. */
#ifndef CONVOY_TEXT_H
#define CONVOY_TEXT_H

#include <stddef.h>

#include "convoy/status.h"

/* The nearest of `count` candidates by edit distance, or NULL when none is near. Not collective. */
CVY_API const char *cvy_nearest(const char *word, const char *const *candidates, size_t count);

#endif
