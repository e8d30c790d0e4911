/*
 * A YAML document as a tree that remembers where everything stands, over
 * libyaml (YAML 1.1). Aliases share the node of their anchor; merge keys ("<<",
 * quoted or not) are already merged, explicit keys win. Bounded: 10 MiB,
 * NODE_MAX nodes, DEPTH_MAX levels with aliases followed, WORK_MAX comparisons
 * for anchors and merges; how far aliases unfold is bounded by who walks (key.h).
 *
 * The tree is owned by struct tree; nodes are borrowed from it.
 */
#ifndef NODE_H
#define NODE_H

#include <stddef.h>

struct cx_buf;
struct diags;

#define DOC_MAX ((size_t)10 << 20)
#define NODE_MAX 400000
#define DEPTH_MAX 60
#define WORK_MAX ((size_t)20000000)

enum kind { SCALAR, SEQ, MAP };

struct node;

struct pair {
	struct node *key, *value;
	int merged; /* came by "<<" */
};

struct node {
	enum kind kind;
	unsigned line, column; /* 1-based */
	char *value; /* of a scalar; without NUL */
	unsigned height; /* levels below it */
	int plain; /* a plain scalar: its text decides its type */
	int expanded; /* variables were replaced */
	size_t n, cap;
	struct node **items; /* of a sequence */
	struct pair *pairs; /* of a map, in the order of the file */
};

struct tree {
	struct node *root; /* NULL for an empty file */
	struct node **all;
	size_t n, cap;
};

/* Parses text; findings go to d. 0, or -1 when there is no usable tree. */
int tree_parse(struct tree *t, const char *text, size_t n, struct diags *d);
void tree_free(struct tree *t);
struct node *node_get(const struct node *map, const char *key);
/* A null: plain and empty, "~" or "null". */
int node_null(const struct node *n);

#endif
