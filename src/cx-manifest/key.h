/*
 * Keys as rows: what a key is called, who reads it, and whether racks honour
 * it. Reading a map against its rows finds unknown keys (with the nearest known
 * one), keys that are not honoured yet, and hands the others to their reader.
 */
#ifndef KEY_H
#define KEY_H

#include <jansson.h>

struct cx_diags;
struct cx_node;

struct manifest {
	struct cx_diags *d;
	int literal; /* variables are not expanded: a value that holds one is kept as text */
	size_t visits; /* nodes read, bounded: an alias bomb is refused */
	int full;
	const json_t *resources; /* names that services may use */
	const json_t *environment; /* app-wide entries */
};

struct key {
	const char *name;
	/* Reads v into out[name]; NULL: known, and not honoured by this version. */
	void (*read)(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const char *name);
};

/* Reads the map n by rows (ending with name NULL) into out. A null map is an empty one. */
void key_read_map(struct manifest *m, const struct cx_node *n, const char *path, const struct key *rows, json_t *out);
/* Counts a visited node; false when the bound is reached (reported once). */
int key_visit(struct manifest *m, const struct cx_node *n);
/* path.name, owned by the caller */
char *key_path(const char *path, const char *name);

/* Scalar readers that other modules share; each reports what is wrong and returns 0 then. */
int key_text(struct manifest *m, const struct cx_node *v, const char *path, const char **text);
int key_int(struct manifest *m, const struct cx_node *v, const char *path, long long min, long long max, json_t **out);
/* A value that keeps its variable in literal mode: sets out[name] and returns 1. */
int key_literal(struct manifest *m, const struct cx_node *v, json_t *out, const char *name);

#endif
