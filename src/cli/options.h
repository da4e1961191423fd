/* A command is a table: its arguments, its options with the members that they set, what it does. Parsing and --help are
 * both made from it. */
#ifndef CVY_CLI_OPTIONS_H
#define CVY_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convoy.h"

enum cli_type {
    CLI_FLAG,   /* bool */
    CLI_TEXT,   /* const char *, NULL where not given */
    CLI_PATH,   /* the same, of a file or folder: ~ is expanded, which no shell does in --run=~/x */
    CLI_INT,    /* struct cli_int */
    CLI_REAL,   /* double greater than 0: 0.5, 1/255 */
    CLI_TIME,   /* double, seconds: 90s, 55m, 1h30m or H:MM:SS */
    CLI_CHOICE, /* int: index in `choices` */
    CLI_COLOR,  /* struct cli_color: a grey from 0 to 255, or #rrggbb */
    CLI_LIST    /* struct cli_list: may be repeated */
};
struct cli_int {
    bool given;
    int64_t value;
};
struct cli_color {
    unsigned char rgb[3];
};
struct cli_list {
    const char *items[64];
    int count;
};

struct cli_option {
    const char *name, *argument; /* "steps", "N"; no argument for a flag */
    const char *help;
    enum cli_type type;
    size_t offset;        /* of the member */
    const char *fallback; /* as it would be typed; NULL: the member stays zero */
    int64_t low, high;    /* INT: the allowed range, both ends included */
    const char *choices;  /* CHOICE: "error|warn" */
    char letter;          /* "-q" is short for it; 0: none */
    const char *needs;    /* "--out", "MODEL": it has no effect without; NULL: by itself */
};
struct cli_argument {
    const char *name, *help;
    bool optional, many; /* many: one or more, the last of its table */
};

/* Options that every command has. */
struct cli_common {
    bool help, json, version, quiet;
    struct cli_int threads;
    int log_level; /* cvy_log_level */
    const char *rank_logs;
    double silence;
};

#define CLI_SETTINGS_BYTES     2048
#define CLI_SETTINGS_FIT(type) _Static_assert(sizeof(type) <= CLI_SETTINGS_BYTES, "raise CLI_SETTINGS_BYTES")

enum { CLI_PATHS = 4, CLI_PATH_ROOM = 4096, CLI_IDLE = 8 };

/* What an exit code means to one command. */
struct cli_exit {
    const char *code, *means;
};
/* Those that commands have alike, for their tables. */
#define CLI_EXIT_DONE                                                                                                  \
    { "0", "done" }
#define CLI_EXIT_FAULT                                                                                                 \
    { "1", "internal fault, or what it has to write cannot be written" }
#define CLI_EXIT_USAGE                                                                                                 \
    { "2", "bad usage, or a bad experiment or model file" }
#define CLI_EXIT_DATA                                                                                                  \
    { "3", "bad or missing data" }
#define CLI_EXIT_CHECKPOINT                                                                                            \
    { "4", "no usable checkpoint" }
#define CLI_EXIT_LOST                                                                                                  \
    { "6", "under mpirun: a rank or the network was lost" }

struct cli;
struct cli_command {
    const char *name;                     /* "train", "data pack" */
    const char *purpose;                  /* one line */
    const struct cli_argument *arguments; /* ends with {0} */
    const struct cli_option *options;     /* ends with {0}; members of the command's own settings */
    const char *example;
    const struct cli_exit *exits; /* ends with {0} */
    bool all_ranks;               /* else rank 0 runs it and the others wait */
    bool stoppable;               /* signals ask it to stop; a reader of its output who has gone does not */
    cvy_status (*run)(struct cli *cli);
};

/* One call of the program. */
struct cli {
    const struct cli_command *command;
    const char *program; /* as it was called */
    struct cli_common common;
    _Alignas(16) unsigned char settings[CLI_SETTINGS_BYTES]; /* the command's own struct */
    char **arguments;
    int argument_count;
    struct cvy_context *ctx;
    int exit_code;                        /* of a command that succeeded: `ckpt diff` says 1 for "they differ" */
    char paths[CLI_PATHS][CLI_PATH_ROOM]; /* of options that stand for others than they say */
    int path_count;
    const struct cli_option *idle[CLI_IDLE]; /* given, but without what they need */
    int idle_count;
    char error[1024]; /* the program's own; "": the library's */
};

/* Fills common, settings and arguments from the words behind the command's name (argv[0] is that name). */
cvy_status cli_parse(struct cli *cli, int argc, char **argv);

/* Sets the message; gives CVY_ERR_USAGE. */
cvy_status cli_fail(struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "Usage: …" without the word, into `out`. */
void cli_usage(const struct cli_command *command, char *out, size_t room);
void cli_print_help(const struct cli_command *command);
extern const struct cli_option cli_common_options[];

#endif
