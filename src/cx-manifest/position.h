/* Where the values of a normalised manifest stand in its file. */
#ifndef POSITION_H
#define POSITION_H

#include <jansson.h>

struct cx_tree;

/*
 * {"/services/web/port": [line, column], ...}: a JSON Pointer (RFC 6901) for every value of m. What is not in the
 * file itself (a default, a part of a short form) has the place of what it follows from.
 */
json_t *position_map(const json_t *m, const struct cx_tree *t);

#endif
