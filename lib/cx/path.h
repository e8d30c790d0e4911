/* Paths within the app's folder: cleaned, and opened without ever leading out of it. */
#ifndef CX_PATH_H
#define CX_PATH_H

#include <cx/buf.h>

struct cx_err;

/* As Go's filepath.Clean, which Docker applies: "a//b/./c/../d/" is "a/b/d". Owned by the caller. */
char *cx_path_clean(const char *p);
/* Opens below dir; no link leads out. Missing is CX_NO, outside CX_BAD. `what` begins the error. */
int cx_path_open(int dir, const char *path, int flags, const char *what, struct cx_err *e);
/* Reads a file below dir, at most max bytes. */
int cx_path_read(int dir, const char *path, size_t max, const char *what, struct cx_buf *b, struct cx_err *e);

#endif
