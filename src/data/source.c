#include "data/source.h"

void cvy_source_destroy(struct cvy_source **source) {
    if (*source) (*source)->kind->destroy(*source);
    *source = NULL;
}
