/*
 * The pipeline document: read from stdin or made by cx-manifest, checked as
 * far as a build needs it, and its build keys expanded. What is not known is
 * passed on untouched.
 */
#ifndef DOCUMENT_H
#define DOCUMENT_H

#include <cx/json.h>

struct cx_err;

/*
 * The document of stdin when it is a pipe or a file with something in it and use_stdin is set, else what
 * cx-manifest prints here. When cx-manifest failed, it said why: *status is its exit status, e is not set.
 */
json_t *document_get(int use_stdin, int *status, struct cx_err *e);
/*
 * The services with "build" and "image" expanded by the environment. Variables that only a running service
 * needs may be missing. *status as above.
 */
json_t *document_services(const json_t *doc, const json_t *env, int *status, struct cx_err *e);
/* The name of the manifest's file, and its text. */
const char *document_file(const json_t *doc);
const char *document_text(const json_t *doc);

#endif
