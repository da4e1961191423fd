/* What commands print: tables with aligned columns, numbers for people, JSON. All of it on stdout, by rank 0 alone. */
#ifndef CVY_CLI_OUTPUT_H
#define CVY_CLI_OUTPUT_H

#include <stdint.h>

#include "convoy.h"
#include "core/buf.h"
#include "options.h"

/* Rows of cells; columns are right-aligned, those whose title starts with '<' left-aligned. */
struct cli_table {
    struct cvy_buf cells; /* texts, each closed by a NUL */
    int columns, count;
    bool left[32];
};
/* Titles are the first row: "<layer|output|parameters". */
void cli_table_start(struct cli_table *table, const char *titles);
void cli_cell(struct cli_table *table, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints and frees. */
void cli_table_print(struct cli_table *table);

/* "name   value", names in a column of their own. */
void cli_fact(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Numbers as text, in one of a few buffers in turn. */
const char *cli_count(int64_t value);  /* "61,706" */
const char *cli_rate(double value);    /* "51,706", "8.85": three figures at least */
const char *cli_bytes(int64_t value);  /* "1.5 MiB" */
const char *cli_seconds(double value); /* "3 h 20 min", "12.3 s" */

/* On stderr, a line a finding. */
void cli_print_error(const char *text);

/* Prints the object and frees the buffer. */
cvy_status cli_print_json(struct cli *cli, struct cvy_buf *json);

#endif
