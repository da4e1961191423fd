/* Each block carries a 64-byte head (start, size, tag) before the address that is handed out. It comes from calloc,
 * aligned by hand: calloc knows that fresh pages are zero, so that a large block costs nothing until it is touched. */
#define _DEFAULT_SOURCE /* madvise */
#include "core/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct head {
    void *start; /* what calloc gave */
    size_t bytes;
    enum cvy_tag tag;
};

static _Atomic size_t live[CVY_TAG_COUNT]; /* counters only: nothing computes with them */
static _Atomic size_t blocks;

const char *cvy_tag_name(enum cvy_tag tag) {
    static const char *const names[] = {
#define CVY_TAG_NAME(name) #name,
        CVY_MEMORY_TAGS(CVY_TAG_NAME)
#undef CVY_TAG_NAME
    };
    return names[tag];
}

/* Asks for huge pages where the block covers some whole: a network's activations otherwise want a new translation every
 * 4 KiB. An offer only, so what comes of it is not looked at. */
static void offer_huge_pages(unsigned char *start, size_t bytes) {
#ifdef MADV_HUGEPAGE
    const size_t huge = (size_t)2 << 20, skip = (huge - (uintptr_t)start % huge) % huge;
    if (bytes >= skip + huge) (void)madvise(start + skip, (bytes - skip) / huge * huge, MADV_HUGEPAGE);
#else
    (void)start, (void)bytes;
#endif
}

cvy_status cvy_alloc(size_t bytes, enum cvy_tag tag, void **out) {
    size_t whole = bytes + 2 * CVY_ALIGN;
    unsigned char *start = whole > bytes ? calloc(1, whole) : NULL;
    CVY_CHECK(start != NULL, CVY_ERR_INTERNAL, "no memory for %zu bytes of %s; use a smaller leaf or more nodes", bytes,
              cvy_tag_name(tag));
    offer_huge_pages(start, whole);
    unsigned char *block = start + CVY_ALIGN - (uintptr_t)start % CVY_ALIGN;
    *(struct head *)block = (struct head){start, bytes, tag};
    atomic_fetch_add(&live[tag], bytes);
    atomic_fetch_add(&blocks, 1);
    *out = block + CVY_ALIGN;
    return CVY_OK;
}

cvy_status cvy_grow(void **items, size_t size, int count, int *room, enum cvy_tag tag) {
    enum { FIRST = 16 };
    const int more = *room ? 2 * *room : FIRST;
    void *larger;
    if (count < *room) return CVY_OK;
    CVY_TRY(cvy_alloc((size_t)more * size, tag, &larger));
    if (count) memcpy(larger, *items, (size_t)count * size);
    cvy_free(*items);
    *items = larger;
    *room = more;
    return CVY_OK;
}

void cvy_free(void *block) {
    if (block == NULL) return;
    const struct head *head = (const struct head *)((unsigned char *)block - CVY_ALIGN);
    atomic_fetch_sub(&live[head->tag], head->bytes);
    free(head->start);
}

size_t cvy_memory_live(enum cvy_tag tag) {
    return atomic_load(&live[tag]);
}

size_t cvy_memory_live_total(void) {
    size_t total = 0;
    for (int t = 0; t < CVY_TAG_COUNT; t++) total += cvy_memory_live((enum cvy_tag)t);
    return total;
}

size_t cvy_memory_blocks(void) {
    return atomic_load(&blocks);
}

cvy_status cvy_arena_create(struct cvy_arena *arena, size_t bytes, enum cvy_tag tag) {
    *arena = (struct cvy_arena){.size = cvy_align_up(bytes)};
    return cvy_alloc(arena->size, tag, (void **)&arena->base);
}

cvy_status cvy_arena_take(struct cvy_arena *arena, size_t bytes, void **out) {
    size_t size = cvy_align_up(bytes);
    CVY_CHECK(size <= arena->size - arena->used, CVY_ERR_INTERNAL, "arena of %zu bytes: %zu used, %zu more wanted",
              arena->size, arena->used, size);
    *out = arena->base + arena->used;
    arena->used += size;
    return CVY_OK;
}

void cvy_arena_destroy(struct cvy_arena *arena) {
    cvy_free(arena->base);
    *arena = (struct cvy_arena){0};
}
