/* Structs of the caller's whose first member is their size as the caller knows them (convoy/sized.h): the library
 * works with whole ones of its own, and here is the way in and out. */
#ifndef CVY_CORE_SIZED_H
#define CVY_CORE_SIZED_H

#include <stddef.h>

#include "convoy/sized.h"
#include "core/status.h"

/* Options: *ours is what the caller gave, zeros where that ends, all of them where `theirs` is NULL. CVY_ERR_USAGE
 * where it cannot be initialised, or has more set than this library knows. */
cvy_status cvy_sized_read(const void *theirs, void *ours, size_t size, const char *type);
#define CVY_READ(type, theirs, ours) cvy_sized_read((theirs), (ours), sizeof *(ours), "struct " #type)
/* The same with pointers that have to be given: needs[] ends with {0}. */
struct cvy_member {
    const char *name;
    size_t at;
};
#define CVY_MEMBER(type, member)                                                                                       \
    { #member, offsetof(struct type, member) }
cvy_status cvy_sized_read_needing(const void *theirs, void *ours, size_t size, const char *type,
                                  const struct cvy_member *needs);
#define CVY_READ_NEEDING(type, theirs, ours, needs)                                                                    \
    cvy_sized_read_needing((theirs), (ours), sizeof *(ours), "struct " #type, (needs))

/* A result: makes both zero, but for their sizes. CVY_ERR_USAGE where the caller's has none that can be. */
cvy_status cvy_sized_begin(void *theirs, void *ours, size_t size, const char *type);
#define CVY_BEGIN(type, theirs, ours) cvy_sized_begin((theirs), (ours), sizeof *(ours), "struct " #type)
/* Gives the caller as much of it as fits; returns `status`. */
cvy_status cvy_sized_give(cvy_status status, const void *ours, void *theirs);
/* A result that is there at once. */
cvy_status cvy_sized_fill(const void *ours, void *theirs, const char *type);
/* Takes it back, to be destroyed: the caller's is zero then. A struct whose size is zero was never filled. */
void cvy_sized_take(void *theirs, void *ours, size_t size);
#define CVY_TAKE(theirs, ours) cvy_sized_take((theirs), (ours), sizeof *(ours))

/* An array that the caller gets: pointers to `count` elements, zero, in one block with them. */
cvy_status cvy_sized_array(int count, size_t size, void *out);
#define CVY_ARRAY(pointer, count) cvy_sized_array((count), sizeof ***(pointer), (pointer))

#endif
