/*
 * A context as a tar stream, made while it is read: no temporary file, no
 * thread. Owners are 0:0, names of owners are empty. With gzip it is the
 * source archive of a build.
 */
#ifndef TAR_H
#define TAR_H

#include "context.h"

struct tar;

/* c is borrowed until tar_free. */
struct tar *tar_new(struct context *c, int gzip, struct cx_err *e);
/* At most n bytes; 0 at the end; -1 on errors, also when a file shrank while it was read (CX_SYS). */
ssize_t tar_read(struct tar *t, char *p, size_t n, struct cx_err *e);
/* Bytes of files read so far, as context.bytes counts them. */
long long tar_done(const struct tar *t);
void tar_free(struct tar *t);
/* The whole of it into a new file below dir, mode 0600, published by rename. */
int tar_save(struct context *c, int dir, const char *name, struct cx_err *e);

#endif
