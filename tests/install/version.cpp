// A program in C++: the version of the headers, of the library and (its argument) of the package are one.
#include <convoy.h>

#include <cstdio>
#include <cstring>

int main(int argc, char **argv) {
    char text[32];
    std::snprintf(text, sizeof text, "%d.%d.%d", CVY_VERSION_MAJOR, CVY_VERSION_MINOR, CVY_VERSION_PATCH);
    const bool one = argc == 2 && std::strcmp(text, argv[1]) == 0 && std::strcmp(text, cvy_version()) == 0 &&
                     cvy_version_number() == CVY_VERSION_NUMBER;
    if (!one) std::printf("headers %s, library %s (%d)\n", text, cvy_version(), cvy_version_number());
    return one ? 0 : 1;
}
