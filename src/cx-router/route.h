/*
 * The table of routes: what stands in routes/ as JSON, one file an app. A file
 * that changes is read alone, and its hosts are put in the place of its former
 * ones; a file that is broken keeps what the app had. Services are counted
 * references: a request keeps the one that it began with. Backends outlive a
 * change of their file: what is known of one (health, turns, since when) stays.
 *
 *	struct table *t = table_open("routes", m);
 *	struct service *s = table_find(t, host, path);
 */
#ifndef ROUTE_H
#define ROUTE_H

#include "http1.h"
#include <sys/types.h>

struct cx_err;
struct endpoint;
struct metrics;

#define ROUTE_BACKENDS_MAX 1024 /* of a service */
#define ROUTE_PATH_MAX 128
#define ROUTE_TOKEN 16

enum scheme { SCHEME_HTTP, SCHEME_HTTPS, SCHEME_GRPC, SCHEME_TCP, SCHEME_SECURE_GRPC, SCHEME_TLS };
enum algorithm { ROUND_ROBIN, LEAST_OUTSTANDING };
enum desync { DESYNC_DEFENSIVE, DESYNC_STRICTEST };
enum forwarded { FORWARDED_APPEND, FORWARDED_PRESERVE, FORWARDED_REMOVE };

struct backend {
	char address[46], process[16];
	unsigned short port;
	unsigned weight;
	char token[ROUTE_TOKEN + 1]; /* what a sticky cookie holds */
	struct endpoint *endpoint;
	struct metrics_backend *m;
	struct metrics *all;
	unsigned refs;
	int live; /* not gone */
	int marked; /* route.c: the file that is being read has it too */
	long turn; /* of weighted turns */
	double since; /* it is known from then on, 0: it was there at the start */
	double gone; /* it left the routes, or drains, since then: no new requests; 0: neither */
	double check_at; /* health.c: the next check; and results in a row */
	unsigned passed, failed;
	double avoid; /* it took no connection: not asked before then, where another can be */
	unsigned failures;
};

struct backend_spec {
	char address[46], process[16];
	unsigned short port;
	unsigned weight;
	int draining;
};

struct health_check {
	char *path;
	unsigned interval, timeout, healthy, unhealthy, from, to; /* interval 0: none */
};

struct service {
	char *app, *name, *state, *reason, *hint, *line; /* line: of its log, the last */
	char *path; /* prefix, or NULL */
	char *maintenance; /* what a page says instead of an answer; NULL: none */
	enum scheme scheme;
	enum algorithm algorithm;
	enum desync desync;
	enum forwarded forwarded;
	int client_port, https, paused, equal; /* equal: plain turns are right */
	long timeout, idle, hold, drain, sticky, slow_start, hsts; /* seconds; 0: none, but for timeout and idle */
	struct health_check health;
	struct backend_spec *specs; /* until the table takes the service */
	struct backend **backends;
	size_t n, next;
	unsigned refs;
	int retired; /* its file was replaced */
	struct metrics_service *m;
	struct metrics *all;
};

struct tcp_route {
	char address[46];
	unsigned short port;
	struct service *service;
};

struct table;

/* Empty; nothing was read. The folder's name is borrowed. */
struct table *table_open(const char *dir, struct metrics *m);
void table_free(struct table *t);
/* Reads what changed in the folder since the last time, looking at every file. Problems are said on stderr. `now` is
 * the loop's clock. */
void table_scan(struct table *t, double now);
/* Reads this file, which changed or went. */
void table_read(struct table *t, const char *name, double now);
/* The same with its text (NULL: it went). 0, or -1: the file is broken and its former routes stay. */
int table_put(struct table *t, const char *name, const char *text, size_t n, double now, struct cx_err *e);
/*
 * The service that answers: of the longest host name that is the asked one or stands above it, the one with the longest
 * path prefix. A new reference, or NULL.
 */
struct service *table_find(const struct table *t, struct span host, struct span path);
/* The host name whose certificate covers `host`: the route's, when host is it or one label below it; else host. */
void table_cert_name(const struct table *t, const char *host, char *buf, size_t n);
/* Resources, and whether they changed since the last call. */
size_t table_tcp(struct table *t, const struct tcp_route **list, int *changed);
size_t table_hosts(const struct table *t);
/* Calls f for each service of the table. */
void table_each(const struct table *t, void (*f)(struct service *s, void *arg), void *arg);
void service_unref(struct service *s);

#endif
