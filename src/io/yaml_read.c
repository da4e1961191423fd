/* libyaml's events become nodes. Events are read by recursive descent, so depth is limited; aliases are copied, so the
 * number of nodes is limited as well (an alias of aliases grows exponentially). */
#include <stdbool.h>
#include <string.h>
#include <yaml.h>

#include "core/memory.h"
#include "io/file.h"
#include "io/foreign.h"
#include "io/yaml.h"

enum { MAX_DEPTH = 64, MAX_NODES = 1 << 18, MAX_KEYS = 4096, MAX_BYTES = 4 << 20 };

struct reader {
    yaml_parser_t parser;
    struct cvy_tree *tree;
    const char *file, *text;
    size_t size;
    struct cvy_node *anchors; /* a map of what has a name so far */
    int64_t nodes;
};

static struct cvy_node place_of(const struct reader *r, const yaml_event_t *event) {
    return (struct cvy_node){
        .file = r->file, .line = (int)event->start_mark.line + 1, .column = (int)event->start_mark.column + 1};
}

/* Whether the character at a mark is a tab; marks count characters, which may be several bytes. */
static bool is_tab(const struct reader *r, yaml_mark_t mark) {
    size_t at = 0;
    for (size_t line = mark.line; line > 0 && at < r->size; at++) line -= r->text[at] == '\n';
    for (size_t column = mark.column; column > 0 && at < r->size; column--) do
            at++;
        while (at < r->size && ((unsigned char)r->text[at] & 0xC0) == 0x80);
    return at < r->size && r->text[at] == '\t';
}

static cvy_status syntax_error(const struct reader *r) {
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR) return CVY_FAIL(CVY_ERR_INTERNAL, "%s: no memory to read it", r->file);
    const yaml_mark_t mark = p->error == YAML_READER_ERROR ? p->mark : p->problem_mark;
    CVY_CHECK(
        p->error != YAML_READER_ERROR, CVY_ERR_USAGE,
        "%s:%d:%d: it is no UTF-8 text (byte %zu: %s); is it the right file? Write it as UTF-8, and give a file whose "
        "name is in another encoding a link with a name in UTF-8",
        r->file, (int)mark.line + 1, (int)mark.column + 1, p->problem_offset, p->problem ? p->problem : "unreadable");
    if (is_tab(r, mark))
        return CVY_FAIL(CVY_ERR_USAGE, "%s:%d:%d: a tab, where YAML takes blanks alone; write blanks", r->file,
                        (int)mark.line + 1, (int)mark.column + 1);
    return CVY_FAIL(CVY_ERR_USAGE, "%s:%d:%d: not YAML: %s%s%s; check indentation, quotes and brackets", r->file,
                    (int)mark.line + 1, (int)mark.column + 1, p->problem ? p->problem : "unreadable",
                    p->context ? " " : "", p->context ? p->context : "");
}

static cvy_status next_event(struct reader *r, yaml_event_t *event) {
    return yaml_parser_parse(&r->parser, event) ? CVY_OK : syntax_error(r);
}

/* ---- Anchors ---- */

static cvy_status remember(struct reader *r, const yaml_char_t *name, struct cvy_node *node) {
    struct cvy_node *key;
    if (name == NULL) return CVY_OK;
    CVY_TRY(cvy_tree_scalar(r->tree, node, (const char *)name, &key));
    return cvy_node_append(r->tree, r->anchors, key, node);
}

static int64_t count_nodes(const struct cvy_node *node) {
    int64_t count = 1;
    for (size_t i = 0; i < node->count; i++) count += count_nodes(node->items[i]) + (node->kind == CVY_NODE_MAP);
    return count;
}

static cvy_status count_in(struct reader *r, const struct cvy_node *place, int64_t more) {
    r->nodes += more;
    if (r->nodes > MAX_NODES) return CVY_FAIL_AT(place, CVY_ERR_USAGE, "more than %d values in one file", MAX_NODES);
    return CVY_OK;
}

static cvy_status read_alias(struct reader *r, const yaml_event_t *event, struct cvy_node **out) {
    struct cvy_node place = place_of(r, event);
    const char *name = (const char *)event->data.alias.anchor;
    for (size_t i = r->anchors->count; i-- > 0;) { /* a later one hides an earlier one of its name, as YAML says */
        if (strcmp(r->anchors->keys[i]->text, name) != 0) continue;
        CVY_TRY(count_in(r, &place, count_nodes(r->anchors->items[i])));
        return cvy_node_copy(r->tree, r->anchors->items[i], out);
    }
    return CVY_FAIL_AT(&place, CVY_ERR_USAGE, "*%s: there is no &%s above", name, name);
}

/* ---- Nodes ---- */

static cvy_status read_node(struct reader *r, const yaml_event_t *event, int depth, struct cvy_node **out);

static cvy_status no_tag(const struct cvy_node *place, const yaml_char_t *tag) {
    if (tag && strcmp((const char *)tag, "!") != 0)
        return CVY_FAIL_AT(place, CVY_ERR_USAGE, "tags (%s) are not supported; leave it out", (const char *)tag);
    return CVY_OK;
}

static cvy_status read_scalar(struct reader *r, const yaml_event_t *event, struct cvy_node **out) {
    struct cvy_node place = place_of(r, event);
    const char *text = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;
    CVY_TRY(no_tag(&place, event->data.scalar.tag));
    if (memchr(text, '\0', size)) return CVY_FAIL_AT(&place, CVY_ERR_USAGE, "a text with a zero byte in it");
    CVY_TRY(cvy_tree_node(r->tree, CVY_NODE_SCALAR, &place, out));
    CVY_TRY(cvy_tree_text(r->tree, text, size, &(*out)->text));
    (*out)->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return remember(r, event->data.scalar.anchor, *out);
}

/* Reads the next node, or gives NULL at the event `end`. */
static cvy_status read_next(struct reader *r, yaml_event_type_t end, int depth, struct cvy_node **out) {
    yaml_event_t event;
    CVY_TRY(next_event(r, &event));
    *out = NULL;
    cvy_status status = event.type == end ? CVY_OK : read_node(r, &event, depth, out);
    yaml_event_delete(&event);
    return status;
}

static cvy_status read_list(struct reader *r, const yaml_event_t *event, int depth, struct cvy_node **out) {
    struct cvy_node place = place_of(r, event), *item;
    CVY_TRY(no_tag(&place, event->data.sequence_start.tag));
    CVY_TRY(cvy_tree_node(r->tree, CVY_NODE_LIST, &place, out));
    for (;;) {
        CVY_TRY(read_next(r, YAML_SEQUENCE_END_EVENT, depth + 1, &item));
        if (item == NULL) break;
        CVY_TRY(cvy_node_append(r->tree, *out, NULL, item));
    }
    return remember(r, event->data.sequence_start.anchor, *out);
}

static bool is_merge(const struct cvy_node *key) {
    return strcmp(key->text, "<<") == 0 && !key->quoted;
}

static cvy_status check_key(const struct cvy_node *map, const struct cvy_node *key) {
    if (key->kind != CVY_NODE_SCALAR) return CVY_FAIL_AT(key, CVY_ERR_USAGE, "a key must be a word");
    if (map->count >= MAX_KEYS) return CVY_FAIL_AT(key, CVY_ERR_USAGE, "more than %d keys in one map", MAX_KEYS);
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->keys[i]->text, key->text) == 0)
            return CVY_FAIL_AT(key, CVY_ERR_USAGE, "key \"%s\" is given twice, first on line %d%s", key->text,
                               map->keys[i]->line, is_merge(key) ? "; several maps are merged by <<: [*a, *b]" : "");
    return CVY_OK;
}

/* ---- Merge keys: `<<: *base`, `<<: [*a, *b]` (yaml.org/type/merge) ---- */

/* What is put together at one `<<`. */
struct merging {
    struct reader *r;
    const struct cvy_node *key, *own; /* own: the map as it is written */
    struct cvy_node *out;
};

/* Pairs of `source` whose keys neither `own` nor, from an earlier source, `out` has. An alias has its anchor's place,
 * so messages take the key's. */
static cvy_status merge_one(const struct merging *m, const struct cvy_node *source) {
    if (source->kind != CVY_NODE_MAP)
        return CVY_FAIL_AT(m->key, CVY_ERR_USAGE,
                           "<<: expected a map, or a list of maps, as in <<: *base or <<: [*a, *b]");
    for (size_t i = 0; i < source->count; i++) {
        const struct cvy_node *key = source->keys[i];
        if (cvy_node_get(m->own, key->text) || cvy_node_get(m->out, key->text)) continue;
        if (m->out->count >= MAX_KEYS)
            return CVY_FAIL_AT(m->key, CVY_ERR_USAGE, "more than %d keys in one map", MAX_KEYS);
        CVY_TRY(cvy_node_append(m->r->tree, m->out, source->keys[i], source->items[i]));
    }
    return CVY_OK;
}

static cvy_status merge_value(const struct merging *m, const struct cvy_node *value) {
    if (value->kind != CVY_NODE_LIST) return merge_one(m, value);
    for (size_t i = 0; i < value->count; i++) CVY_TRY(merge_one(m, value->items[i]));
    return CVY_OK;
}

/* What is merged in comes to stand where `<<` stood. */
static cvy_status merge(struct reader *r, struct cvy_node *map) {
    struct cvy_node *out;
    if (cvy_node_get(map, "<<") == NULL) return CVY_OK;
    CVY_TRY(cvy_tree_node(r->tree, CVY_NODE_MAP, map, &out));
    for (size_t i = 0; i < map->count; i++) {
        if (is_merge(map->keys[i]))
            CVY_TRY(merge_value(&(struct merging){r, map->keys[i], map, out}, map->items[i]));
        else
            CVY_TRY(cvy_node_append(r->tree, out, map->keys[i], map->items[i]));
    }
    *map = *out;
    return CVY_OK;
}

static cvy_status read_map(struct reader *r, const yaml_event_t *event, int depth, struct cvy_node **out) {
    struct cvy_node place = place_of(r, event), *key, *value;
    CVY_TRY(no_tag(&place, event->data.mapping_start.tag));
    CVY_TRY(cvy_tree_node(r->tree, CVY_NODE_MAP, &place, out));
    for (;;) {
        CVY_TRY(read_next(r, YAML_MAPPING_END_EVENT, depth + 1, &key));
        if (key == NULL) break;
        CVY_TRY(check_key(*out, key));
        CVY_TRY(read_next(r, YAML_NO_EVENT, depth + 1, &value));
        CVY_TRY(cvy_node_append(r->tree, *out, key, value));
    }
    CVY_TRY(merge(r, *out));
    return remember(r, event->data.mapping_start.anchor, *out);
}

static cvy_status read_node(struct reader *r, const yaml_event_t *event, int depth, struct cvy_node **out) {
    struct cvy_node place = place_of(r, event);
    if (depth > MAX_DEPTH)
        return CVY_FAIL_AT(&place, CVY_ERR_USAGE, "nested deeper than %d levels; flatten it", MAX_DEPTH);
    CVY_TRY(count_in(r, &place, 1));
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return read_scalar(r, event, out);
    case YAML_ALIAS_EVENT:
        return read_alias(r, event, out);
    case YAML_SEQUENCE_START_EVENT:
        return read_list(r, event, depth, out);
    case YAML_MAPPING_START_EVENT:
        return read_map(r, event, depth, out);
    default:
        return CVY_FAIL_AT(&place, CVY_ERR_USAGE, "expected a value");
    }
}

/* ---- Documents ---- */

static cvy_status expect(struct reader *r, yaml_event_type_t type, bool *found) {
    yaml_event_t event;
    CVY_TRY(next_event(r, &event));
    *found = event.type == type;
    struct cvy_node place = place_of(r, &event);
    bool second = event.type == YAML_DOCUMENT_START_EVENT;
    yaml_event_delete(&event);
    if (!*found && second) return CVY_FAIL_AT(&place, CVY_ERR_USAGE, "a second document; only one a file");
    return CVY_OK;
}

static cvy_status read_document(struct reader *r, struct cvy_node **root) {
    bool found;
    CVY_TRY(expect(r, YAML_STREAM_START_EVENT, &found));
    CVY_TRY(expect(r, YAML_DOCUMENT_START_EVENT, &found));
    if (!found) {
        struct cvy_node place = {.file = r->file, .line = 1, .column = 1};
        return cvy_tree_scalar(r->tree, &place, "", root);
    }
    CVY_TRY(read_next(r, YAML_NO_EVENT, 0, root));
    CVY_TRY(expect(r, YAML_DOCUMENT_END_EVENT, &found));
    return expect(r, YAML_STREAM_END_EVENT, &found);
}

cvy_status cvy_yaml_parse_more(struct cvy_tree *tree, const struct cvy_source_text *source, struct cvy_node **anchors,
                               struct cvy_node **root) {
    struct reader r = {.tree = tree, .text = source->text, .size = source->size};
    CVY_TRY(cvy_tree_text(tree, source->name, strlen(source->name), &r.file));
    if (*anchors == NULL)
        CVY_TRY(cvy_tree_node(tree, CVY_NODE_MAP, &(struct cvy_node){.file = r.file, .line = 1, .column = 1}, anchors));
    r.anchors = *anchors;
    CVY_CHECK(yaml_parser_initialize(&r.parser), CVY_ERR_INTERNAL, "%s: no memory to read it", r.file);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)source->text, source->size);
    cvy_status status = read_document(&r, root);
    yaml_parser_delete(&r.parser);
    return status;
}

cvy_status cvy_yaml_parse(struct cvy_tree *tree, const char *name, const char *text, size_t size,
                          struct cvy_node **root) {
    struct cvy_node *anchors = NULL;
    return cvy_yaml_parse_more(tree, &(struct cvy_source_text){name, text, size}, &anchors, root);
}

/* Top-level keys that start with x- are a file's own: a place for anchors. */
static void drop_own_keys(struct cvy_node *root) {
    size_t kept = 0;
    for (size_t i = 0; root->kind == CVY_NODE_MAP && i < root->count; i++) {
        if (strncmp(root->keys[i]->text, "x-", 2) == 0) continue;
        root->keys[kept] = root->keys[i];
        root->items[kept++] = root->items[i];
    }
    if (root->kind == CVY_NODE_MAP) root->count = kept;
}

cvy_status cvy_yaml_load(struct cvy_tree *tree, const char *path, struct cvy_node **root) {
    struct cvy_node *anchors = NULL;
    return cvy_yaml_load_more(tree, path, &anchors, root);
}

cvy_status cvy_yaml_load_more(struct cvy_tree *tree, const char *path, struct cvy_node **anchors,
                              struct cvy_node **root) {
    struct cvy_buf text = {0};
    CVY_TRY(cvy_file_no_folder(path, ".yaml", CVY_ERR_USAGE));
    CVY_CHECK(!cvy_file_is_hdf5(path), CVY_ERR_USAGE,
              "%s: is an HDF5 file such as a data set or a checkpoint; name a text file, an experiment or a model",
              path);
    const struct cvy_foreign *kind = cvy_foreign_of(path);
    CVY_CHECK(kind == NULL || kind->text, CVY_ERR_USAGE, "%s: is %s; name a text file, an experiment or a model", path,
              kind->name);
    cvy_status status = cvy_file_read(path, MAX_BYTES, &text);
    const struct cvy_source_text source = {path, cvy_buf_text(&text), text.size};
    if (status == CVY_OK) status = cvy_yaml_parse_more(tree, &source, anchors, root);
    if (status == CVY_OK) drop_own_keys(*root);
    cvy_buf_destroy(&text);
    return status;
}
