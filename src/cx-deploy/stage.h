/*
 * The stages before cx-deploy in the pipeline. One that fails has said why on
 * stderr: its status is returned as it is.
 */
#ifndef STAGE_H
#define STAGE_H

#include <cx/json.h>

struct cx_err;

/*
 * The pipeline document: from stdin when that is a pipe or a file with something in it and no dir is named, else what
 * cx-manifest(1) says in dir, which becomes the working directory. 0, a stage's status, or -1.
 */
int stage_document(const char *dir, json_t **doc, struct cx_err *e);
/* Gives *doc (or nothing, when NULL) to a program and takes what it prints for the new one. 0, its status, or -1. */
int stage_run(const char *const argv[], json_t **doc, struct cx_err *e);

#endif
