#include "ops/losses/losses.h"

#include <string.h>

#define DECLARE(name) extern const struct cvy_loss_kind cvy_loss_##name;
CVY_LOSSES(DECLARE)

static const struct cvy_loss_kind *const kinds[] = {
#define LIST(name) &cvy_loss_##name,
    CVY_LOSSES(LIST)};

enum { KINDS = sizeof kinds / sizeof *kinds };

const struct cvy_loss_kind *cvy_losses_find(const char *name, const char **nearest) {
    const char *names[KINDS];
    for (int i = 0; i < KINDS; i++) {
        if (strcmp(kinds[i]->name, name) == 0) return kinds[i];
        names[i] = kinds[i]->name;
    }
    *nearest = cvy_nearest(name, names, KINDS);
    return NULL;
}

bool cvy_losses_list(int index, struct cvy_listing *out) {
    if (index < 0 || index >= KINDS) return false;
    *out = (struct cvy_listing){kinds[index]->name, kinds[index]->purpose, NULL, kinds[index]->keys};
    return true;
}
