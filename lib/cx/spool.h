/*
 * The spool: the state of a rack as a directory (cx-spool(7)). A file is
 * published whole: temporary, write, fsync, mode, rename, fsync of the folder;
 * a crash at any instruction leaves the old file or the new one. Readers take
 * no lock and ignore names that begin with a dot.
 *
 *	struct cx_spool s;
 *	if (cx_spool_open(&s, &e) < 0) ...
 *	CX_JSON json_t *app = cx_json_load(s.dir, "apps/docs/app.json", &e);
 */
#ifndef CX_SPOOL_H
#define CX_SPOOL_H

#include <cx/json.h>
#include <stddef.h>

struct cx_err;

struct cx_spool {
	int dir; /* directory descriptor, close-on-exec */
	char path[4096]; /* absolute */
	json_t *rack; /* rack.json, or NULL before the install */
};

/* The path of the spool that this command means, by the rule of design: CX_SPOOL, CX_RACK, default. */
int cx_spool_path(char *buf, size_t n, struct cx_err *e);
/* Opens it and loads rack.json; without one: CX_NO, with a hint to `cx install local`. */
int cx_spool_open(struct cx_spool *s, struct cx_err *e);
void cx_spool_close(struct cx_spool *s);
/* Publishes a file below dirfd; name may hold folders, which must exist. mode such as 0644. */
int cx_spool_publish(int dirfd, const char *name, const void *p, size_t n, unsigned mode, struct cx_err *e);
int cx_spool_publish_json(int dirfd, const char *name, const json_t *j, unsigned mode, struct cx_err *e);
/* mkdir -p below dirfd with fsync of what was made; existing folders are fine. */
int cx_spool_mkdir(int dirfd, const char *name, unsigned mode, struct cx_err *e);
/* Removes a tree below dirfd without following links; absent is fine. */
int cx_spool_remove(int dirfd, const char *name, struct cx_err *e);
/* Removes temporaries (".NAME.T...") of killed publishers in the folder that are older than `seconds`. */
void cx_spool_sweep(int dirfd, long seconds);
/* Appends one line (a newline is added) in a single write, O_APPEND. */
int cx_spool_append(int dirfd, const char *name, const char *line, struct cx_err *e);
/* Sorted names in a folder, without dot-files: a new JSON array of strings; an absent folder is an empty one. */
json_t *cx_spool_list(int dirfd, const char *name, struct cx_err *e);

/* An ID: prefix ('B', 'R') and ten random capitals; buf holds 12. */
void cx_id_make(char prefix, char buf[12]);
int cx_id_valid(const char *s, char prefix);
/* A name of an app, service or resource: [a-z][a-z0-9-]*, no "-" at its end, at most 40 bytes. */
int cx_name_valid(const char *s);
/* CX_BAD with a hint when it is not; `what` is "app", "service". */
int cx_name_check(const char *what, const char *s, struct cx_err *e);
/* Now, or t, as RFC 3339 UTC with milliseconds: 2026-01-02T03:04:05.678Z; buf holds 32. */
void cx_time_now(char buf[32]);

/* An open-file-description lock on a file below dirfd; dies with the descriptor. Waits at most
 * `seconds` (0: not at all); CX_SYS names the owner that the file tells. Returns the descriptor, or -1. */
int cx_lock(int dirfd, const char *name, int seconds, const char *why, struct cx_err *e);

#endif
