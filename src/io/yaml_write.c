/* Node trees to YAML, through libyaml's emitter (it knows when plain text must be quoted). */
#include <stdbool.h>
#include <string.h>
#include <yaml.h>

#include "io/yaml.h"

enum { FLOW_WIDTH = 72, TOO_WIDE = 1000 };

static int write_bytes(void *data, unsigned char *bytes, size_t size) {
    struct cvy_buf *out = data;
    cvy_buf_write(out, bytes, size);
    return !out->failed;
}

static cvy_status emit(yaml_emitter_t *emitter, yaml_event_t *event) {
    CVY_CHECK(yaml_emitter_emit(emitter, event), CVY_ERR_INTERNAL, "YAML cannot be written: %s",
              emitter->problem ? emitter->problem : "no memory");
    return CVY_OK;
}

/* Characters on one line, TOO_WIDE when it holds more than scalars and maps of scalars. */
static size_t flow_width(const struct cvy_node *node, int levels) {
    if (node->kind == CVY_NODE_SCALAR) return strlen(node->text) + 2;
    if (levels == 0) return TOO_WIDE;
    size_t width = 2;
    for (size_t i = 0; i < node->count && width < TOO_WIDE; i++) {
        width += flow_width(node->items[i], node->items[i]->kind == CVY_NODE_MAP ? levels - 1 : 0);
        if (node->kind == CVY_NODE_MAP) width += strlen(node->keys[i]->text) + 2;
    }
    return width;
}

static bool in_flow(const struct cvy_node *node, int depth) {
    if (node->kind == CVY_NODE_LIST) return flow_width(node, 2) <= FLOW_WIDTH;
    return depth >= 2 && flow_width(node, 1) <= FLOW_WIDTH;
}

static cvy_status emit_scalar(yaml_emitter_t *emitter, const struct cvy_node *node) {
    yaml_event_t event;
    const char *text = !node->quoted && node->text[0] == '\0' ? "null" : node->text; /* nothing, where it can stand */
    yaml_scalar_style_t style = node->quoted ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE;
    CVY_CHECK(
        yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)strlen(text), 1, 1, style),
        CVY_ERR_USAGE,
        "%s:%d:%d: \"%s\" is not UTF-8, as all must be that a run keeps of its experiment; give the file or its folder "
        "another name, or a link",
        node->file, node->line, node->column, node->text);
    return emit(emitter, &event);
}

static cvy_status emit_node(yaml_emitter_t *emitter, const struct cvy_node *node, int depth) {
    if (node->kind == CVY_NODE_SCALAR) return emit_scalar(emitter, node);
    bool map = node->kind == CVY_NODE_MAP, flow = in_flow(node, depth);
    yaml_event_t event;
    int made = map ? yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
                                                         flow ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE)
                   : yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
                                                          flow ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE);
    CVY_CHECK(made, CVY_ERR_INTERNAL, "no memory to write YAML");
    CVY_TRY(emit(emitter, &event));
    for (size_t i = 0; i < node->count; i++) {
        if (map) CVY_TRY(emit_scalar(emitter, node->keys[i]));
        CVY_TRY(emit_node(emitter, node->items[i], depth + 1));
    }
    made = map ? yaml_mapping_end_event_initialize(&event) : yaml_sequence_end_event_initialize(&event);
    CVY_CHECK(made, CVY_ERR_INTERNAL, "no memory to write YAML");
    return emit(emitter, &event);
}

static cvy_status emit_document(yaml_emitter_t *emitter, const struct cvy_node *root) {
    yaml_event_t event;
    yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
    CVY_TRY(emit(emitter, &event));
    CVY_CHECK(yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1), CVY_ERR_INTERNAL,
              "no memory to write YAML");
    CVY_TRY(emit(emitter, &event));
    CVY_TRY(emit_node(emitter, root, 0));
    yaml_document_end_event_initialize(&event, 1);
    CVY_TRY(emit(emitter, &event));
    yaml_stream_end_event_initialize(&event);
    return emit(emitter, &event);
}

cvy_status cvy_yaml_emit(const struct cvy_node *root, struct cvy_buf *out) {
    yaml_emitter_t emitter;
    CVY_CHECK(yaml_emitter_initialize(&emitter), CVY_ERR_INTERNAL, "no memory to write YAML");
    yaml_emitter_set_output(&emitter, write_bytes, out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    cvy_status status = emit_document(&emitter, root);
    yaml_emitter_delete(&emitter);
    return status;
}
