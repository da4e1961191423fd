/* The version: of these headers, when a program is compiled; of the library, when it runs. */
#ifndef CONVOY_VERSION_H
#define CONVOY_VERSION_H

#include "convoy/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Before 1.0.0 a new MINOR may change what a program is compiled against; PATCH never does. */
#define CVY_VERSION_MAJOR  0
#define CVY_VERSION_MINOR  1
#define CVY_VERSION_PATCH  0
#define CVY_VERSION_NUMBER (CVY_VERSION_MAJOR * 10000 + CVY_VERSION_MINOR * 100 + CVY_VERSION_PATCH)

/* The library's own: "0.1.0", a constant, and as CVY_VERSION_NUMBER has it. Not collective. */
CVY_API const char *cvy_version(void);
CVY_API int cvy_version_number(void);

#ifdef __cplusplus
}
#endif

#endif
