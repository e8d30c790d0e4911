#ifndef PROCFILE_H
#define PROCFILE_H

#include "init.h"

struct cx_err;

/* The processes of a Procfile as services that are built from the app's folder. 0, or -1 with e set. */
int procfile_convert(struct init *in, const char *name, const char *text, struct cx_err *e);

#endif
