/* What cx-manifest reads beside the language: files and variables. */
#ifndef INPUT_H
#define INPUT_H

#include <jansson.h>

struct cx_buf;
struct cx_err;

/* A whole file ("-": standard input) without NUL, terminated by one. */
int input_text(const char *file, struct cx_buf *b, struct cx_err *e);
/* The variables of this process, as {NAME: VALUE}. */
json_t *input_environ(void);
/* Those of a file of NAME=VALUE lines; NULL with e set. */
json_t *input_env_file(const char *file, struct cx_err *e);

#endif
