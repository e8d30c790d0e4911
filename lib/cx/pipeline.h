/*
 * The pipeline document on standard input (share/cx/schema/pipeline.json).
 * A stage reads it when stdin is a pipe, a socket or a file with something in
 * it. A terminal, /dev/null and an empty file mean that there is none. So does
 * an empty pipe under `cx COMMAND` (CI systems give one to every command); a
 * stage that was called by its own name takes that for a stage before it that
 * failed, since to build what lies here instead could be another app.
 */
#ifndef CX_PIPELINE_H
#define CX_PIPELINE_H

#include <jansson.h>

struct cx_err;

/* 1: *doc is it (the caller's), 0: there is none, -1. Says on stderr what it waits for when nothing comes for 2 s. */
int cx_pipeline_read(json_t **doc, struct cx_err *e);
/* Whether doc is one that we understand: version 1, with a manifest. `what` names where it came from. */
int cx_pipeline_check(const json_t *doc, const char *what, struct cx_err *e);

#endif
