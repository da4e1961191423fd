/* convoy COMMAND [ARGUMENTS]: finds the command, parses its words, lets the ranks meet, runs it, reports.
 *
 * Open MPI kills all ranks at the first non-zero exit, so even a usage error meets in the context's barrier before
 * anybody leaves; rank 0 alone speaks. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "output.h"
#include "core/text.h"

static const struct cli_command *const commands[] = {
#define LIST(name) &cli_##name,
    CLI_COMMANDS(LIST)
#undef LIST
};
#define COMMAND_COUNT ((int)(sizeof commands / sizeof *commands))

/* ---- Help and version of the program ---- */

static void print_program_help(const char *group) {
    printf(
        "Usage: convoy COMMAND [ARGUMENTS]\n\nConvolutional networks trained on clusters of CPU nodes.\n\nCommands:\n");
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strncmp(commands[i]->name, group, strlen(group)) == 0)
            printf("  %-14s%s\n", commands[i]->name, commands[i]->purpose);
    if (group[0] == '\0') {
        printf("\nWhat may be written in experiment and model files, convoy help says:\n\n");
        cli_print_topics();
    }
    printf("\nconvoy COMMAND --help says more; convoy --version gives the version (with --json, how it was built).\n"
           "Put mpirun -n RANKS in front to work on several processes.\n");
}

static void print_version(bool json) {
    struct cvy_buf buf = {0};
    if (!json) {
        printf("convoy %s\n", cvy_version());
        return;
    }
    cvy_json_open(&buf, NULL, '{');
    cvy_json_text(&buf, "name", "convoy");
    cvy_json_text(&buf, "version", cvy_version());
    cvy_json_text(&buf, "compiler", __VERSION__);
    cvy_json_int(&buf, "c_standard", __STDC_VERSION__);
    cvy_json_close(&buf, '}');
    printf("%s\n", cvy_buf_text(&buf));
    cvy_buf_destroy(&buf);
}

static const struct cli_command *command_of(int argc, char **argv);
static bool is_group(const char *word);

static bool asks_json(int argc, char **argv) {
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--json") == 0) return true;
    return false;
}

/* `convoy help`, `convoy help train`; false where the command `help` has something to say, too. */
static bool answer_help(int argc, char **argv) {
    const struct cli_command *command = argc > 2 ? command_of(argc - 1, argv + 1) : NULL;
    const bool group = argc > 2 && is_group(argv[2]), whole = argc > 2 && (argc == 3 || argv[3][0] == '-');
    const bool more = whole && cli_help_knows(argv[2]);
    if (argc > 2 && command == NULL && !group) return false;
    if (asks_json(argc, argv) && (more || argc == 2)) return false;
    if (!cvy_launcher_rank_is_zero()) return !more;
    if (command)
        cli_print_help(command);
    else
        print_program_help(argc > 2 ? argv[2] : "");
    if (more) printf("\nIn an experiment file:\n\n");
    return !more;
}

/* True when the first word was a question that is answered now. */
static bool answer_first_word(int argc, char **argv) {
    const char *word = argc > 1 ? argv[1] : "";
    bool speak = cvy_launcher_rank_is_zero();
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0 || strcmp(word, "version") == 0) {
        if (speak) print_version(argc > 2 && strcmp(argv[2], "--json") == 0);
        return true;
    }
    if (strcmp(word, "help") == 0) return answer_help(argc, argv);
    if (strcmp(word, "--help") && strcmp(word, "-h")) return false;
    if (speak) print_program_help("");
    return true;
}

/* ---- Finding the command ---- */

/* Words of argv that a command's name takes, 0 where it is another. */
static int matches(const struct cli_command *command, int argc, char **argv) {
    const char *space = strchr(command->name, ' ');
    if (space == NULL) return strcmp(argv[1], command->name) == 0;
    size_t length = (size_t)(space - command->name);
    bool first = strlen(argv[1]) == length && strncmp(argv[1], command->name, length) == 0;
    return first && argc > 2 && strcmp(argv[2], space + 1) == 0 ? 2 : 0;
}

static bool is_group(const char *word) {
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (strncmp(commands[i]->name, word, strlen(word)) == 0 && commands[i]->name[strlen(word)] == ' ') return true;
    return false;
}

static cvy_status refuse_command(struct cli *cli, int argc, char **argv) {
    const char *names[COMMAND_COUNT];
    char word[128];
    bool group = is_group(argv[1]);
    for (int i = 0; i < COMMAND_COUNT; i++) names[i] = commands[i]->name;
    if (group && argc < 3)
        return cli_fail(cli, "\"%s\" needs a second word; convoy %s --help lists them", argv[1], argv[1]);
    snprintf(word, sizeof word, "%s%s%s", argv[1], group ? " " : "", group ? argv[2] : "");
    const char *near = cvy_nearest(word, names, (size_t)COMMAND_COUNT);
    if (word[0] == '-')
        return cli_fail(cli, "%s: options come after the command; convoy --help lists the commands", word);
    if (near) return cli_fail(cli, "unknown command \"%s\"; did you mean \"%s\"?", word, near);
    return cli_fail(cli, "unknown command \"%s\"; convoy --help lists them", word);
}

static const struct cli_command *command_of(int argc, char **argv) {
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (matches(commands[i], argc, argv)) return commands[i];
    return NULL;
}

static cvy_status parse_command(struct cli *cli, int argc, char **argv) {
    if (argc < 2) return cli_fail(cli, "a command is missing; convoy --help lists them");
    cli->command = command_of(argc, argv);
    if (cli->command) {
        int words = matches(cli->command, argc, argv);
        return cli_parse(cli, argc - words, argv + words);
    }
    if (argc > 2 && is_group(argv[1]) && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)) {
        cli->common.help = true;
        return CVY_OK;
    }
    return refuse_command(cli, argc, argv);
}

static void print_help(const struct cli *cli, const char *group) {
    if (!cvy_launcher_rank_is_zero()) return;
    if (cli->command)
        cli_print_help(cli->command);
    else
        print_program_help(group);
}

/* ---- Running it ---- */

static void print_error(const struct cli *cli) {
    cli_print_error(cli->error[0] ? cli->error : cvy_error_message());
    if (cli->common.log_level == CVY_LOG_DEBUG) fputs(cvy_error_trail(), stderr);
}

static cvy_status flush_output(struct cli *cli) {
    if (fflush(stdout) == 0 && !ferror(stdout)) return CVY_OK;
    if (errno == EPIPE && cli->command && cli->command->stoppable) return CVY_OK; /* nobody wants to read it */
    cli_fail(cli, "cannot write to standard output");
    return CVY_ERR_INTERNAL;
}

static void say_idle(const struct cli *cli) {
    char text[256];
    for (int i = 0; i < cli->idle_count && cli->common.log_level >= CVY_LOG_WARN; i++) {
        const struct cli_option *o = cli->idle[i];
        snprintf(text, sizeof text, "%s: --%s has no effect without %s; add that, or leave --%s out",
                 cli->command->name, o->name, o->needs, o->name);
        cli_voice_log(NULL, CVY_LOG_WARN, text);
    }
}

static cvy_status run_command(struct cli *cli) {
    bool first = cvy_context_rank(cli->ctx) == 0;
    if (!first && !cli->command->all_ranks) return CVY_OK;
    if (first) say_idle(cli);
    cli_signals_go_to(cli->ctx);
    cvy_status status = cli->command->run(cli);
    cli_signals_go_to(NULL);
    cvy_status flushed = first ? flush_output(cli) : CVY_OK; /* before another rank's exit can end this one */
    return status == CVY_OK ? flushed : status;
}

/* A start takes its time where there are many ranks: so much longer than a rank may be silent later. */
#define MEETING_TAKES 12
/* With words that were not understood, nothing is known of that. */
#define MEETING_S 60

static cvy_status open_context(struct cli *cli) {
    if (cli->common.quiet && cli->common.log_level > CVY_LOG_WARN) cli->common.log_level = CVY_LOG_WARN;
    const struct cvy_context_options options = {.size = sizeof options,
                                                .threads = (int)cli->common.threads.value,
                                                .log_level = (cvy_log_level)cli->common.log_level,
                                                .log_folder = cli->common.rank_logs,
                                                .silence = cli->common.silence,
                                                .on_log = cli_voice_log,
                                                .on_progress = cli_voice_progress};
    cli_meet_within(cli->common.silence > 0 ? MEETING_TAKES * cli->common.silence : MEETING_S);
    cvy_status status = cvy_context_create(&options, &cli->ctx);
    cli_met();
    if (status == CVY_OK) cli_launcher_tell("together");
    return status;
}

/* Without a context there is no barrier to wait in: the others leave rank 0 the time to speak. */
#define SPEAKING_TIME_US (500 * 1000)

/* Rank 0 speaks for all; a rank that failed alone, while the others wait for it, speaks for itself and ends the job. */
static void report(struct cli *cli, cvy_status status) {
    bool first = cli->ctx ? cvy_context_rank(cli->ctx) == 0 : cvy_launcher_rank_is_zero();
    bool broken = cli->ctx && cvy_context_broken(cli->ctx);
    if (first || broken) print_error(cli);
    if (broken) cvy_context_abort(cli->ctx, status);
    if (cli->ctx == NULL && !first) usleep(SPEAKING_TIME_US);
}

/* Meets the other ranks, with or without an error to report. */
static cvy_status run(struct cli *cli, cvy_status status) {
    if (status != CVY_OK) cli->common = (struct cli_common){.log_level = CVY_LOG_ERROR};
    cvy_status opened = open_context(cli);
    if (status == CVY_OK) status = opened == CVY_OK ? run_command(cli) : opened;
    if (status != CVY_OK && status != CVY_STOPPED) report(cli, status);
    cvy_context_destroy(&cli->ctx);
    return status;
}

int main(int argc, char **argv) {
    struct cli cli = {.program = argv[0]};
    cli_launcher_find();
    cli_signals_catch();
    cli_launcher_tell("here");
    if (answer_first_word(argc, argv)) return flush_output(&cli);
    cvy_status status = parse_command(&cli, argc, argv);
    if (cli.common.help && status == CVY_OK) {
        print_help(&cli, argc > 1 ? argv[1] : "");
        return flush_output(&cli);
    }
    if (cli.common.version && status == CVY_OK) {
        if (cvy_launcher_rank_is_zero()) print_version(cli.common.json);
        return flush_output(&cli);
    }
    if (cli.command && cli.command->stoppable)
        cli_signals_spare_writes();
    else
        cli_signals_give_back();
    status = run(&cli, status);
    return status == CVY_OK ? cli.exit_code : (int)status;
}
