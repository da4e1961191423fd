/* Status codes and the message of the last failure.
 *
 * The codes are the program's exit codes, so one number travels from the function that failed to the shell. */
#ifndef CONVOY_STATUS_H
#define CONVOY_STATUS_H

#if defined(__GNUC__)
#define CVY_API __attribute__((visibility("default")))
#else
#define CVY_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cvy_status {
    CVY_OK = 0,
    CVY_ERR_INTERNAL = 1,   /* a fault of ours, of MPI or of the machine (no memory) */
    CVY_ERR_USAGE = 2,      /* bad command line or experiment file */
    CVY_ERR_DATA = 3,       /* bad or missing data */
    CVY_ERR_CHECKPOINT = 4, /* no usable checkpoint where one was demanded */
    CVY_ERR_DIVERGED = 5,   /* the loss is not finite */
    CVY_ERR_LOST = 6,       /* another rank fell silent, or the network failed: run again with resume */
    CVY_STOPPED = 75        /* stopped on request after writing a checkpoint: run again with resume */
} cvy_status;

/* The message of this thread's last failure: what was expected, what was found, where, what to do next; "" if none.
 * Several findings about one file are separated by newlines. Valid until this thread's next failure. Not collective. */
CVY_API const char *cvy_error_message(void);

/* The calls that the last failure passed through, innermost first, for a bug report. Not collective. */
CVY_API const char *cvy_error_trail(void);

#ifdef __cplusplus
}
#endif

#endif
