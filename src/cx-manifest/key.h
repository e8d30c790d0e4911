/*
 * Keys as rows: what a key is called, who reads it, and what a Local Rack makes
 * of it. Reading a map by its rows gives the keys in the order of the rows,
 * finds unknown ones (with the nearest known one) and warns of those that are
 * not honoured; a key without a value is as if it were not there.
 *
 *	static const struct key rows[] = {
 *		{.name = "interval", .read = value_int, .min = 1, .max = 3600}, {0}};
 */
#ifndef KEY_H
#define KEY_H

#include <jansson.h>

struct cx_diags;
struct cx_node;
struct key;

struct manifest {
	struct cx_diags *d;
	int literal; /* variables are not expanded: a value that holds one is kept as text */
	size_t visits; /* nodes read, bounded: an alias bomb is refused */
	int full;
	json_t *services, *resources; /* what was read; names that others may refer to */
	json_t *environment; /* app-wide entries, name to default */
};

/* Reads v into out[row->name], or says what is wrong with it. */
typedef void
key_reader(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row);

struct key {
	const char *name;
	key_reader *read; /* NULL: refused, and note says what to write instead */
	const char *note; /* with read: why a Local Rack warns of it */
	long long min, max; /* value_int */
	const char *const *words; /* value_word */
	const struct key *rows; /* value_map, value_maps */
};

/* Why a warning is given, when there is no more to say. */
extern const char key_not_local[];

/* Reads the map n by rows (ending with name NULL) into out. A null map is an empty one. */
void key_read_map(struct manifest *m, const struct cx_node *n, const char *path, const struct key *rows, json_t *out);
/* An unknown key at k: an error with the nearest of the rows. */
void key_unknown(struct manifest *m, const struct cx_node *k, const char *path, const struct key *rows);
/* True for a key that nobody reads: x-... */
int key_free(const struct cx_node *k);
/* Counts visited nodes; false when the bound is reached (reported once). */
int key_visit(struct manifest *m, const struct cx_node *n, size_t count);
/* path.name, owned by the caller */
char *key_path(const char *path, const char *name);
/* Names become DNS labels and parts of container names; what: "service". */
int key_name(struct manifest *m, const struct cx_node *k, const char *path, const char *what);

#endif
