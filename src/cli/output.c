#include "output.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"

/* ---- Tables ---- */

#define MAX_COLUMNS ((int)(sizeof((struct cli_table *)0)->left))

static void add_cell(struct cli_table *table, const char *text, size_t size) {
    cvy_buf_write(&table->cells, text, size);
    cvy_buf_write(&table->cells, "", 1);
    table->count++;
}

void cli_table_start(struct cli_table *table, const char *titles) {
    *table = (struct cli_table){0};
    for (const char *p = titles; table->columns < MAX_COLUMNS;) {
        size_t length = strcspn(p, "|");
        bool left = *p == '<';
        table->left[table->columns++] = left;
        add_cell(table, p + left, length - left);
        if (p[length] == '\0') break;
        p += length + 1;
    }
}

void cli_cell(struct cli_table *table, const char *fmt, ...) {
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    add_cell(table, text, strlen(text));
}

/* Columns on a terminal: UTF-8 continuation bytes take none. */
static int width_of(const char *text) {
    int width = 0;
    for (; *text; text++) width += (*text & 0xC0) != 0x80;
    return width;
}

static void print_cell(const char *text, int width, bool left, bool last) {
    int space = width - width_of(text);
    if (left && last)
        printf("%s", text);
    else
        printf("%*s%s%*s", left ? 0 : space, "", text, left ? space : 0, "");
}

void cli_table_print(struct cli_table *table) {
    int width[32] = {0};
    const char *cell = cvy_buf_text(&table->cells);
    for (int i = 0; i < table->count; i++, cell += strlen(cell) + 1) {
        int w = width_of(cell);
        if (w > width[i % table->columns]) width[i % table->columns] = w;
    }
    cell = cvy_buf_text(&table->cells);
    for (int i = 0; i < table->count; i++, cell += strlen(cell) + 1) {
        int column = i % table->columns;
        bool last = column == table->columns - 1;
        print_cell(cell, width[column], table->left[column], last);
        printf("%s", last ? "\n" : "  ");
    }
    cvy_buf_destroy(&table->cells);
}

void cli_fact(const char *name, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    printf("%-14s", name);
    vprintf(fmt, args);
    putchar('\n');
    va_end(args);
}

/* ---- Numbers ---- */

#define TURNS 8
static char *next_text(void) {
    static char texts[TURNS][40];
    static int turn;
    return texts[turn++ % TURNS];
}

const char *cli_count(int64_t value) {
    char digits[24], *out = next_text(), *p = out;
    int length = snprintf(digits, sizeof digits, "%" PRId64, value);
    for (int i = 0; i < length; i++) {
        *p++ = digits[i];
        int behind = length - 1 - i;
        if (behind && behind % 3 == 0 && digits[i] != '-') *p++ = ',';
    }
    *p = '\0';
    return out;
}

const char *cli_rate(double value) {
    if (value >= 100) return cli_count((int64_t)(value + 0.5));
    char *out = next_text();
    snprintf(out, 40, "%.3g", value);
    return out;
}

const char *cli_bytes(int64_t value) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)value;
    int unit = 0;
    for (; size >= 1024 && unit < 4; unit++) size /= 1024;
    char *out = next_text();
    snprintf(out, 40, unit ? "%.1f %s" : "%.0f %s", size, units[unit]);
    return out;
}

const char *cli_seconds(double value) {
    char *out = next_text();
    int minutes = (int)(value / 60);
    if (value < 100)
        snprintf(out, 40, "%.1f s", value);
    else if (value < 3600)
        snprintf(out, 40, "%d min %d s", minutes, (int)value % 60);
    else
        snprintf(out, 40, "%d h %d min", minutes / 60, minutes % 60);
    return out;
}

/* ---- JSON ---- */

void cli_print_error(const char *text) {
    fflush(stdout);
    cli_voice_rest();
    while (*text) {
        size_t length = strcspn(text, "\n");
        if (length) fprintf(stderr, "convoy: error: %.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

cvy_status cli_print_json(struct cli *cli, struct cvy_buf *json) {
    bool whole = !json->failed;
    if (whole) printf("%s\n", cvy_buf_text(json));
    cvy_buf_destroy(json);
    if (whole) return CVY_OK;
    cli_fail(cli, "no memory for the JSON text");
    return CVY_ERR_INTERNAL;
}
