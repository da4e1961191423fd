/* Memory: every block has a tag and is counted, so that a report can say where memory is and a test that none is left.
 */
#ifndef CVY_CORE_MEMORY_H
#define CVY_CORE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

#define CVY_ALIGN 64 /* bytes: a cache line and the widest vector */

/* X(name): what memory is for. */
#define CVY_MEMORY_TAGS(X)                                                                                             \
    X(general)                                                                                                         \
    X(text)                                                                                                            \
    X(weights)                                                                                                         \
    X(gradients)                                                                                                       \
    X(optimizer)                                                                                                       \
    X(activations)                                                                                                     \
    X(workspace)                                                                                                       \
    X(data)                                                                                                            \
    X(comm)                                                                                                            \
    X(checkpoint)

enum cvy_tag {
#define CVY_TAG_ENUM(name) CVY_TAG_##name,
    CVY_MEMORY_TAGS(CVY_TAG_ENUM)
#undef CVY_TAG_ENUM
        CVY_TAG_COUNT
};

const char *cvy_tag_name(enum cvy_tag tag);

/* A zeroed block, aligned to CVY_ALIGN, never NULL on CVY_OK (0 bytes gives a block too). Free with cvy_free. */
cvy_status cvy_alloc(size_t bytes, enum cvy_tag tag, void **out);
/* The same, for a pointer variable of any type: CVY_NEW(&p, count, tag). */
#define CVY_NEW(pointer, count, tag) cvy_alloc((size_t)(count) * sizeof **(pointer), CVY_TAG_##tag, (void **)(pointer))
/* Room for one item more than the `count` that are there: *room, how many there is room for, doubles when they are as
 * many. A failure leaves all as it was. For an array of any type: CVY_GROW(&items, count, &room, tag). */
cvy_status cvy_grow(void **items, size_t size, int count, int *room, enum cvy_tag tag);
#define CVY_GROW(items, count, room, tag) cvy_grow((void **)(items), sizeof **(items), (count), (room), CVY_TAG_##tag)
void cvy_free(void *block); /* NULL is fine */
/* Frees *pointer and sets it to NULL. */
#define CVY_DELETE(pointer)                                                                                            \
    do {                                                                                                               \
        cvy_free(*(pointer));                                                                                          \
        *(pointer) = NULL;                                                                                             \
    } while (0)

size_t cvy_memory_live(enum cvy_tag tag); /* bytes now */
size_t cvy_memory_live_total(void);
size_t cvy_memory_blocks(void); /* handed out since the start of the process, given back or not */

static inline size_t cvy_align_up(size_t bytes) {
    return (bytes + CVY_ALIGN - 1) / CVY_ALIGN * CVY_ALIGN;
}

/* An arena: one block, carved once from its start, released whole. */
struct cvy_arena {
    unsigned char *base;
    size_t size, used; /* bytes */
};
cvy_status cvy_arena_create(struct cvy_arena *arena, size_t bytes, enum cvy_tag tag);
/* The next `bytes` (rounded up to CVY_ALIGN) of the arena. The caller has sized the arena: running out is our mistake,
 * reported as CVY_ERR_INTERNAL. */
cvy_status cvy_arena_take(struct cvy_arena *arena, size_t bytes, void **out);
void cvy_arena_destroy(struct cvy_arena *arena);

#endif
