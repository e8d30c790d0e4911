/*
 * The .env format: NAME=VALUE a line, with comments, an `export` before the
 * name, values in single quotes (as they are) or double quotes (\n \r \t \" \\
 * \$ \`), both over several lines. Nothing is expanded.
 */
#ifndef DOTENV_H
#define DOTENV_H

#include <cx/buf.h>
#include <cx/json.h>
#include <stddef.h>

struct cx_err;

/* Adds what p says to env (an object); the last of two equal names wins. CX_BAD with file, line, column. */
int dotenv_parse(const char *p, size_t n, const char *file, json_t *env, struct cx_err *e);
/* One line that dotenv_parse reads back as it was, without its newline. */
void dotenv_put(struct cx_buf *b, const char *name, const char *value);

#endif
