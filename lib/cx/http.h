/*
 * HTTP over libcurl, TCP or a Unix socket, streaming both ways. TLS is always
 * verified. One handle, reused, keeps its connection.
 *
 *	struct cx_http *h = cx_http_new("/var/run/docker.sock");
 *	struct cx_http_req r = {.method = "GET", .url = "http://engine/v1.41/info"};
 *	if (cx_http_do(h, &r, &e) < 0) ...  r.status, r.reply
 */
#ifndef CX_HTTP_H
#define CX_HTTP_H

#include <cx/buf.h>
#include <stddef.h>
#include <sys/types.h>

struct cx_err;
struct cx_http;

struct cx_http_req {
	const char *method, *url;
	const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
	const void *body; /* with body_n; or `read` below */
	size_t body_n;
	/* Gives at most n upload bytes; 0 at the end, -1 to abort. Sent chunked. */
	ssize_t (*read)(void *arg, char *p, size_t n);
	/* Takes reply bytes of a 2xx reply as they come; non-zero aborts. Without it they go to `reply`. */
	int (*write)(void *arg, const char *p, size_t n);
	void *arg;
	long timeout_ms; /* whole request; 0: none */
	long connect_ms; /* 0: 10000 */
	long stall_s; /* gives up when before the reply's first byte nothing moves for so long; 0: never */
	const int *cancel; /* looked at about once a second and on data; non-zero aborts; or NULL */
	size_t max; /* of reply; 0: CX_JSON_MAX */
	/* results */
	long status; /* HTTP status, 0 when there was none */
	int stalled; /* given up because of stall_s */
	struct cx_buf reply; /* free with cx_buf_free */
};

struct cx_http *cx_http_new(const char *unix_path); /* NULL path: TCP */
void cx_http_free(struct cx_http *h);
/* 0 when a whole reply came, whatever its status; -1 (CX_SYS) otherwise. An abort by a callback: text "aborted". */
int cx_http_do(struct cx_http *h, struct cx_http_req *r, struct cx_err *e);

#endif
