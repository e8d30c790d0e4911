/*
 * The resolvers that the machine had: which one to ask, how long to wait for
 * it, and sockets with random ports to reach it by.
 */
#include "dns.h"
#include <arpa/inet.h>
#include <cx/err.h>
#include <cx/net.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define BAND 50000U /* us: those as fast as the fastest within it are asked in the order given */
#define FORGET 15000000U /* us, after which a measurement counts half */
#define RTT_MAX 8000000U
#define PORT_USES 512 /* before a socket is exchanged */
#define PORT_LIFE 10000000U

uint32_t
dns_random(struct dns *d)
{
	uint32_t v;

	if (d->random_left < sizeof(v)) {
		while (getrandom(d->random, sizeof(d->random), 0) != (ssize_t)sizeof(d->random))
			;
		d->random_left = sizeof(d->random);
	}
	d->random_left -= sizeof(v);
	memcpy(&v, d->random + d->random_left, sizeof(v));
	return v;
}

/* ADDRESS, with %INTERFACE where it is link-local. */
static int
parse(char *address, int port, struct sockaddr_storage *at, socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)at;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)at;
	char *zone = strchr(address, '%');

	memset(at, 0, sizeof(*at));
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		*len = sizeof(*v4);
		return 0;
	}
	if (zone) {
		*zone++ = '\0';
		v6->sin6_scope_id = if_nametoindex(zone);
	}
	if (inet_pton(AF_INET6, address, &v6->sin6_addr) != 1)
		return -1;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	*len = sizeof(*v6);
	return 0;
}

int
resolver_add(struct dns *d, const char *text)
{
	struct resolver *r = &d->resolver[d->n_resolvers];
	char address[46];
	int port = 53;
	struct cx_err e;

	if (d->n_resolvers >= RESOLVERS_MAX || strlen(text) >= sizeof(address) + 6)
		return -1;
	memset(r, 0, sizeof(*r));
	(void)snprintf(address, sizeof(address), "%s", text);
	if ((strchr(text, '@') && cx_net_parse(text, '@', address, &port, &e) < 0) ||
		(strchr(text, '#') && cx_net_parse(text, '#', address, &port, &e) < 0) ||
		parse(address, port, &r->at, &r->len) < 0)
		return -1;
	for (int i = 0; i < VIEWS && r->at.ss_family == AF_INET; i++) {
		const struct sockaddr_in *sa = (const struct sockaddr_in *)&r->at;

		/* Asking ourselves would never end. */
		if (sa->sin_addr.s_addr == d->own[i].sin_addr.s_addr && sa->sin_port == d->own[i].sin_port)
			return 0;
	}
	d->n_resolvers++;
	return 0;
}

static void
port_close(struct port *p)
{
	close(p->src.fd);
	p->src = (struct source){FREE, -1};
	p->resolver = NULL;
}

void
port_retire(struct port *p)
{
	p->retired = 1;
	for (int i = 0; p->resolver && i < PORTS; i++)
		if (p->resolver->port[i] == p)
			p->resolver->port[i] = NULL;
	if (p->resolver && p->resolver->now == p)
		p->resolver->now = NULL;
	if (p->refs == 0)
		port_close(p);
}

void
port_release(struct port *p)
{
	if (--p->refs == 0 && p->retired)
		port_close(p);
}

void
resolver_clear(struct dns *d)
{
	for (size_t i = 0; i < PORTS_MAX; i++)
		if (d->port[i].src.kind == PORT)
			port_retire(&d->port[i]);
	d->n_resolvers = 0;
}

/* What a measurement is worth now: one that was slow or silent is tried again after a while. */
static uint64_t
rtt_now(const struct dns *d, const struct resolver *r)
{
	uint64_t halves = (d->now - r->asked) / FORGET;

	return halves > 20 ? 0 : r->rtt >> halves;
}

int
resolver_choose(const struct dns *d, unsigned without)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < d->n_resolvers; i++)
		if (!(without >> i & 1) && rtt_now(d, &d->resolver[i]) < least)
			least = rtt_now(d, &d->resolver[i]);
	for (size_t i = 0; i < d->n_resolvers; i++)
		if (!(without >> i & 1) && rtt_now(d, &d->resolver[i]) <= least + BAND)
			return (int)i;
	return -1;
}

void
resolver_answered(struct dns *d, struct resolver *r, uint64_t took)
{
	(void)d;
	if (took > RTT_MAX)
		took = RTT_MAX;
	r->rtt = r->rtt ? (r->rtt * 7 + took) / 8 : took;
}

void
resolver_refused(struct resolver *r)
{
	r->rtt = r->rtt * 2 + 400000;
	if (r->rtt > RTT_MAX)
		r->rtt = RTT_MAX;
}

void
resolver_silent(struct dns *d, struct resolver *r)
{
	resolver_refused(r);
	d->stats->timeouts++;
}

uint64_t
resolver_patience(const struct resolver *r)
{
	uint64_t us = r->rtt ? r->rtt * 4 + 200000 : 1000000;

	return us > 2000000 ? 2000000 : us;
}

static struct port *
port_open(struct dns *d, struct resolver *r)
{
	struct port *p = NULL;

	for (size_t i = 0; i < PORTS_MAX && !p; i++)
		if (d->port[i].src.kind == FREE)
			p = &d->port[i];
	if (!p)
		return NULL;
	*p = (struct port){.src = {PORT, socket(r->at.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)},
		.resolver = r,
		.born = d->now};
	if (p->src.fd < 0) {
		p->src = (struct source){FREE, -1};
		return NULL;
	}
	/* Connected: the kernel drops what another address sends, and tells of a port that is closed. */
	if (connect(p->src.fd, (const struct sockaddr *)&r->at, r->len) < 0) {
		port_close(p);
		return NULL;
	}
	worker_watch(d, &p->src, EPOLLIN);
	return p;
}

struct port *
resolver_port(struct dns *d, struct resolver *r)
{
	struct port **slot = &r->port[dns_random(d) % PORTS], *p;

	/* What comes in one turn leaves with one system call, so from one socket. */
	if (r->now && r->turn == d->turn)
		return r->now;
	p = *slot;
	if (p && (++p->uses > PORT_USES || d->now - p->born > PORT_LIFE)) {
		port_retire(p);
		p = NULL;
	}
	if (!p)
		p = *slot = port_open(d, r);
	r->now = p;
	r->turn = d->turn;
	return p;
}
