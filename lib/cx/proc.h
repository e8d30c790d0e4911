/*
 * Finding and running programs of cx. Looks in CX_EXEC_PATH (colon-separated),
 * then the folder of the running program, then PATH. Every descriptor of cx is
 * close-on-exec; a child gets stdin, stdout, stderr and what is listed.
 *
 *	struct cx_child c = {.in = -1, .out = CX_PIPE, .err = 2};
 *	const char *argv[] = {"cx-manifest", "convox.yml", NULL};
 *	if (cx_spawn(&c, argv, NULL, &e) < 0) ...
 */
#ifndef CX_PROC_H
#define CX_PROC_H

#include <stddef.h>
#include <sys/types.h>

struct cx_buf;
struct cx_err;

#define CX_PIPE (-2)

struct cx_child {
	pid_t pid;
	int in, out, err; /* before: a descriptor, -1 for /dev/null, or CX_PIPE; after: our end of each pipe, else -1 */
	int pass; /* one more descriptor that the child keeps as 3; 0 or -1: none */
};

/* Finds a program by name; buf gets its path. CX_BAD when there is none. */
int cx_find(const char *prog, char *buf, size_t n, struct cx_err *e);
/* Starts it; env is a NULL-terminated list of additions NAME=VALUE, or NULL. Failure of exec is reported here. */
int cx_spawn(struct cx_child *c, const char *const argv[], const char *const env[], struct cx_err *e);
/* Waits; returns the exit status, or 128 + signal. Closes what pipes are left. */
int cx_wait(struct cx_child *c);
/* Runs argv with `in` (n bytes, or NULL) on stdin and collects stdout (at most max). Returns its exit status, or -1. */
int cx_run(const char *const argv[], const char *const env[], const void *in, size_t n, struct cx_buf *out, size_t max,
	struct cx_err *e);
/* Replaces this process; returns only on failure. */
int cx_exec(const char *const argv[], struct cx_err *e);
/* The path of a data file: $CX_SHARE/rel, else ../share/cx/rel beside the running program. buf is n bytes. */
int cx_share(const char *rel, char *buf, size_t n, struct cx_err *e);
/* Tells whoever started this daemon that it is ready: one newline on the descriptor that CX_READY_FD names. */
void cx_ready(void);

/*
 * Takes the global options (-a/--app NAME, --rack NAME, --json, -C DIR) out of argv and puts them in the
 * environment (CX_APP, CX_RACK, CX_JSON=1) and the working directory. With stop, ends at the first operand
 * behind `stop` operands (0: everywhere until "--"), so that a remote command's own options are left alone.
 */
int cx_globals(int *argc, char **argv, int stop, struct cx_err *e);
/* The app: CX_APP, else the working directory's name made valid. buf holds 64. */
int cx_app_name(char buf[64], struct cx_err *e);
int cx_json_wanted(void);

#endif
