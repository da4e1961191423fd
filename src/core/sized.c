#include "core/sized.h"

#include <string.h>

#include "convoy/version.h"
#include "core/memory.h"

/* More than any version will have: what is beyond was never set. */
enum { MOST = 1 << 16 };

static size_t size_of(const void *sized) {
    size_t size;
    memcpy(&size, sized, sizeof size);
    return size;
}

/* A size of zero is the first version's, which `size` is for as long as no struct has grown: the first one that does
 * brings its old size along. */
static size_t told_size(const void *sized, size_t size) {
    return size_of(sized) ? size_of(sized) : size;
}

static size_t less(size_t a, size_t b) {
    return a < b ? a : b;
}

/* All behind the size. */
static void clear(void *sized) {
    memset((char *)sized + sizeof(size_t), 0, size_of(sized) - sizeof(size_t));
}

static cvy_status check_size(const void *sized, const char *type) {
    CVY_CHECK(sized != NULL, CVY_ERR_USAGE, "%s: the pointer is NULL", type);
    CVY_CHECK(size_of(sized) == 0 || (size_of(sized) >= sizeof(size_t) && size_of(sized) <= MOST), CVY_ERR_USAGE,
              "%s: its size is %zu, so it was not initialised; begin with {.size = sizeof …} or %s_default()", type,
              size_of(sized), type + strlen("struct "));
    return CVY_OK;
}

cvy_status cvy_sized_read(const void *theirs, void *ours, size_t size, const char *type) {
    memset(ours, 0, size);
    if (theirs) {
        CVY_TRY(check_size(theirs, type));
        const size_t given = told_size(theirs, size);
        for (size_t i = size; i < given; i++)
            CVY_CHECK(
                ((const char *)theirs)[i] == 0, CVY_ERR_USAGE,
                "%s: byte %zu of %zu is set, of which this library (convoy %s) knows %zu; the program was compiled "
                "for a newer one: run it with that, or leave what is new at its default",
                type, i, given, cvy_version(), size);
        memcpy(ours, theirs, less(size, given));
    }
    memcpy(ours, &size, sizeof size);
    return CVY_OK;
}

cvy_status cvy_sized_read_needing(const void *theirs, void *ours, size_t size, const char *type,
                                  const struct cvy_member *needs) {
    const void *pointer;
    CVY_TRY(cvy_sized_read(theirs, ours, size, type));
    for (; needs->name; needs++) {
        memcpy(&pointer, (const char *)ours + needs->at, sizeof pointer);
        CVY_CHECK(pointer != NULL, CVY_ERR_USAGE, "%s: its member %s is not set", type, needs->name);
    }
    return CVY_OK;
}

static cvy_status make_ready(void *theirs, size_t size, const char *type) {
    CVY_TRY(check_size(theirs, type));
    const size_t given = told_size(theirs, size);
    memcpy(theirs, &given, sizeof given);
    clear(theirs);
    return CVY_OK;
}

cvy_status cvy_sized_begin(void *theirs, void *ours, size_t size, const char *type) {
    CVY_TRY(make_ready(theirs, size, type));
    memset(ours, 0, size);
    memcpy(ours, &size, sizeof size);
    return CVY_OK;
}

cvy_status cvy_sized_give(cvy_status status, const void *ours, void *theirs) {
    const size_t common = less(size_of(ours), size_of(theirs)), first = sizeof(size_t);
    memcpy((char *)theirs + first, (const char *)ours + first, common - first);
    return status;
}

cvy_status cvy_sized_fill(const void *ours, void *theirs, const char *type) {
    CVY_TRY(make_ready(theirs, size_of(ours), type));
    return cvy_sized_give(CVY_OK, ours, theirs);
}

void cvy_sized_take(void *theirs, void *ours, size_t size) {
    memset(ours, 0, size);
    if (theirs == NULL || size_of(theirs) < sizeof(size_t)) return;
    memcpy(ours, theirs, less(size, size_of(theirs)));
    clear(theirs);
}

cvy_status cvy_sized_array(int count, size_t size, void *out) {
    const size_t each = cvy_align_up(size), pointers = cvy_align_up((size_t)count * sizeof(void *));
    void **list;
    CVY_TRY(cvy_alloc(pointers + (size_t)count * each, CVY_TAG_general, (void **)&list));
    for (int i = 0; i < count; i++) list[i] = (char *)list + pointers + (size_t)i * each;
    memcpy(out, &list, sizeof list);
    return CVY_OK;
}
