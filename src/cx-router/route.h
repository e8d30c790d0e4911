/*
 * The table of routes: what stands in routes/ as JSON, one file an app. A file
 * that is broken keeps what the app had. Tables are counted references: a
 * request keeps the one that it began with.
 */
#ifndef ROUTE_H
#define ROUTE_H

#include "http1.h"

struct cx_err;
struct endpoint;

struct backend {
	char address[46];
	unsigned short port;
	char process[16];
	struct endpoint *endpoint; /* NULL: the address is none */
};

struct service {
	char *app, *name, *state, *reason, *hint;
	int https; /* TLS to the backends: not spoken by this version */
	long timeout; /* seconds until the response must begin */
	struct backend *backends;
	size_t n, next;
	unsigned refs;
	int retired; /* its table was replaced */
};

struct tcp_route {
	char address[46];
	unsigned short port;
	struct service *service;
};

struct table;

/* Reads all files of the folder; never NULL: problems are said on stderr. `old` may be NULL. */
struct table *table_load(const char *dir, struct table *old);
void table_free(struct table *t);
/* The service that answers a host name: itself, or below one of its hosts. A new reference, or NULL. */
struct service *table_find(const struct table *t, struct span host);
/* The host name whose certificate covers `host`: the route's, when host is it or one label below it; else host. */
void table_cert_name(const struct table *t, const char *host, char *buf, size_t n);
/* Whether any service still has this backend. */
int table_has(const struct table *t, const char *address, unsigned short port);
size_t table_tcp(const struct table *t, const struct tcp_route **list);
void service_unref(struct service *s);

#endif
