/*
 * The folder that a conversion may read: the app's, or that of the converted
 * file when it lies elsewhere. Files that other files name are read only
 * below it, links included, and only regular ones. Paths are relative to it.
 */
#ifndef PROJECT_H
#define PROJECT_H

#include <cx/buf.h>

struct cx_err;

#define PROJECT_FILE_MAX ((size_t)10 << 20)

struct project {
	int root; /* -1: nothing can be read */
	char *path; /* of root, absolute */
	char *app; /* the app's folder below it, "." for root itself; NULL: it lies elsewhere */
};

/* The folder is opened; app is the folder that convox.yml goes to, file the one that is converted. The path of the
 * file within the project is *name. */
int project_open(struct project *p, const char *app, const char *file, char **name, struct cx_err *e);
void project_close(struct project *p);
/* CX_NO when there is none, CX_BAD when it lies outside or is no file. */
int project_read(const struct project *p, const char *path, struct cx_buf *b, struct cx_err *e);
/* True when such a file is there. */
int project_has(const struct project *p, const char *path);
/* rel, as written in a file that lies in the folder base; relative to the root, cleaned. NULL when it leads out. */
char *project_join(const struct project *p, const char *base, const char *rel);
/* The same path seen from the app's folder; NULL when it lies outside of that. */
char *project_in_app(const struct project *p, const char *path);
/* The folder of a path, "." for a bare name. */
char *project_folder(const char *path);

#endif
