/*
 * One pattern of a .dockerignore: a glob with "*", "?", "[a-z]", "\x" and
 * "**", compiled to a small automaton. Matching takes length of the path times
 * length of the pattern at most: no pattern can make it slow.
 */
#ifndef GLOB_H
#define GLOB_H

#include <stddef.h>

struct cx_err;
struct glob;

/* CX_BAD with the reason when the pattern is malformed. */
struct glob *glob_new(const char *pattern, struct cx_err *e);
/* Matches exactly this text. */
struct glob *glob_literal(const char *text);
void glob_free(struct glob *g);
int glob_match(struct glob *g, const char *path);
/* The text that everything that matches begins with. */
const char *glob_prefix(const struct glob *g);

#endif
