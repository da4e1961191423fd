/* Paths in files and behind "--option=", which no shell has seen. */
#define _GNU_SOURCE
#include <ctype.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/inside.h"
#include "io/path.h"

/* A text that grows up to its room. */
struct text {
    char *out;
    size_t room, used;
    const char *path; /* that it is made from */
};

static cvy_status add(struct text *t, const char *bytes, size_t count) {
    CVY_CHECK(count < t->room - t->used, CVY_ERR_USAGE, "%.200s…: the path is too long", t->path);
    memcpy(t->out + t->used, bytes, count);
    t->used += count;
    t->out[t->used] = '\0';
    return CVY_OK;
}

/* "~", "~/…", "~name/…": adds the home folder; *length gets how much of the path that was. */
static cvy_status add_home(struct text *t, size_t *length) {
    char name[256];
    *length = t->path[0] == '~' ? strcspn(t->path, "/") : 0;
    if (*length == 0) return CVY_OK;
    const char *home = *length == 1 ? getenv("HOME") : NULL;
    snprintf(name, sizeof name, "%.*s", (int)*length - 1, t->path + 1);
    const struct passwd *user = *length > 1 ? getpwnam(name) : NULL;
    if (user) home = user->pw_dir;
    CVY_CHECK(home || *length > 1, CVY_ERR_USAGE, "%s: HOME is not set; write the path out", t->path);
    CVY_CHECK(home, CVY_ERR_USAGE, "%s: there is no user %s; a file of that name is ./%s", t->path, name, t->path);
    return add(t, home, strlen(home));
}

/* Characters of a variable's name. */
static size_t name_length(const char *text) {
    size_t length = 0;
    while (isalpha((unsigned char)text[length]) || text[length] == '_' ||
           (length > 0 && isdigit((unsigned char)text[length])))
        length++;
    return length;
}

/* "$NAME…", "${NAME}…": adds its value; *length gets how much of the text that was. Another $ stays. */
static cvy_status add_variable(struct text *t, const char *at, size_t *length) {
    char name[256];
    const bool braced = at[1] == '{';
    const size_t count = name_length(at + 1 + braced);
    CVY_CHECK(at[1] != '(' && (!braced || (count > 0 && at[2 + count] == '}')), CVY_ERR_USAGE,
              "%s: in a path only $NAME and ${NAME} stand for something else; \\$ is the sign itself", t->path);
    *length = count == 0 ? 1 : 1 + count + 2 * braced;
    if (count == 0) return add(t, at, 1);
    snprintf(name, sizeof name, "%.*s", (int)count, at + 1 + braced);
    const char *value = getenv(name);
    CVY_CHECK(value && value[0], CVY_ERR_USAGE, "%s: %s is %s; set it, or write the path out (\\$ is the sign itself)",
              t->path, name, value ? "empty in the environment" : "not set in the environment");
    return add(t, value, strlen(value));
}

cvy_status cvy_path_expand(const char *path, char out[CVY_PATH_MAX]) {
    struct text t = {out, CVY_PATH_MAX, 0, path};
    size_t length;
    out[0] = '\0';
    CVY_TRY(add_home(&t, &length));
    for (const char *p = path + length; *p; p += length) {
        length = strcspn(p, "$\\");
        CVY_TRY(add(&t, p, length));
        p += length;
        length = 0;
        if (*p == '$') CVY_TRY(add_variable(&t, p, &length));
        if (*p != '\\') continue;
        length = 1 + (p[1] == '$');
        CVY_TRY(add(&t, p + length - 1, 1));
    }
    return CVY_OK;
}

/* A variable that the environment has, at the start of one of the path's names; its name's characters, or 0. */
static size_t set_variable(const char *at) {
    char name[256];
    const bool braced = at[1] == '{';
    const size_t length = at[0] == '$' ? name_length(at + 1 + braced) : 0;
    snprintf(name, sizeof name, "%.*s", (int)length, at + 1 + braced);
    return length && getenv(name) ? length + 1 + 2 * (size_t)braced : 0;
}

cvy_status cvy_path_typed(const char *word, char out[CVY_PATH_MAX]) {
    CVY_INSIDE();
    struct text t = {out, CVY_PATH_MAX, 0, word};
    size_t length;
    for (const char *name = word; name; name = strchr(name, '/') ? strchr(name, '/') + 1 : NULL)
        CVY_CHECK((length = set_variable(name)) == 0, CVY_ERR_USAGE,
                  "%s: quotes kept the shell from %.*s; write it in double quotes, or in none", word, (int)length,
                  name);
    out[0] = '\0';
    CVY_TRY(add_home(&t, &length));
    return add(&t, word + length, strlen(word + length));
}
