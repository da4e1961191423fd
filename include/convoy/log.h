/* Log levels: what a run says of itself. */
#ifndef CONVOY_LOG_H
#define CONVOY_LOG_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cvy_log_level { CVY_LOG_ERROR, CVY_LOG_WARN, CVY_LOG_INFO, CVY_LOG_DEBUG } cvy_log_level;

#ifdef __cplusplus
}
#endif

#endif
