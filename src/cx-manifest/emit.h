/*
 * JSON as YAML that every parser, of YAML 1.1 or 1.2, reads back as the same
 * JSON: a text that looks like something else is quoted, one of several lines
 * is a literal block.
 */
#ifndef EMIT_H
#define EMIT_H

#include <jansson.h>

struct cx_buf;

void emit_yaml(const json_t *j, struct cx_buf *out);

#endif
