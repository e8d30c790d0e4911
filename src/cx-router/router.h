/*
 * The worker: one event loop (epoll, edge-triggered). A connection (struct
 * conn) carries bytes of one client; a request is a struct stream, whatever
 * the client speaks: HTTP/1 has one at a time, HTTP/2 many. A stream knows its
 * service and backend, owns what is under way in each direction, and talks to
 * its client through a table of functions (struct down). Memory: a connection
 * its struct, and buffers of IO_SIZE while data flows; a stream two more of
 * those; OpenSSL's are released while it is idle.
 */
#ifndef ROUTER_H
#define ROUTER_H

#include "alb.h"
#include "balance.h"
#include "http1.h"
#include "log.h"
#include "route.h"
#include <cx/buf.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdint.h>

#define IO_SIZE 16384
#define CONNS_MAX 8192 /* fewer where the limit of open files is low */
#define IDLE_MAX 512 /* idle connections kept to a backend */
#define IDLE_SECONDS 50
#define HEAD_SECONDS 60 /* for a request's head, and between requests */
#define CONNECT_SECONDS 10 /* to a backend */
#define BODY_SECONDS 60 /* without a byte in either direction */
#define LINGER_SECONDS 2
#define TUNNEL_SECONDS 3600

enum handle { LISTENER, CLIENT, BACKEND, MINT, ROUTES, PARENT };
enum how { TLS, PLAIN, REDIRECT, TCP };
enum group { HOST, GATEWAY, RESOURCES };

/* What epoll gives back: every descriptor's first member. */
struct source {
	enum handle kind;
	int fd;
};

struct listener {
	struct source src;
	struct listener *next;
	enum how how;
	enum group group;
	struct tcp_route tcp;
	int seen;
};

struct stream;

/* Where a backend listens. Tables of routes come and go; this stays as long as anything refers to it. */
struct endpoint {
	struct endpoint *next;
	struct sockaddr_in address;
	struct endpoint *dead; /* of those that no route names any more */
	unsigned refs;
	int live; /* backends of the table that listen here */
	struct upstream *idle;
	unsigned idles;
};

/* A connection to a backend: epoll learns of it once, however many requests it carries. */
struct upstream {
	struct source src;
	struct upstream *next; /* of the idle ones */
	struct stream *stream; /* NULL: idle */
	struct endpoint *endpoint;
	double since;
	/* what epoll said and no EAGAIN took back */
	int in, out, hup;
};

enum phase { HANDSHAKE, HEAD, BUSY, FLUSH, LINGER, H2, DEAD };

struct conn {
	struct source client;
	struct conn *next, **prev, *later; /* later: of those that run again in this turn or the next */
	struct router *r;
	enum how how;
	enum phase phase;
	SSL *ssl;
	unsigned short peer_port;
	char peer[INET_ADDRSTRLEN], local_port[8]; /* as text: every request names them */
	int https_port; /* where a redirect leads */
	double deadline;
	int c_in, c_out, c_hup, eof, close, waits_for_cert, again;
	struct cx_buf in, out;
	size_t sent; /* of out */
	struct stream *s; /* HTTP/1: the request under way, or NULL */
	struct h2 *h2; /* HTTP/2: its session, or NULL */
};

enum accepts { ACCEPTS_TEXT, ACCEPTS_HTML, ACCEPTS_JSON }; /* what pages of our own are */
enum step { HELD, CONNECT, EXCHANGE, DONE }; /* HELD: waits for a process */

/* What a client's protocol does for a stream. Functions that return int: true when progress was made. */
struct down {
	int (*pull)(struct stream *s); /* moves the request's body into to_backend */
	void (*head)(struct stream *s, const struct http1 *h); /* the head of an answer, interim or final */
	int (*push)(struct stream *s); /* moves the answer's body on, from response_data() */
	void (*finish)(struct stream *s); /* the whole answer was taken */
	void (*abort)(struct stream *s); /* it cannot be completed: the client must not take it for whole */
	int (*left)(struct stream *s); /* nobody waits for the answer any more */
	void (*trailer)(struct stream *s, const struct http1 *h); /* behind the answer's body */
	void (*wake)(struct stream *s); /* its backend has something to say */
};

struct stream {
	struct conn *c;
	struct router *r;
	const struct down *down;
	struct stream *next;
	/* HTTP/2 */
	struct stream *sib, **sibp; /* of its connection */
	int32_t id;
	int deferred, broken;
	size_t credit; /* bytes of the body that the client has not been told to be gone */
	enum step step;
	double deadline, began;
	/* the request */
	char method[16], path[256], host[256], trace[120];
	char agent[160]; /* for the ALB's log only */
	char cookie[ROUTE_TOKEN + 1]; /* of a sticky service */
	int minor, is_head, html, upgrade, tunnel;
	struct service *service;
	struct backend *target, *tried[BALANCE_TRIES];
	size_t tries;
	struct stream *held_next, **held;
	double held_until; /* 0: it did not wait yet */
	int repeated; /* sent once more, to another process */
	int back_ends; /* the backend's connection serves no other */
	int acted; /* it may have been acted on: no other try */
	enum desync_class class;
	const char *class_reason;
	double asked, answered; /* a backend was picked, its head was there; 0: not yet */
	struct upstream *up; /* NULL: none */
	struct cx_buf to_backend; /* the head stays until a body follows or the answer begins, for another try */
	size_t sent; /* of to_backend */
	int reused; /* up had carried another request before */
	int has_body, body_seen, req_done;
	long long req_left; /* Content-Length still to come; -1 chunked, or a tunnel */
	struct http1_chunk req_chunk, res_chunk;
	int req_trailer; /* the next bytes are its trailer section */
	int own; /* the answer is ours, not a backend's */
	/* the answer */
	struct cx_buf back; /* from the backend, in its framing */
	int res_trailer, trailed; /* trailers are next; were passed on */
	int responded, res_done, res_chunked, until_close, out_chunked, back_close, back_eof, status;
	long long res_left;
	unsigned long long bytes, bytes_in;
};

struct certs;

#define POOL_MAX 256

struct router {
	int epoll;
	const char *routes_dir, *domain;
	struct table *table;
	struct source routes, mint, parent;
	struct listener *listeners;
	struct conn *conns, *grave, *later;
	struct metrics *metrics;
	struct stream *held; /* that wait for a process */
	size_t held_n;
	double held_at; /* when they are tried again */
	struct stream *spare, *ended; /* for the next requests; until the end of the turn */
	char *pool[POOL_MAX]; /* buffers for the next to need one */
	size_t pooled;
	void **garbage; /* freed at the end of the turn: an event of it may still point there */
	size_t garbage_n, garbage_cap;
	size_t n, max;
	SSL_CTX *ctx;
	BIO_METHOD *bio;
	struct certs *certs;
	struct log *log;
	int log_agents; /* it names the User-Agent */
	int https_port; /* where port 80 redirects to */
	size_t unbound; /* resources whose port was taken */
	struct tickets *tickets;
	int number, workers; /* which worker of how many */
	pid_t ppid;
	int stopping, drain; /* drain: others take what is new, what there is has time */
	double now; /* monotonic, of this turn of the loop */
};

/* worker.c */
int worker_run(struct router *r);
void worker_watch(struct router *r, struct source *s, uint32_t events);
void worker_add_listener(struct router *r, int fd, enum how how, enum group group, const struct tcp_route *tcp);
double worker_clock(void);
void worker_free_later(struct router *r, void *p);
/* A buffer of IO_SIZE or more; and back, when nothing is in it. */
void pool_take(struct router *r, struct cx_buf *b);
void pool_give(struct router *r, struct cx_buf *b);

/* conn.c: bytes of a client */
void conn_accept(struct router *r, struct listener *l, int fd, const struct sockaddr_in *peer);
void conn_run(struct conn *c);
/* Runs it once more, soon. */
void conn_again(struct conn *c);
/* Ends it; its memory goes at the end of the turn. */
void conn_end(struct conn *c);
void conn_timeout(struct conn *c);
void conn_free(struct conn *c);
/* Reads up to `max` bytes in c->in; writes c->out. True when something came, went, or ended. */
int conn_read(struct conn *c, size_t max);
int conn_write(struct conn *c);

/* h1.c: HTTP/1 to clients */
extern const struct down h1_down;
int h1_head(struct conn *c);
void h1_head_late(struct conn *c);

/* h2.c: HTTP/2 to clients */
#define H2_STREAMS 128 /* at a time on a connection */
#define H2_WINDOW (128 * 1024) /* bytes of a stream's body on the way to its backend */
#define H2_CONN_WINDOW (1024 * 1024) /* the same of all streams of a connection */
#define H2_REQUESTS 10000 /* on a connection before it is asked to make another (the ALB's) */
#define H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
int h2_open(struct router *r, struct cx_err *e);
void h2_begin(struct conn *c);
int h2_run(struct conn *c);
void h2_tick(struct conn *c);
void h2_end(struct conn *c);

/* tcp.c: the listener of a resource */
void tcp_begin(struct conn *c, struct service *service);

/* stream.c: a request on its way */
struct stream *stream_new(struct conn *c, const struct down *down);
/* Moves what can be moved, once. */
int stream_step(struct stream *s);
/* The answer's head as it goes to the client: framing is chosen, the body follows through response_data(). */
void stream_respond(struct stream *s, const struct http1 *h);
/* All of the answer was passed on, or nothing more can be: logs, gives the backend back. */
void stream_done(struct stream *s);
/* Its memory goes at the end of the turn. */
void stream_free(struct stream *s);
void stream_timeout(struct stream *s);
void stream_bury(struct router *r);

/*
 * The next run of the answer's body, at most max bytes: *p and *n (n 0: none yet; s->res_done: that was all), valid
 * until response_eat(s, used). 0, or -1: broken off.
 */
int response_data(struct stream *s, size_t max, const char **p, size_t *n, size_t *used);
void response_eat(struct stream *s, size_t used);

/* request.c: heads, and which service */
/* Takes the head, finds its service and begins to connect; an answer of our own instead where that is the end of it. */
void request_begin(struct stream *s, const struct http1 *h);
/* A part of the body for to_backend in the framing of its head, and the end of it. */
size_t request_room(struct stream *s);
void request_put(struct stream *s, const char *p, size_t n);
void request_ends(struct stream *s, const struct http1 *trailer);
/* Whether field i of an answer is passed on. */
int response_passes(const struct http1 *h, size_t i);
void put_span(struct cx_buf *b, struct span s);
void put_trailer(struct cx_buf *b, const struct http1 *h);
void put_chunk(struct cx_buf *b, const char *p, size_t n);

/* dispatch.c: which service, and what becomes of a request that no process takes now */
/* Finds its service; false when there is none. */
int dispatch_find(struct stream *s);
/* Gives it to a process, lets it wait, or answers with a page. */
void dispatch(struct stream *s);
/* It lets go of its service. */
void dispatch_leave(struct stream *s);
/* No process took it: true when it waits. */
int dispatch_hold(struct stream *s);
/* Its wait is over. */
void dispatch_late(struct stream *s);
/* Ends it when its process left the routes and the time of the drain is over. */
void dispatch_cut(struct stream *s);
/* Tries those that wait again. */
void dispatch_again(struct router *r, int routes_changed);

/* backend.c */
struct endpoint *endpoint_get(const char *address, unsigned short port);
void endpoint_unref(struct endpoint *e);
/* One backend of the table more, or less, listens there. */
void endpoint_live(struct endpoint *e, int by);
/* Picks a backend and begins to connect, or takes an idle connection. 0, or -1 when none takes it. */
int backend_connect(struct stream *s);
/* A connection that could not be made, or a kept one that turned out closed: the next one, where that is safe. */
void backend_failed(struct stream *s, const char *what);
void backend_release(struct stream *s, int reusable);
void idle_close(struct router *r, struct upstream *u);
void idle_sweep(struct router *r);
/* Closes kept connections to backends that no route names any more, so that a draining process sees them end. */
void idle_prune(struct router *r);

/* tls.c */
int tls_open(struct router *r, const char *cert_file, struct cx_err *e);
SSL *tls_accept(struct router *r, struct conn *c);
/* The mint answered (or is gone). */
void tls_mint_ready(struct router *r);

/* page.c: an answer of our own. */
void page_refuse(struct stream *s, int status, const char *why);
void page_redirect(struct stream *s, const char *target);

/* log.c */
/* A number in decimal, or hexadecimal; printf(3) costs as much as the rest of a request's head. */
void put_number(struct cx_buf *b, unsigned long long n, unsigned base);

#endif
