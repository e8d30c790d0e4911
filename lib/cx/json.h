/*
 * JSON over jansson, in one place: duplicates rejected, size and depth
 * bounded, jansson's errors turned into ours. Getters borrow; constructors
 * give a new reference. CX_JSON drops a reference at the end of scope.
 */
#ifndef CX_JSON_H
#define CX_JSON_H

#include <jansson.h>
#include <stdio.h>

struct cx_err;

static inline void
cx_own_json(json_t **j)
{
	json_decref(*j);
}
#define CX_JSON __attribute__((cleanup(cx_own_json)))
/* Largest JSON document that any program accepts, bytes. */
#define CX_JSON_MAX ((size_t)64 << 20)

/* Parses one document; `what` names it in errors (CX_BAD). New reference or NULL. */
json_t *cx_json_parse(const char *p, size_t n, const char *what, struct cx_err *e);
/* Reads and parses a file below dirfd (AT_FDCWD allowed). ENOENT is CX_NO. */
json_t *cx_json_load(int dirfd, const char *name, struct cx_err *e);
/* Reads one document from a descriptor to its end. */
json_t *cx_json_read(int fd, const char *what, struct cx_err *e);
/* Borrowed string, or NULL when absent or no string (cx_json_strd: or the default). */
const char *cx_json_str(const json_t *o, const char *key);
const char *cx_json_strd(const json_t *o, const char *key, const char *dflt);
long long cx_json_int(const json_t *o, const char *key, long long dflt);
int cx_json_true(const json_t *o, const char *key);
/* Sets a string (NULL: JSON null). */
void cx_json_set(json_t *o, const char *key, const char *s);
void cx_json_seti(json_t *o, const char *key, long long n);
/* Compact text, keys in insertion order, no newline; owned by the caller. */
char *cx_json_text(const json_t *j);
/* The same, with a newline, to a stream. */
int cx_json_print(FILE *f, const json_t *j, struct cx_err *e);
/* True unless s has a NUL or an invalid UTF-8 sequence (RFC 3629). */
int cx_utf8_valid(const char *s, size_t n);

#endif
