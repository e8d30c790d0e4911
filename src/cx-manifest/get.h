/* One value of a JSON document by its path. */
#ifndef GET_H
#define GET_H

#include <jansson.h>

struct cx_err;

/* Borrowed; NULL with e set: CX_NO when there is no such value, CX_BAD when path is none. */
const json_t *get_path(const json_t *m, const char *path, struct cx_err *e);

#endif
