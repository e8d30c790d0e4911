/*
 * A person or a pipe on one side, a container on the other: bytes both ways
 * over a hijacked connection, until the container closes it. On a terminal
 * the line is raw and the size is followed; otherwise stdout and stderr stay
 * apart, the end of stdin is passed on, and so are signals.
 */
#ifndef SESSION_H
#define SESSION_H

#include <cx/buf.h>
#include <cx/engine.h>

struct cx_err;

struct session {
	struct cx_engine *en;
	int sock; /* owned by the caller */
	int tty;
	struct cx_buf *rest; /* bytes that came behind the upgrade's header */
	const char *resize_path; /* "/containers/ID/resize" */
	/* Delivers a signal to the remote process. */
	void (*deliver)(void *arg, int sig);
	void *arg;
	/* Looks at the first piece of output; non-zero sends the output to stderr. Or NULL. */
	int (*is_talk)(void *arg, const char *p, size_t n);
};

/* Blocks the signals that a session handles; call it before anything exists that needs cleaning. Returns a signalfd. */
int session_signals(struct cx_err *e);
/* True when stdin and stdout are terminals. */
int session_is_terminal(void);
/* Copies until the end. 0; 128 + signal when it was broken off by one; -1 with e set. */
int session_run(struct session *s, int signals, struct cx_err *e);
const char *session_signal_name(int sig);

#endif
