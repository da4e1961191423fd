/* Words: what a misspelt one was meant to be. The program uses it as well (tests/layers.sh knows). */
#ifndef CVY_CORE_TEXT_H
#define CVY_CORE_TEXT_H

#include <stddef.h>

/* The one of `count` candidates that is the word itself, the word in other letters ("LeakyReLU"), or what another
 * program's word for it means here ("Linear": dense), or NULL. */
const char *cvy_meant(const char *word, const char *const *candidates, size_t count);

/* The same, else the nearest by edit distance, or NULL when none is near. */
const char *cvy_nearest(const char *word, const char *const *candidates, size_t count);

#endif
