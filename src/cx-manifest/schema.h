/*
 * convox.json, the JSON Schema of convox.yml, as far as `explain` walks it:
 * properties, names in place of patterns, items, $ref and anyOf. Everything is
 * borrowed from the schema.
 */
#ifndef SCHEMA_H
#define SCHEMA_H

#include <jansson.h>

struct cx_buf;
struct step;

/* Calls `each` for s itself, what it refers to, and every alternative in it, until it returns non-zero. */
int schema_each(const json_t *root, const json_t *s, int depth, int (*each)(const json_t *s, void *arg), void *arg);
/* The schema one step below, or NULL; *near gets the known key that is nearest to the step's name, or NULL. */
const json_t *schema_step(const json_t *root, const json_t *s, const struct step *step, const char **near);
/* A keyword of s, or of what it refers to; the first that there is. */
const json_t *schema_word(const json_t *root, const json_t *s, const char *word);
/* The forms that a value may have, in words: ["a number from 1 to 65535", "a map"]. New reference. */
json_t *schema_forms(const json_t *root, const json_t *s);
/* [{"name","description"}] of the keys below; a new reference, empty when there are none. */
json_t *schema_keys(const json_t *root, const json_t *s);

#endif
