/*
 * Docker Engine API client (API version 1.41, the one of Docker 20.10, and
 * Podman's compatible service) over its Unix socket. Paths begin behind the
 * version: "/containers/json". Callers encode query values with cx_query().
 *
 *	struct cx_engine *en = cx_engine_open(NULL, &e);
 *	CX_JSON json_t *list = cx_engine_call(en, "GET", "/containers/json?all=1", NULL, &e);
 */
#ifndef CX_ENGINE_H
#define CX_ENGINE_H

#include <cx/buf.h>
#include <cx/http.h>
#include <cx/json.h>

struct cx_engine;

/*
 * url: unix:///path, or NULL for CX_ENGINE, DOCKER_HOST, the rack's engine (rack, may be NULL), then
 * /var/run/docker.sock. Does not connect; the first call does.
 */
struct cx_engine *cx_engine_open(const char *url, const json_t *rack, struct cx_err *e);
void cx_engine_close(struct cx_engine *en);
const char *cx_engine_socket(const struct cx_engine *en);
/*
 * One call with a JSON body (or NULL) and a JSON reply; an empty reply (204, 304) gives JSON null. A status of
 * 400 and above is an error with the engine's message: 404 is CX_NO, 409 and 5xx CX_SYS, others CX_BAD.
 * *cx_engine_status() is the last HTTP status. New reference, or NULL.
 */
json_t *
cx_engine_call(struct cx_engine *en, const char *method, const char *path, const json_t *body, struct cx_err *e);
long cx_engine_status(const struct cx_engine *en);
/* A streaming call: fill r's callbacks; url is made from path. Errors as cx_engine_call. */
int cx_engine_stream(struct cx_engine *en, const char *path, struct cx_http_req *r, struct cx_err *e);
/*
 * Opens a connection of its own and upgrades it to a raw stream (attach, exec start): returns the descriptor;
 * bytes that came behind the reply's header are in *rest.
 */
int cx_engine_hijack(struct cx_engine *en, const char *path, const json_t *body, struct cx_buf *rest, struct cx_err *e);
/* Percent-encodes for a query value (RFC 3986) and appends to b. */
void cx_query(struct cx_buf *b, const char *value);

/* Decoder of the engine's multiplexed stream: frames of [stream, 0, 0, 0, size (32 bit, big-endian)]. */
struct cx_demux {
	unsigned char head[8];
	unsigned have; /* bytes of head */
	unsigned long left; /* bytes left of the frame */
};
/* Calls out(arg, stream, p, n) for each piece; stream is 1 (stdout) or 2 (stderr). -1 (CX_SYS) on a broken frame, or
 * what out returned. */
int cx_demux(struct cx_demux *d, const char *p, size_t n, int (*out)(void *arg, int stream, const char *p, size_t n),
	void *arg, struct cx_err *e);

#endif
