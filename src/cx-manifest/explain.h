/* cx-manifest explain: what a key means, from share/cx/schema/convox.json. */
#ifndef EXPLAIN_H
#define EXPLAIN_H

struct cx_err;

/* path NULL: the top-level keys. 0, or -1 with e set. */
int explain(const char *path, struct cx_err *e);

#endif
