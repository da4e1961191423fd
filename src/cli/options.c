/* From words to members, by getopt_long and the tables of options.h. */
#define _GNU_SOURCE
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "io/path.h"

#define MEMBER(name) offsetof(struct cli_common, name)
const struct cli_option cli_common_options[] = {
    {"threads", "T", "compute threads a rank; else OMP_NUM_THREADS, else the processors divided by the node's ranks",
     CLI_INT, .offset = MEMBER(threads), .low = 1, .high = 4096},
    {"log-level", "LEVEL", "what rank 0 says on stderr: error, warn, info or debug", CLI_CHOICE,
     .offset = MEMBER(log_level), .fallback = "info", .choices = "error|warn|info|debug"},
    {"rank-logs", "DIR", "every rank also writes DIR/rank-NNNN.log", CLI_PATH, .offset = MEMBER(rank_logs)},
    {"silence", "TIME",
     "ends the job when a rank has been silent (stopped, or cut off) for so long; a debugger may want 10h", CLI_TIME,
     .offset = MEMBER(silence), .fallback = "5s"},
    {"json", NULL, "print the facts as one JSON object", CLI_FLAG, .offset = MEMBER(json)},
    {"quiet", NULL, "says warnings and errors alone on stderr; log.txt of a run has all the same", CLI_FLAG,
     .offset = MEMBER(quiet), .letter = 'q'},
    {"help", NULL, "print this and exit", CLI_FLAG, .offset = MEMBER(help), .letter = 'h'},
    {"version", NULL, "print the version and exit", CLI_FLAG, .offset = MEMBER(version), .letter = 'V'},
    {0},
};

cvy_status cli_fail(struct cli *cli, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(cli->error, sizeof cli->error, fmt, args);
    va_end(args);
    return CVY_ERR_USAGE;
}

/* ---- Values ---- */

/* A place to put a value, and what it was called. */
struct target {
    struct cli *cli;
    const struct cli_option *option;
    void *member;
};

static cvy_status mistyped(const struct target *t, const char *expected, const char *word) {
    return cli_fail(t->cli, "%s: --%s %s: expected %s", t->cli->command->name, t->option->name, word, expected);
}

static cvy_status set_flag(const struct target *t, const char *word) {
    (void)word;
    *(bool *)t->member = true;
    return CVY_OK;
}

static cvy_status set_text(const struct target *t, const char *word) {
    *(const char **)t->member = word;
    return CVY_OK;
}

/* What a word stands for that is a path; `prefix` and `name` say which one an error is about. */
static cvy_status take_path(struct cli *cli, const char *prefix, const char *name, const char *word, char **out) {
    char path[CVY_PATH_MAX];
    if (cvy_path_typed(word, path) != CVY_OK)
        return cli_fail(cli, "%s: %s%s %s", cli->command->name, prefix, name, cvy_error_message());
    if (cli->path_count == CLI_PATHS)
        return cli_fail(cli, "%s: %s%s %s: too many paths begin with ~; write this one out", cli->command->name, prefix,
                        name, word);
    *out = cli->paths[cli->path_count] = strdup(path);
    if (*out == NULL) return cli_fail(cli, "%s: no memory for %s", cli->command->name, word);
    cli->path_count++;
    return CVY_OK;
}

static bool stands_for_another(const char *word) {
    return word[0] == '~' || strchr(word, '$');
}

static cvy_status set_path(const struct target *t, const char *word) {
    char *path = NULL;
    if (!stands_for_another(word)) return set_text(t, word);
    cvy_status status = take_path(t->cli, "--", t->option->name, word, &path);
    return status == CVY_OK ? set_text(t, path) : status;
}

static cvy_status set_int(const struct target *t, const char *word) {
    char *end, expected[96];
    errno = 0;
    long long value = strtoll(word, &end, 10);
    if (end == word || *end || errno || value < t->option->low || value > t->option->high) {
        int used = snprintf(expected, sizeof expected, "a whole number of at least %lld", (long long)t->option->low);
        if (t->option->high < INT64_MAX)
            snprintf(expected + used, sizeof expected - (size_t)used, " and at most %lld", (long long)t->option->high);
        return mistyped(t, expected, word);
    }
    *(struct cli_int *)t->member = (struct cli_int){true, value};
    return CVY_OK;
}

static cvy_status set_real(const struct target *t, const char *word) {
    double value;
    if (!cvy_read_number(word, &value) || !(value > 0 && value < 1e30))
        return mistyped(t, "a number above 0 and below 1e30, or 1/255", word);
    *(double *)t->member = value;
    return CVY_OK;
}

/* H:MM:SS */
static bool read_clock(const char *text, double *seconds) {
    int h, m, s, used = 0;
    if (sscanf(text, "%d:%2d:%2d%n", &h, &m, &s, &used) != 3 || text[used]) return false;
    if (h < 0 || m < 0 || m > 59 || s < 0 || s > 59) return false;
    *seconds = 3600.0 * h + 60.0 * m + s;
    return true;
}

/* "55m" → 3300; false when it is no time. */
static bool read_time(const char *text, double *seconds) {
    static const char units[] = "hms";
    static const double unit_seconds[] = {3600, 60, 1};
    double sum = 0;
    if (read_clock(text, seconds)) return *seconds > 0;
    while (*text) {
        char *end;
        if (*text < '0' || *text > '9') return false;
        double value = strtod(text, &end);
        const char *unit = *end ? strchr(units, *end) : NULL;
        if (unit == NULL) return false;
        sum += value * unit_seconds[unit - units];
        text = end + 1;
    }
    *seconds = sum;
    return sum > 0;
}

static cvy_status set_time(const struct target *t, const char *word) {
    return read_time(word, t->member) ? CVY_OK : mistyped(t, "a time such as 90s, 55m, 1h30m or 0:55:00", word);
}

static cvy_status set_choice(const struct target *t, const char *word) {
    int index = 0;
    for (const char *p = t->option->choices; *p; index++) {
        size_t length = strcspn(p, "|");
        if (length == strlen(word) && strncmp(p, word, length) == 0) {
            *(int *)t->member = index;
            return CVY_OK;
        }
        p += length + (p[length] == '|');
    }
    return mistyped(t, t->option->choices, word);
}

static cvy_status set_color(const struct target *t, const char *word) {
    unsigned char *rgb = ((struct cli_color *)t->member)->rgb;
    const bool hex = word[0] == '#';
    const char *digits = word + hex;
    const size_t length = strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789");
    const long value = strtol(digits, NULL, hex ? 16 : 10);
    if (digits[length] || (hex ? length != 6 : length == 0 || length > 3 || value > 255))
        return mistyped(t, "a grey from 0 to 255, or #rrggbb (in quotes, or the shell takes it for a comment)", word);
    for (int c = 0; c < 3; c++) rgb[c] = (unsigned char)(hex ? value >> (16 - 8 * c) : value);
    return CVY_OK;
}

static cvy_status append(const struct target *t, const char *word) {
    struct cli_list *list = t->member;
    if (list->count == (int)(sizeof list->items / sizeof *list->items))
        return cli_fail(t->cli, "%s: --%s is given more than %d times; put the values into the file",
                        t->cli->command->name, t->option->name, list->count);
    list->items[list->count++] = word;
    return CVY_OK;
}

static cvy_status set(struct cli *cli, const struct cli_option *option, void *base, const char *word) {
    static cvy_status (*const setters[])(const struct target *, const char *) = {
        [CLI_FLAG] = set_flag,     [CLI_TEXT] = set_text, [CLI_PATH] = set_path,
        [CLI_INT] = set_int,       [CLI_REAL] = set_real, [CLI_TIME] = set_time,
        [CLI_CHOICE] = set_choice, [CLI_LIST] = append,   [CLI_COLOR] = set_color,
    };
    return setters[option->type](&(struct target){cli, option, (char *)base + option->offset}, word);
}

/* ---- The command line ---- */

#define MAX_OPTIONS 32
#define FIRST_VALUE 1000 /* beyond any character: what getopt_long returns for the first option */

/* The command's own options, then the common ones. */
struct option_set {
    const struct cli_option *options[MAX_OPTIONS];
    void *bases[MAX_OPTIONS]; /* the struct whose members they are */
    struct option words[MAX_OPTIONS + 1];
    const char *typed[MAX_OPTIONS]; /* the value that each was given last, "" of a flag; NULL: it was not given */
    int count;
};

static void add_options(struct option_set *all, const struct cli_option *options, void *base) {
    for (const struct cli_option *o = options; o && o->name && all->count < MAX_OPTIONS; o++) {
        all->words[all->count] = (struct option){o->name, o->type == CLI_FLAG ? no_argument : required_argument, NULL,
                                                 FIRST_VALUE + all->count};
        all->options[all->count] = o;
        all->bases[all->count++] = base;
    }
}

/* "--epochs 3" is a setting of the experiment, which --set reaches. `value`: the word behind it, or NULL. */
static bool is_setting(struct cli *cli, const struct option_set *all, const char *bare, const char *value) {
    char path[64];
    bool settable = false;
    for (int i = 0; i < all->count; i++) settable |= strcmp(all->options[i]->name, "set") == 0;
    if (!settable || !cvy_reference_path(bare, path)) return false;
    cli_fail(cli, "%s: --%s is a setting of the experiment; write --set %s=%s", cli->command->name, bare, path,
             value && value[0] && value[0] != '-' ? value : "VALUE");
    return true;
}

/* "--ranks 4" is for what starts the program. */
static bool is_launchers(struct cli *cli, const char *bare, const char *value) {
    static const char *const ranks = "ranks";
    if (!cli->command->all_ranks || !cvy_meant(bare, &ranks, 1)) return false;
    cli_fail(cli, "%s: unknown option --%s; it is mpirun's: mpirun -n %s convoy %s …", cli->command->name, bare,
             value && value[0] && value[0] != '-' ? value : "RANKS", cli->command->name);
    return true;
}

static cvy_status unknown_option(struct cli *cli, const struct option_set *all, const char *word, const char *behind) {
    const char *names[MAX_OPTIONS];
    char bare[64];
    for (int i = 0; i < all->count; i++) names[i] = all->options[i]->name;
    while (*word == '-') word++;
    snprintf(bare, sizeof bare, "%.*s", (int)strcspn(word, "="), word);
    const char *equals = strchr(word, '='), *near = cvy_meant(bare, names, (size_t)all->count);
    const char *value = equals ? equals + 1 : behind;
    if (near == NULL && (is_launchers(cli, bare, value) || is_setting(cli, all, bare, value))) return CVY_ERR_USAGE;
    if (near == NULL) near = cvy_nearest(bare, names, (size_t)all->count);
    if (near) return cli_fail(cli, "%s: unknown option --%s; did you mean --%s?", cli->command->name, bare, near);
    return cli_fail(cli, "%s: unknown option --%s; convoy %s --help lists them", cli->command->name, bare,
                    cli->command->name);
}

static cvy_status refuse_option(struct cli *cli, const struct option_set *all, int answer, char *const *words) {
    int index = optopt - FIRST_VALUE;
    bool ours = index >= 0 && index < all->count;
    if (answer == ':' && ours)
        return cli_fail(cli, "%s: --%s needs a value %s", cli->command->name, all->options[index]->name,
                        all->options[index]->argument);
    if (ours) return cli_fail(cli, "%s: --%s takes no value", cli->command->name, all->options[index]->name);
    if (optopt)
        return cli_fail(cli, "%s: unknown option -%c; convoy %s --help lists them", cli->command->name, optopt,
                        cli->command->name);
    return unknown_option(cli, all, words[0], words[1]);
}

static cvy_status set_fallbacks(struct cli *cli, const struct option_set *all) {
    for (int i = 0; i < all->count; i++) {
        const struct cli_option *o = all->options[i];
        cvy_status status = o->fallback ? set(cli, o, all->bases[i], o->fallback) : CVY_OK;
        if (status != CVY_OK) return status;
    }
    return CVY_OK;
}

/* What getopt_long says of "-q": its number among the options, or −1. */
static int by_letter(const struct option_set *all, int letter) {
    for (int i = 0; i < all->count; i++)
        if (all->options[i]->letter == letter) return i;
    return -1;
}

/* An option's value, which no other of its has been before; a list takes them all. */
static cvy_status take_option(struct cli *cli, struct option_set *all, int index, const char *word) {
    const struct cli_option *option = all->options[index];
    const char *before = all->typed[index];
    if (option->type != CLI_LIST && before && word && strcmp(before, word) != 0)
        return cli_fail(cli, "%s: --%s is given twice, %s and %s; it takes one", cli->command->name, option->name,
                        before, word);
    all->typed[index] = word ? word : "";
    return set(cli, option, all->bases[index], word);
}

static cvy_status read_options(struct cli *cli, struct option_set *all, int argc, char **argv) {
    optind = 0; /* glibc: forget an earlier scan */
    opterr = 0;
    for (;;) {
        int answer = getopt_long(argc, argv, ":hqV", all->words, NULL);
        if (answer == -1) return CVY_OK;
        if (answer == ':' || answer == '?') return refuse_option(cli, all, answer, argv + optind - 1);
        int index = answer < FIRST_VALUE ? by_letter(all, answer) : answer - FIRST_VALUE;
        cvy_status status = take_option(cli, all, index, optarg);
        if (status != CVY_OK || cli->common.help || cli->common.version) return status;
    }
}

static cvy_status take_arguments(struct cli *cli) {
    const struct cli_argument *a = cli->command->arguments;
    for (int i = 0; i < cli->argument_count; i++) {
        char **word = &cli->arguments[i];
        cvy_status status = a->word || !stands_for_another(*word) ? CVY_OK : take_path(cli, "", a->name, *word, word);
        if (status != CVY_OK) return status;
        a += !a->many;
    }
    return CVY_OK;
}

static cvy_status check_arguments(struct cli *cli) {
    char usage[512];
    int left = cli->argument_count;
    cli_usage(cli->command, usage, sizeof usage);
    for (const struct cli_argument *a = cli->command->arguments; a->name; a++) {
        if (left == 0 && !a->optional)
            return cli_fail(cli, "%s: %s is missing; usage: %s", cli->command->name, a->name, usage);
        left = a->many ? 0 : left - (left > 0);
    }
    if (left > 0)
        return cli_fail(cli, "%s: \"%s\" is one argument too many; usage: %s", cli->command->name,
                        cli->arguments[cli->argument_count - left], usage);
    return take_arguments(cli);
}

void cli_forget(struct cli *cli) {
    while (cli->path_count > 0) free(cli->paths[--cli->path_count]);
}

/* What an option needs: another option, or an argument of the command. */
static bool is_there(const struct cli *cli, const struct option_set *all, const char *needed) {
    int place = 0;
    for (int i = 0; i < all->count; i++)
        if (needed[0] == '-' && strcmp(all->options[i]->name, needed + 2) == 0) return all->typed[i] != NULL;
    while (cli->command->arguments[place].name && strcmp(cli->command->arguments[place].name, needed)) place++;
    return place < cli->argument_count;
}

static void note_idle(struct cli *cli, const struct option_set *all) {
    for (int i = 0; i < all->count && cli->idle_count < CLI_IDLE; i++) {
        const struct cli_option *o = all->options[i];
        if (all->typed[i] && o->needs && !is_there(cli, all, o->needs)) cli->idle[cli->idle_count++] = o;
    }
}

cvy_status cli_parse(struct cli *cli, int argc, char **argv) {
    struct option_set all = {.count = 0};
    add_options(&all, cli->command->options, cli->settings);
    add_options(&all, cli_common_options, &cli->common);
    cvy_status status = set_fallbacks(cli, &all);
    if (status == CVY_OK) status = read_options(cli, &all, argc, argv);
    if (status != CVY_OK || cli->common.help || cli->common.version) return status;
    cli->arguments = argv + optind;
    cli->argument_count = argc - optind;
    note_idle(cli, &all);
    return check_arguments(cli);
}
