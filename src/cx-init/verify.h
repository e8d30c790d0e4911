#ifndef VERIFY_H
#define VERIFY_H

#include "init.h"

struct cx_err;

/* Runs `cx-manifest --strict` on the text; its findings are entries of the report. */
int verify(struct init *in, const char *text, struct cx_err *e);

#endif
