/* cx-manifest fmt: one layout for every convox.yml. */
#ifndef FMT_H
#define FMT_H

struct cx_err;

enum fmt_how { FMT_PRINT, FMT_CHECK, FMT_WRITE };

/* The exit status (1: --check found a file that is not laid out), or -1 with e set. */
int fmt_file(const char *file, enum fmt_how how, struct cx_err *e);

#endif
