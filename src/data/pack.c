#include "data/pack.h"

#include <string.h>

#include "convoy/formats.h"

#define DECLARE(name, ...) extern const struct cvy_pack_format cvy_pack_format_##name;
CVY_PACK_FORMATS(DECLARE, )

static const struct {
    const char *name;
    const struct cvy_pack_format *format;
} formats[] = {
#define LIST(name, ...) {#name, &cvy_pack_format_##name},
    CVY_PACK_FORMATS(LIST, )};

#define NAME(name, ...) #name

cvy_status cvy_pack_find(const char *name, const struct cvy_pack_format **out) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        if (strcmp(formats[i].name, name) != 0) continue;
        *out = formats[i].format;
        return CVY_OK;
    }
    return CVY_FAIL(CVY_ERR_USAGE, "unknown format \"%s\" of the inputs; there are " CVY_PACK_FORMATS(NAME, " and "),
                    name);
}
