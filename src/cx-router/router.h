/*
 * The worker: one event loop (epoll, edge-triggered), connections, idle
 * backend connections, and what they share. Memory of a connection: its struct,
 * two buffers of IO_SIZE while data flows (a head may grow one to
 * HTTP1_HEAD_MAX), and OpenSSL's, which are released while it is idle.
 */
#ifndef ROUTER_H
#define ROUTER_H

#include "http1.h"
#include "route.h"
#include <cx/buf.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdint.h>

#define IO_SIZE 16384
#define CONNS_MAX 8192 /* fewer where the limit of open files is low */
#define IDLE_MAX 64 /* idle backend connections kept, in all */
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

/* A connection to a backend: epoll learns of it once, however many requests it carries. */
struct upstream {
	struct source src;
	struct upstream *next; /* of the idle ones */
	struct conn *conn; /* NULL: idle */
	char address[46];
	unsigned short port;
	double since;
};

enum phase { HANDSHAKE, HEAD, CONNECT, EXCHANGE, TUNNEL, FLUSH, LINGER, DEAD };

struct conn {
	struct source client;
	struct upstream *up; /* NULL: none */
	struct conn *next, **prev;
	struct router *r;
	enum how how;
	enum phase phase;
	SSL *ssl;
	char peer[INET_ADDRSTRLEN], local_port[8]; /* as text: every request names them */
	int https_port; /* where a redirect leads */
	double deadline, began;
	/* what epoll said and no EAGAIN took back */
	int c_in, c_out, b_in, b_out, c_hup, b_hup;
	struct cx_buf in, to_client, to_backend, back; /* from client; to each; from backend */
	size_t out_at, back_at; /* sent of to_client, to_backend */
	/* the request */
	struct service *service;
	struct backend *target;
	struct cx_buf head; /* as sent to the backend, kept until the response begins, for another try */
	size_t tries;
	int reused, head_request, client_close, upgrade, has_body, body_seen, continued;
	long long req_left; /* Content-Length still to come; -1 chunked */
	int req_done;
	struct http1_chunk req_chunk, res_chunk;
	/* the response */
	int responded, res_done, res_chunked, until_close, out_chunked, back_close, status, minor;
	long long res_left;
	unsigned long long bytes;
	char method[16], path[256], host[256];
	int client_eof, backend_eof;
	int waits_for_cert, html;
};

struct log;
struct certs;

struct router {
	int epoll;
	const char *routes_dir, *domain;
	struct table *table;
	struct source routes, mint, parent;
	struct listener *listeners;
	struct conn *conns, *grave;
	void **garbage; /* freed at the end of the turn: an event of it may still point there */
	size_t garbage_n, garbage_cap;
	size_t n, max;
	struct upstream *idle;
	size_t idles;
	SSL_CTX *ctx;
	struct certs *certs;
	struct log *log;
	int https_port; /* where port 80 redirects to */
	size_t unbound; /* resources whose port was taken */
	int stopping;
	double now; /* monotonic, of this turn of the loop */
};

/* worker.c */
int worker_run(struct router *r);
void worker_watch(struct router *r, struct source *s, uint32_t events);
void worker_add_listener(struct router *r, int fd, enum how how, enum group group, const struct tcp_route *tcp);
double worker_clock(void);
void worker_free_later(struct router *r, void *p);

/* conn.c */
void conn_accept(struct router *r, struct listener *l, int fd, const struct sockaddr_in *peer);
void conn_run(struct conn *c);
/* Ends it; its memory goes at the end of the turn. */
void conn_end(struct conn *c);
void conn_timeout(struct conn *c);
void conn_free(struct conn *c);

/* request.c: from a head to a backend, and its answer */
/* True when progress was made. */
int request_begin(struct conn *c);
int request_body(struct conn *c);
int response_begin(struct conn *c);
int response_body(struct conn *c);
void request_end(struct conn *c);

/* backend.c */
/* Picks a backend and begins to connect, or takes an idle connection. 0, or -1 when none takes it (a page was made). */
int backend_connect(struct conn *c);
/* A connection that could not be made, or a kept one that turned out closed: the next one, where that is safe. */
void backend_failed(struct conn *c, const char *what);
void backend_release(struct conn *c, int reusable);
void idle_close(struct router *r, struct upstream *u);
void idle_sweep(struct router *r);
/* Closes kept connections to backends that no route names any more, so that a draining process sees them end. */
void idle_prune(struct router *r);

/* tls.c */
int tls_open(struct router *r, const char *cert_file, struct cx_err *e);
SSL *tls_accept(struct router *r, struct conn *c, int fd);
/* The mint answered (or is gone). */
void tls_mint_ready(struct router *r);

/* page.c: an answer of our own. */
void page_refuse(struct conn *c, int status, const char *why);
void page_redirect(struct conn *c);

/* log.c */
/* A number in decimal, or hexadecimal; printf(3) costs as much as the rest of a request's head. */
void put_number(struct cx_buf *b, unsigned long long n, unsigned base);
struct log *log_open(int fd);
void log_request(struct conn *c);
void log_flush(struct router *r);
void log_replace(struct router *r, int fd);

#endif
