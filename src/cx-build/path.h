/* Paths within the app's folder: cleaned, and opened without ever leading out of it. */
#ifndef PATH_H
#define PATH_H

#include <cx/buf.h>

struct cx_err;

/* As Go's filepath.Clean, which Docker applies: "a//b/./c/../d/" is "a/b/d". Owned by the caller. */
char *path_clean(const char *p);
/* Opens below dir; no link leads out. Missing is CX_NO, outside CX_BAD. `what` begins the error. */
int path_open(int dir, const char *path, int flags, const char *what, struct cx_err *e);
/* Reads a file below dir, at most max bytes. */
int path_read(int dir, const char *path, size_t max, const char *what, struct cx_buf *b, struct cx_err *e);

#endif
