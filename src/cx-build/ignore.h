/*
 * .dockerignore, with the semantics of Docker: order decides, "!" takes back,
 * "**" spans folders, a pattern that matches a folder covers what is in it.
 * A path is relative to the context, without "./" or a slash at its ends.
 *
 * ignore_match() wants the answers for the parent folder, so that a walk
 * matches each path once: `up` and `here` hold ignore_count() bytes.
 */
#ifndef IGNORE_H
#define IGNORE_H

#include <stddef.h>

struct cx_err;
struct ignore;

/* Parses; `file` names it in errors (CX_BAD with the line). */
struct ignore *ignore_parse(const char *p, size_t n, const char *file, struct cx_err *e);
void ignore_free(struct ignore *ig);
size_t ignore_count(const struct ignore *ig);
/* Adds a last pattern that takes back exactly this path. */
void ignore_keep(struct ignore *ig, const char *path);
/* Adds a last pattern that leaves out exactly this path and what is below. */
void ignore_drop(struct ignore *ig, const char *path);
/* True when path is left out. up NULL: the parent is the root of the context. */
int ignore_match(struct ignore *ig, const char *path, const unsigned char *up, unsigned char *here);
/* True when something below a folder that is left out may be taken back. */
int ignore_descend(const struct ignore *ig, const char *dir);
/* The same as ignore_match for one path alone, its ancestors looked at too. */
int ignore_path(struct ignore *ig, const char *path);

#endif
