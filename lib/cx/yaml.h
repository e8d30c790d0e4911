/*
 * A YAML document as a tree that remembers where everything stands, over
 * libyaml (YAML 1.1). Aliases share the node of their anchor; merge keys ("<<",
 * quoted or not) are already merged, explicit keys win. Bounded: 10 MiB,
 * CX_YAML_NODE_MAX nodes, CX_YAML_DEPTH_MAX levels with aliases followed, CX_YAML_WORK_MAX comparisons
 * for anchors and merges; how far aliases unfold is bounded by who walks (key.h).
 *
 * The tree is owned by struct cx_tree; nodes are borrowed from it.
 */
#ifndef CX_YAML_H
#define CX_YAML_H

#include <stddef.h>

struct cx_buf;
struct cx_diags;

#define CX_YAML_MAX ((size_t)10 << 20)
#define CX_YAML_NODE_MAX 400000
#define CX_YAML_DEPTH_MAX 60
#define CX_YAML_WORK_MAX ((size_t)20000000)

enum cx_kind { CX_SCALAR, CX_SEQ, CX_MAP };

struct cx_node;

struct cx_pair {
	struct cx_node *key, *value;
	int merged; /* came by "<<" */
};

struct cx_node {
	enum cx_kind kind;
	unsigned line, column; /* 1-based */
	char *value; /* of a scalar; without NUL */
	unsigned height; /* levels below it */
	int plain; /* a plain scalar: its text decides its type */
	int expanded; /* variables were replaced */
	size_t n, cap;
	struct cx_node **items; /* of a sequence */
	struct cx_pair *pairs; /* of a map, in the order of the file */
};

struct cx_tree {
	struct cx_node *root; /* NULL for an empty file */
	struct cx_node **all;
	size_t n, cap;
};

/* Parses text; findings go to d. 0, or -1 when there is no usable tree. */
int cx_tree_parse(struct cx_tree *t, const char *text, size_t n, struct cx_diags *d);
void cx_tree_free(struct cx_tree *t);
struct cx_node *cx_node_get(const struct cx_node *map, const char *key);
/* A null: plain and empty, "~" or "null". */
int cx_node_null(const struct cx_node *n);

#endif
