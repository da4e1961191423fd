/* What sources of the program's own data have in common. Private to src/data. */
#ifndef CVY_DATA_SOURCE_PART_H
#define CVY_DATA_SOURCE_PART_H

#include "data/source.h"

/* What a caller may leave out of its info, kept beside it. */
struct cvy_source_owned {
    double *stats; /* mean [c], std [c] */
    char *names;   /* [classes][12] */
    const char **name_list;
};

/* Checks and completes an info. */
cvy_status cvy_source_complete(struct cvy_source_owned *owned, struct cvy_dataset_info *info);
void cvy_source_release(struct cvy_source_owned *owned);

/* Of samples first … first+count−1, where targets are classes. */
cvy_status cvy_source_check_classes(const struct cvy_dataset_info *info, const char *what, int64_t first, int64_t count,
                                    const int32_t *y);
/* Of one sample; y may be NULL. */
cvy_status cvy_source_check_finite(const struct cvy_dataset_info *info, const char *what, int64_t index, const void *x,
                                   const void *y);

#endif
