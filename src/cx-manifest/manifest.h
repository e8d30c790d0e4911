/* The normalised manifest: from a tree of nodes to JSON with defaults filled in. convox.yml(5) says what each key
 * means. */
#ifndef MANIFEST_H
#define MANIFEST_H

#include <jansson.h>

struct cx_diags;
struct cx_tree;

/* {"services":{...},"resources":{...}} and what else was given; findings go to d. With literal, values may hold
 * unexpanded variables. */
json_t *manifest_make(const struct cx_tree *t, int literal, struct cx_diags *d);
/*
 * Adds "env" to each service: exactly the variables that its environment names, from env or their default.
 * Every required one that is missing is reported, at its place in the tree that the manifest was made from.
 */
void manifest_env(json_t *manifest, const struct cx_tree *t, const json_t *env, struct cx_diags *d);

#endif
