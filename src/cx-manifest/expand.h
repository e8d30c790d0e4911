/*
 * Variables in scalars: ${NAME}, ${NAME:-default}, ${NAME:?message}; $${ is a
 * literal ${. Replaced after parsing, so that no value can inject structure;
 * a plain scalar is typed by the text that it has afterwards.
 */
#ifndef EXPAND_H
#define EXPAND_H

#include <jansson.h>

struct cx_diags;
struct cx_node;
struct cx_tree;

/* Replaces in every value (not keys) of the tree. All missing variables are one finding each. */
void expand_tree(struct cx_tree *t, const json_t *env, struct cx_diags *d);
/* Reports what expand_tree would not understand, and changes nothing. */
void expand_check(const struct cx_tree *t, struct cx_diags *d);
/* True when the text holds a variable. */
int expand_has(const char *text);

#endif
