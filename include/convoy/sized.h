/* Structs that can grow. Options that a program gives, and results that it gets, begin with their size as the program
 * knows them, so that one compiled against older headers works with a newer library:
 *
 *   struct cvy_train_options options = {.size = sizeof options, .experiment = "lenet5.yaml"};
 *   struct cvy_train_summary summary = cvy_train_summary_default();     as well in C++; size set, all else zero
 *   cvy_train(ctx, &CVY_INIT(cvy_train_options, .experiment = "lenet5.yaml"), &summary);
 *
 * In every such struct zero is the default. Of options, members that a program does not know yet are zero; members that
 * the library does not know yet have to be, or the call fails with CVY_ERR_USAGE. Of results, what the program does not
 * know is not written. A size of zero stands for the struct as version 0.1 has it; one that is no size (the struct was
 * not initialised) is refused with CVY_ERR_USAGE. A pointer to options may be NULL where nothing in them has to be
 * given.
 *
 * What a later version adds stands behind the end of the struct, its padding included, and what a new member of a
 * result points to belongs to a block that an old one points to. The few structs without a size keep theirs, or are
 * made by the library, which hands out pointers to them. */
#ifndef CONVOY_SIZED_H
#define CONVOY_SIZED_H

#include <stddef.h>

/* A struct of this type with its size and the given members set, where a pointer to it is wanted (C only). */
#define CVY_INIT(type, ...) ((struct type){.size = sizeof(struct type), __VA_ARGS__})

#ifdef __cplusplus
#define CVY_NONE_SET                                                                                                   \
    {}
#else
#define CVY_NONE_SET                                                                                                   \
    { 0 }
#endif

/* Declares cvy_train_options_default() and its like. */
#define CVY_SIZED(type)                                                                                                \
    static inline struct type type##_default(void) {                                                                   \
        struct type all = CVY_NONE_SET;                                                                                \
        all.size = sizeof all;                                                                                         \
        return all;                                                                                                    \
    }

#endif
