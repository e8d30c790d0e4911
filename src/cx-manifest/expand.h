/*
 * Variables in scalars: ${NAME}, ${NAME:-default}, ${NAME:?message}; $${ is a
 * literal ${. Replaced after parsing, so that no value can inject structure;
 * a plain scalar is typed by the text that it has afterwards.
 */
#ifndef EXPAND_H
#define EXPAND_H

#include <jansson.h>

struct diags;
struct node;
struct tree;

/* Replaces in every value (not keys) of the tree. All missing variables are one finding each. */
void expand_tree(struct tree *t, const json_t *env, struct diags *d);
/* Reports what expand_tree would not understand, and changes nothing. */
void expand_check(const struct tree *t, struct diags *d);
/* True when the text holds a variable. */
int expand_has(const char *text);

#endif
