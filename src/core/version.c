#include "convoy/version.h"

const char *cvy_version(void) {
    return CVY_VERSION;
}

int cvy_version_number(void) {
    return CVY_VERSION_NUMBER;
}
