#include "dns.h"
#include <cx/buf.h>
#include <cx/net.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64 /* datagrams of one socket in one turn */

static volatile sig_atomic_t ended;

static void
on_signal(int sig)
{
	(void)sig;
	ended = 1;
}

static double
clock_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void
worker_watch(struct dns *d, struct source *s, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = s};

	if (epoll_ctl(d->epoll, EPOLL_CTL_ADD, s->fd, &ev) < 0 && errno == EEXIST)
		(void)epoll_ctl(d->epoll, EPOLL_CTL_MOD, s->fd, &ev);
}

void
worker_free_later(struct dns *d, void *p)
{
	/* Never full: forward_begin counts the dead too, and a turn accepts at most EVENTS_MAX clients. */
	if (d->n_dead == sizeof(d->dead) / sizeof(d->dead[0]))
		abort();
	d->dead[d->n_dead++] = p;
}

void
worker_add(struct dns *d, int fd, int tcp, enum view view)
{
	struct socket *s = cx_alloc(sizeof(*s));

	s->src = (struct source){tcp ? LISTENER : UDP, fd};
	s->view = view;
	s->next = d->sockets;
	d->sockets = s;
	worker_watch(d, &s->src, EPOLLIN);
}

/* The bridge was made again: sockets that are bound to the old one hear nothing any more. */
static void
drop_view(struct dns *d, enum view view)
{
	for (struct socket **p = &d->sockets; *p;) {
		struct socket *s = *p;

		if (s->view != view) {
			p = &s->next;
			continue;
		}
		*p = s->next;
		if (s->src.kind == UDP)
			forward_drop(d, s->src.fd);
		close(s->src.fd);
		s->src.fd = -1;
		/* Few in a lifetime: an event of this turn may still point here, so it is not freed. */
	}
}

static void
from_parent(struct dns *d)
{
	int fd, what = cx_net_take(d->parent.fd, &fd);

	if (what < 0)
		d->ended = 1;
	if (what <= 0)
		return;
	if (what == 'u')
		drop_view(d, VIEW_CONTAINER);
	worker_add(d, fd, what == 't', VIEW_CONTAINER);
}

static void
serve(struct dns *d, const struct socket *s)
{
	static uint8_t in[4096], out[PAYLOAD];

	for (int i = 0; i < BATCH; i++) {
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		struct query q = {0};
		size_t m;
		ssize_t n = recvfrom(s->src.fd, in, sizeof(in), 0, (struct sockaddr *)&from, &len);
		enum verdict v;

		if (n < 0)
			return;
		v = answer(&d->answerer, &d->zone, s->view, in, (size_t)n, out, PAYLOAD, &m, &q);
		if (v == ANSWER_FORWARD)
			forward_begin(d, in, (size_t)n, &q, s->src.fd, &from, 0);
		else if (v == ANSWER_SEND)
			(void)sendto(s->src.fd, out, m, 0, (struct sockaddr *)&from, len);
	}
}

static void
handle(struct dns *d, struct source *s, uint32_t events)
{
	char buf[8192];

	if (s->fd < 0)
		return; /* ended earlier in this turn */
	switch (s->kind) {
	case UDP:
		serve(d, (struct socket *)(void *)s);
		return;
	case LISTENER:
		client_accept(d, (struct socket *)(void *)s);
		return;
	case CLIENT:
		client_event(d, (struct client *)(void *)s, events);
		return;
	case UPSTREAM:
		forward_event(d, (struct forward *)(void *)s, events);
		return;
	case ROUTES:
		while (read(s->fd, buf, sizeof(buf)) > 0)
			;
		zone_load_all(&d->zone, d->dir);
		return;
	default:
		from_parent(d);
	}
}

static void
sweep(struct dns *d)
{
	forward_sweep(d);
	for (struct client *c = d->clients, *next; c; c = next) {
		next = c->next;
		if (d->now > c->deadline)
			client_end(d, c);
	}
}

int
worker_run(struct dns *d)
{
	struct sigaction sa = {.sa_handler = on_signal};
	struct epoll_event ev[EVENTS_MAX];

	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGINT, &sa, NULL);
	while (!ended && !d->ended) {
		/* Never for good: a signal may have come just before. */
		int n = epoll_wait(d->epoll, ev, EVENTS_MAX, d->forwards || d->clients ? 250 : 1000);

		d->now = clock_now();
		for (int i = 0; i < n; i++)
			handle(d, ev[i].data.ptr, ev[i].events);
		sweep(d);
		while (d->n_dead)
			free(d->dead[--d->n_dead]);
	}
	return 0;
}
