/*
 * Values of keys, one reader a kind. Each reads v into out[row->name], or
 * reports what is wrong with it and leaves out alone.
 */
#ifndef VALUE_H
#define VALUE_H

#include "key.h"

key_reader value_text; /* any scalar, as it is written */
key_reader value_int; /* row->min to row->max */
key_reader value_bool; /* the words of YAML 1.1 */
key_reader value_word; /* one of row->words, in any case; the word as row has it */
key_reader value_texts; /* a list of texts */
key_reader value_command; /* a text, or a list of words */
key_reader value_url_path; /* /health */
key_reader value_duration; /* 90, 90s, 5m, 1h, 30d, 2w: seconds */
key_reader value_networks; /* 10.0.0.0/8, one, several with commas, or a list */
key_reader value_pairs; /* a map, a list of KEY=VALUE, or a list of maps: an object of texts */
key_reader value_map; /* a map by row->rows */
key_reader value_maps; /* a list of maps by row->rows */
key_reader value_any_map; /* a map of anything */
key_reader value_any_maps; /* a list of maps of anything */

/* What the readers are made of; each reports what is wrong and returns 0 then. */
int value_get_text(struct manifest *m, const struct cx_node *v, const char *path, const char **text);
int value_get_int(
	struct manifest *m, const struct cx_node *v, const char *path, long long min, long long max, json_t **out);
/* A decimal number without sign or leading zeros, at most max; -1 when s is none. */
long value_number(const char *s, size_t n, long max);
/* True when v must stay as it is because it holds a variable. */
int value_open(const struct manifest *m, const struct cx_node *v);
/* The same; sets out[name] to its text. */
int value_literal(const struct manifest *m, const struct cx_node *v, json_t *out, const char *name);
/* True for a list; reports anything else, saying what it should be a list of. */
int value_is_list(struct manifest *m, const struct cx_node *v, const char *path, const char *of);
/* The same for a map. */
int value_is_map(struct manifest *m, const struct cx_node *v, const char *path, const char *of);
/* Anything, as JSON: plain numbers and words of truth get their type. */
json_t *value_any(struct manifest *m, const struct cx_node *v);
/* The value of a key of a map, NULL when it is not there or null. */
const struct cx_node *value_of(const struct cx_node *map, const char *key);

#endif
