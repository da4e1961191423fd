/* --help, made from the table that is parsed. */
#include <stdio.h>
#include <string.h>

#include "options.h"

void cli_usage(const struct cli_command *command, char *out, size_t room) {
    size_t used = (size_t)snprintf(out, room, "convoy %s [OPTIONS]", command->name);
    for (const struct cli_argument *a = command->arguments; a->name && used < room; a++)
        used += (size_t)snprintf(out + used, room - used, " %s%s%s%s", a->optional ? "[" : "", a->name,
                                 a->many ? "..." : "", a->optional ? "]" : "");
}

#define NAME_COLUMNS 24
#define TEXT_COLUMNS 76

/* "  name   help", the help wrapped behind the names. */
static void print_row(const char *name, const char *help, const char *fallback) {
    char text[512];
    snprintf(text, sizeof text, "%s%s%s%s", help, fallback ? " (default " : "", fallback ? fallback : "",
             fallback ? ")" : "");
    printf("  %-*s", NAME_COLUMNS - 2, name);
    if (strlen(name) > NAME_COLUMNS - 4) printf("\n%*s", NAME_COLUMNS, "");
    int column = 0;
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        int length = (int)strlen(word);
        if (column && column + 1 + length > TEXT_COLUMNS) {
            printf("\n%*s", NAME_COLUMNS, "");
            column = 0;
        }
        column += printf("%s%s", column ? " " : "", word);
    }
    putchar('\n');
}

static void print_options(const struct cli_option *options) {
    for (const struct cli_option *o = options; o && o->name; o++) {
        char name[64], letter[8] = "";
        if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
        snprintf(name, sizeof name, "%s--%s%s%s", letter, o->name, o->argument ? " " : "",
                 o->argument ? o->argument : "");
        print_row(name, o->help, o->fallback);
    }
}

void cli_print_help(const struct cli_command *command) {
    char usage[512];
    cli_usage(command, usage, sizeof usage);
    printf("Usage: %s\n\n%s\n\nArguments:\n", usage, command->purpose);
    for (const struct cli_argument *a = command->arguments; a->name; a++) print_row(a->name, a->help, NULL);
    printf("\nOptions:\n");
    print_options(command->options);
    print_options(cli_common_options);
    printf("\nExample:\n  %s\n\nExit codes:\n", command->example);
    for (const struct cli_exit *e = command->exits; e->code; e++) print_row(e->code, e->means, NULL);
}
