/*
 * The worker of cx-dns: one epoll loop over the sockets of both views (UDP in
 * batches, and TCP with several queries a connection, RFC 7766), and the
 * queries that it asks of the machine's resolvers on behalf of clients. What
 * has a descriptor lives in a fixed table, so that an event that comes late
 * finds a closed slot or another one's non-blocking socket, never freed memory.
 */
#ifndef DNS_H
#define DNS_H

#include "cache.h"
#include "routes.h"
#include "stats.h"
#include <cx/buf.h>
#include <cx/json.h>
#include <signal.h>

#define BATCH 64 /* datagrams in one system call */
#define EVENTS_MAX 64 /* in one turn */
#define SOCKETS_MAX 8
#define CLIENTS_MAX 256 /* TCP connections */
#define CLIENT_QUERIES 32 /* of one connection, that wait for resolvers */
#define CLIENT_OUT ((size_t)64 << 10) /* a client that fetches no answers is not read any more */
#define CLIENTS_OUT ((size_t)16 << 20) /* all that is not fetched */
#define QUERY_SECONDS 5 /* a query by TCP arrives whole */

#define RESOLVERS_MAX 16
#define PORTS 16 /* sockets, so source ports, of one resolver */
#define PORTS_MAX (RESOLVERS_MAX * PORTS * 2)
#define FLIGHTS_MAX 2048 /* questions that wait for resolvers */
#define FLIGHT_BUCKETS 2048
#define WAITERS_MAX 4096 /* clients that wait for those */
#define PER_CLIENT 1024 /* of one address */
#define STREAMS_MAX 64 /* connections to resolvers */
#define TRIES_MAX 16
#define RESOLVER_IN 4096 /* bytes of a resolver's datagram */
#define SCRAPES_MAX 4 /* readers of metrics at a time */

enum handle { FREE, UDP, LISTENER, CLIENT, PORT, STREAM, ROUTES, PARENT, METRICS, SCRAPE };

/* What epoll gives back: first member of whatever has a descriptor. */
struct source {
	enum handle kind;
	int fd;
};

struct socket {
	struct source src;
	enum view view;
	int tcp;
};

/* Messages that leave through one descriptor with one system call. */
struct outbox {
	int fd;
	unsigned n;
	struct mmsghdr *msg;
	struct iovec *iov;
	struct sockaddr_in *to;
	uint16_t *flight; /* of those to a resolver: its ID */
	uint8_t (*data)[PAYLOAD];
};

/* A TCP connection of a client. Waiters name it by its number, since it may be gone when the answer comes. */
struct client {
	struct source src;
	enum view view;
	struct sockaddr_in from;
	unsigned long long number;
	uint64_t deadline;
	unsigned waiting; /* queries at resolvers */
	uint32_t events;
	int eof, resume; /* it said all, and listens; resolvers answered in this turn */
	struct cx_buf in, out;
};

struct resolver {
	struct sockaddr_storage at;
	socklen_t len;
	uint64_t rtt, asked; /* us, smoothed; when it was last asked */
	uint64_t plain_until; /* it understands no EDNS */
	int folds; /* changes the case of questions (0x20 is of no use) */
	struct port *port[PORTS], *now; /* now: that of this turn */
	unsigned turn;
};

struct port {
	struct source src;
	struct resolver *resolver;
	unsigned refs, uses;
	int retired;
	uint64_t born;
};

struct waiter {
	struct waiter *next;
	struct asker a;
	int udp; /* socket, or -1: the TCP client `number` */
	unsigned long long number;
	uint8_t question[QUESTION_MAX];
};

struct
try {
	struct port *port;
	uint8_t resolver;
	uint64_t sent;
};

/* One question at the resolvers, for all who asked it meanwhile. */
struct flight {
	struct flight *chain;
	struct key key;
	struct waiter *waiters;
	struct stream *stream;
	uint64_t deadline, give_up;
	uint16_t id, bad, asked; /* bad, asked: a bit a resolver */
	uint16_t rcode; /* of the last refusal */
	uint8_t tries, letters, busy, edns, due;
	struct try try[TRIES_MAX];
	uint8_t question[QUESTION_MAX]; /* in the case that is sent */
};

struct stream {
	struct source src;
	struct flight *flight;
	size_t resolver, sent, got;
	uint8_t *buf;
};

struct scrape {
	struct source src;
	uint64_t deadline;
};

struct load {
	uint64_t since, datagrams;
	int busy;
};

struct network {
	uint32_t at, mask; /* network order */
};

struct dns {
	int epoll;
	uint64_t now; /* us */
	uint32_t seconds;
	unsigned turn;
	struct load load;
	struct zone zone;
	struct routes routes;
	struct answerer answerer;
	struct cache cache;
	struct stats *stats; /* ours of those of all workers */
	const struct stats *all;
	unsigned workers;
	struct source watch, parent, metrics;
	struct scrape scrape[SCRAPES_MAX];
	struct network allowed[VIEWS]; /* for whom others are asked */
	struct sockaddr_in own[VIEWS];
	struct socket socket[SOCKETS_MAX];
	struct client client[CLIENTS_MAX];
	size_t n_clients, out_bytes;
	unsigned long long number;
	struct resolver resolver[RESOLVERS_MAX];
	size_t n_resolvers;
	struct port port[PORTS_MAX];
	struct stream stream[STREAMS_MAX];
	struct flight flight[FLIGHTS_MAX], *bucket[FLIGHT_BUCKETS];
	struct flight *by_id[65536];
	struct flight *free_flight;
	size_t flights, waiting, flights_used, waiters_used; /* used: touched at all */
	uint16_t due[2 * FLIGHTS_MAX]; /* IDs of those that ask at the end of the turn */
	size_t n_due;
	struct waiter waiter[WAITERS_MAX], *free_waiter;
	uint16_t per_client[1024]; /* waiters, by a hash of the address */
	struct outbox down, up; /* to clients, to resolvers */
	uint64_t sweep;
	uint8_t random[512];
	size_t random_left;
	int resume, ended;
};

/* worker.c */
void worker_init(struct dns *d);
int worker_run(struct dns *d);
/* Waits at most ms for events, with this signal mask, and handles them: how many there were. */
int worker_turn(struct dns *d, int ms, const sigset_t *open);
/* Another list of resolvers, of rack.json. */
void worker_resolvers(struct dns *d, const json_t *list);
void worker_watch(struct dns *d, struct source *s, uint32_t events);
void worker_add(struct dns *d, int fd, int tcp, enum view view);
/* The answer to a query that was read, into out (answer_max bytes), or 0: it comes later, or never. */
size_t worker_answer(struct dns *d, struct query *q, enum view view, int udp, unsigned long long number, uint8_t *out);

/* metrics.c */
void metrics_gauges(struct dns *d);
void metrics_accept(struct dns *d);
void metrics_event(struct dns *d, struct scrape *s);
void metrics_sweep(struct dns *d);

/* outbox.c */
void outbox_init(struct outbox *o);
/* Where the next message for fd goes, PAYLOAD bytes; what was for another descriptor leaves first. */
uint8_t *outbox_room(struct dns *d, struct outbox *o, int fd);
void outbox_add(struct outbox *o, size_t n, const struct sockaddr_in *to, uint16_t flight);
void outbox_flush(struct dns *d, struct outbox *o);

/* client.c */
void client_accept(struct dns *d, const struct socket *s);
void client_event(struct dns *d, struct client *c, uint32_t events);
void client_sweep(struct dns *d);
/* Sends what resolvers answered, and goes on with what waited for that. */
void client_resume(struct dns *d);
/* A resolver's answer of n bytes; an unknown number is a client that left. */
void client_send(struct dns *d, unsigned long long number, const uint8_t *p, size_t n);

/* forward.c: asks resolvers. Bytes of an answer for now, or 0. udp is the socket to answer by, or -1 for `number`. */
size_t forward_begin(
	struct dns *d, const struct query *q, const struct key *k, int udp, unsigned long long number, uint8_t *out);
void forward_port(struct dns *d, struct port *p);
void forward_stream(struct dns *d, struct stream *s, uint32_t events);
/* Asks for those that begin and those that were refused; their messages leave. */
void forward_due(struct dns *d);
void forward_sweep(struct dns *d);
/* Every question asks anew: the resolvers are about to be others. */
void forward_restart(struct dns *d);
/* This socket of clients is about to be closed, and its number will be another's. */
void forward_drop(struct dns *d, int udp);
/* The datagram of that flight could not be sent. */
void forward_unsent(struct dns *d, uint16_t id);

/* resolver.c */
/* Takes "ADDRESS", or with "@PORT" or "#PORT" behind it, IPv4 or IPv6; own addresses are left out. 0, or -1: none. */
int resolver_add(struct dns *d, const char *text);
/* Forgets all; nothing is in flight to them any more. */
void resolver_clear(struct dns *d);
/* The one to ask next, not among those of the bits; -1: none is left. */
int resolver_choose(const struct dns *d, unsigned without);
void resolver_answered(struct dns *d, struct resolver *r, uint64_t took);
/* It could not be reached: others come first for a while. */
void resolver_refused(struct resolver *r);
void resolver_silent(struct dns *d, struct resolver *r);
/* us to wait for it before the next one is asked too. */
uint64_t resolver_patience(const struct resolver *r);
/* A socket to it, with a random port; NULL: it cannot be reached. */
struct port *resolver_port(struct dns *d, struct resolver *r);
void port_release(struct port *p);
void port_retire(struct port *p);
uint32_t dns_random(struct dns *d);

#endif
