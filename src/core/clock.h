/* Time: monotonic seconds for measuring, ISO 8601 for people. */
#ifndef CVY_CORE_CLOCK_H
#define CVY_CORE_CLOCK_H

#include <stddef.h>

double cvy_clock(void);             /* seconds since some fixed moment */
double cvy_clock_since_start(void); /* seconds since this process was started */
void cvy_clock_stamp(char out[32]); /* "2026-11-23T14:50:54Z" */

enum { CVY_TIME_TEXT = 32 };
/* Hours, minutes and seconds: "0:55:00". */
const char *cvy_time_text(double seconds, char out[CVY_TIME_TEXT]);

#endif
