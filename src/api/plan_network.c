/* The network of a plan: one of a table, one that is measured, or one that was. */
#include <stdio.h>
#include <string.h>

#include "api/plan_parts.h"
#include "io/yaml.h"

/* Links of a kind, as they are sold: µs a message (wire and switches, and what both ends do for it), bytes a second. */
static const struct {
    const char *word, *what;
    struct cvy_link link;
} kinds[] = {
    {"100gbit", "100 Gbit/s, 2.5 µs a message (InfiniBand, Omni-Path, RoCE)", {2.5e-6, 1 / 12.5e9}},
    {"10gbit", "10 Gbit/s, 30 µs a message (Ethernet, TCP)", {30e-6, 1 / 1.25e9}},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static cvy_status read_link(const struct cvy_node *root, const char *key, struct cvy_link *out) {
    const struct cvy_node *link = cvy_node_get(root, key), *alpha = cvy_node_get(link, "alpha_us"),
                          *rate = cvy_node_get(link, "gb_s");
    double us, gb_s;
    if (link == NULL) return CVY_OK;
    if (!cvy_node_real(alpha, &us) || !cvy_node_real(rate, &gb_s) || us < 0 || gb_s < 0)
        return CVY_FAIL_AT(link, CVY_ERR_USAGE,
                           "\"%s\" wants \"alpha_us\" (0 or more) and \"gb_s\" (0: bytes cost nothing)", key);
    *out = (struct cvy_link){1e-6 * us, gb_s > 0 ? 1e-9 / gb_s : 0};
    return CVY_OK;
}

static cvy_status read_file(struct plan *p, const char *path, struct cvy_plan_facts *out) {
    struct cvy_tree *tree;
    struct cvy_node *root;
    CVY_TRY(cvy_tree_create(&tree));
    cvy_status status = cvy_yaml_load(tree, path, &root);
    if (status == CVY_OK && cvy_node_get(root, "across") == NULL && cvy_node_get(root, "node") == NULL)
        status = CVY_FAIL(CVY_ERR_USAGE,
                          "%s: has neither \"across\" nor \"node\"; mpirun -n 2 convoy bench --network --json prints "
                          "such a file",
                          path);
    /* Where nothing was measured across hosts, they are taken to be as ranks of one. */
    if (status == CVY_OK) status = read_link(root, "node", &p->network.inside);
    if (status == CVY_OK) p->network.outside = p->network.inside;
    if (status == CVY_OK) status = read_link(root, "across", &p->network.outside);
    if (status == CVY_OK)
        snprintf(out->network, sizeof out->network, "%.200s%s", path,
                 cvy_node_get(root, "across") ? "" : ", where only ranks of one host were measured");
    cvy_tree_destroy(&tree);
    return status;
}

static cvy_status measure(struct plan *p, struct cvy_plan_facts *out) {
    struct cvy_network_points points;
    CVY_TRY(cvy_network_measure(p->ctx->comm, 2, &points));
    if (points.inside.pairs) p->network.inside = points.inside.fit;
    p->network.outside = points.outside.pairs ? points.outside.fit : p->network.inside;
    snprintf(out->network, sizeof out->network, "measured now between %s",
             points.outside.pairs ? "hosts" : "ranks of this host; there is no other");
    return CVY_OK;
}

static cvy_status find(struct plan *p, const char *word, struct cvy_plan_facts *out) {
    for (int i = 0; i < KINDS; i++) {
        if (strcmp(word, kinds[i].word) != 0) continue;
        p->network.outside = kinds[i].link;
        snprintf(out->network, sizeof out->network, "%s", kinds[i].what);
        return CVY_OK;
    }
    if (strcmp(word, "measured") == 0) return measure(p, out);
    CVY_CHECK(strchr(word, '.') || strchr(word, '/'), CVY_ERR_USAGE,
              "no network \"%s\"; use 100gbit, 10gbit, measured, or a file of bench --network --json", word);
    return read_file(p, word, out);
}

cvy_status plan_find_network(struct plan *p, struct cvy_plan_facts *out) {
    p->network = cvy_network_usual;
    CVY_TRY(find(p, p->options->network ? p->options->network : kinds[0].word, out));
    out->alpha_us = 1e6 * p->network.outside.message;
    out->gb_s = p->network.outside.byte > 0 ? 1e-9 / p->network.outside.byte : 0;
    return CVY_OK;
}
