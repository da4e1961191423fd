/* Words that other programs have for what is here. */
#ifndef CVY_CORE_SYNONYMS_H
#define CVY_CORE_SYNONYMS_H

/* What `word` (small letters and digits alone) is called here: one meaning a call, from *next = 0 on, then NULL. */
const char *cvy_synonym(const char *word, int *next);

#endif
