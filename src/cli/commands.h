/* All commands, in the order in which --help lists them. */
#ifndef CVY_CLI_COMMANDS_H
#define CVY_CLI_COMMANDS_H

#include "options.h"

#define CLI_COMMANDS(X)                                                                                                \
    X(help)                                                                                                            \
    X(train)                                                                                                           \
    X(eval)                                                                                                            \
    X(predict)                                                                                                         \
    X(describe)                                                                                                        \
    X(bench)                                                                                                           \
    X(plan)                                                                                                            \
    X(data_pack)                                                                                                       \
    X(data_info)                                                                                                       \
    X(data_verify)                                                                                                     \
    X(data_split)                                                                                                      \
    X(ckpt_list)                                                                                                       \
    X(ckpt_info)                                                                                                       \
    X(ckpt_verify)                                                                                                     \
    X(ckpt_diff)

#define CLI_DECLARE(name) extern const struct cli_command cli_##name;
CLI_COMMANDS(CLI_DECLARE)
#undef CLI_DECLARE

/* The topics of `convoy help`, a line each; whether a word is one of them, or a name in one. */
void cli_print_topics(void);
bool cli_help_knows(const char *word);

/* Where a word is told that is no topic and no name in one: a table of settings, options, commands, values, else of
 * texts in which it stands. False, and nothing, where there is none. And the same of one that has been told already:
 * what else is called exactly so, with settings or without. */
bool cli_words_print(const char *word);
/* Whether a whole name or a note is the word. */
bool cli_words_know(const char *word);
void cli_words_print_also(const char *word, bool settings);

/* From the first moment on SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 and SIGXCPU ask to stop. A command that cannot be
 * asked gives them back, and dies of one that has come. */
void cli_signals_catch(void);
void cli_signals_give_back(void);
/* For a command that goes on when nobody reads its output, or a file may not grow. */
void cli_signals_spare_writes(void);
/* The context that is asked to stop; a signal that came before it counts. NULL: none. */
void cli_signals_go_to(struct cvy_context *ctx);

/* convoy-run, where it listens: "here" (handlers are there), "together" (all ranks have them), "step N" (the first one
 * that was done), and, in a handler, that a request has come. */
void cli_launcher_find(void);
bool cli_launcher_listens(void);
/* Why it starts us again; NULL: it does not. */
const char *cli_launcher_reason(void);
void cli_launcher_tell(const char *word);
void cli_launcher_tell_asked(void);
/* Ends the process with CVY_ERR_LOST and a message unless cli_met is called within so many seconds. */
void cli_meet_within(double seconds);
void cli_met(void);

/* What the library says, for struct cvy_context_options; _rest leaves the line that is drawn, _erase takes it away. */
void cli_voice_log(void *user, cvy_log_level level, const char *text);
bool cli_voice_progress(void *user, const char *what, int64_t done, int64_t total);
void cli_voice_rest(void);
void cli_voice_erase(void);

#endif
