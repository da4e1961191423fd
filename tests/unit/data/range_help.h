/* Ranges of values, as tables of cases write them; and what stands where no factor is certain. */
#ifndef CVY_TESTS_RANGE_HELP_H
#define CVY_TESTS_RANGE_HELP_H

/* whole, bytes */
#define BYTES(low, high)                                                                                               \
    { low, high, true, true }
#define WHOLE(low, high)                                                                                               \
    { low, high, true, false }
#define NUMBERS(low, high)                                                                                             \
    { low, high, false, false }
enum { REFUSED = 0 };

#endif
