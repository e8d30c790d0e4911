/*
 * The worker of cx-dns: one epoll loop over the sockets of both views (UDP,
 * and TCP with several queries a connection, RFC 7766), and the queries that
 * it asks of the machine's resolvers on behalf of clients.
 */
#ifndef DNS_H
#define DNS_H

#include "answer.h"
#include <netinet/in.h>
#include <stdint.h>

#define FORWARDS_MAX 512
#define CLIENTS_MAX 256
#define EVENTS_MAX 64 /* in one turn */
#define RESOLVERS_MAX 8
#define RESOLVER_SECONDS 2.0
#define IDLE_SECONDS 10.0

enum handle { UDP, LISTENER, CLIENT, UPSTREAM, ROUTES, PARENT };

/* What epoll gives back: first member of whatever has a descriptor. */
struct source {
	enum handle kind;
	int fd;
};

struct socket {
	struct source src;
	enum view view;
	struct socket *next;
};

/* A TCP connection of a client. Forwards name it by its number, since it may be gone when the answer comes. */
struct client {
	struct source src;
	struct client *next;
	enum view view;
	unsigned long long number;
	double deadline;
	size_t in_n, out_n, out_at;
	uint8_t in[2 + KNOT_WIRE_MAX_PKTSIZE];
	uint8_t *out;
};

struct forward;

struct dns {
	int epoll, dir;
	struct zone zone;
	struct answerer answerer;
	struct source routes, parent;
	struct socket *sockets;
	struct client *clients;
	size_t n_clients;
	unsigned long long number;
	struct forward *forwards;
	size_t n_forwards;
	struct sockaddr_in resolver[RESOLVERS_MAX];
	size_t n_resolvers;
	void *dead[CLIENTS_MAX + EVENTS_MAX + FORWARDS_MAX]; /* freed at the end of the turn */
	size_t n_dead;
	double now;
	int ended;
};

/* worker.c */
int worker_run(struct dns *d);
void worker_watch(struct dns *d, struct source *s, uint32_t events);
void worker_free_later(struct dns *d, void *p);
void worker_add(struct dns *d, int fd, int tcp, enum view view);

/* client.c */
void client_accept(struct dns *d, const struct socket *s);
void client_event(struct dns *d, struct client *c, uint32_t events);
void client_end(struct dns *d, struct client *c);
/* Sends a message, with its length before it; an unknown number is a client that left. */
void client_send(struct dns *d, unsigned long long number, const uint8_t *p, size_t n);

/* forward.c: asks a resolver. udp is the socket to answer by, or -1 for the TCP client `number`. */
void forward_begin(struct dns *d, const uint8_t *query, size_t n, const struct query *q, int udp,
	const struct sockaddr_in *from, unsigned long long number);
void forward_event(struct dns *d, struct forward *f, uint32_t events);
void forward_sweep(struct dns *d);
/* This socket of clients is about to be closed, and its number will be another's. */
void forward_drop(struct dns *d, int udp);
/* Takes "IP", "IP@PORT" or "IP#PORT"; own addresses are left out. */
void forward_add_resolver(struct dns *d, const char *text, const struct sockaddr_in *own);

#endif
