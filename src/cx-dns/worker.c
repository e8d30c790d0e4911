#include "dns.h"
#include <cx/err.h>
#include <cx/net.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SWEEP 50000U /* us */
#define UDP_IN 2048
/* As a network card moderates its interrupts: at this many datagrams a second a rest lets them come in batches. */
#define BUSY_RATE 40000U
#define BUSY_WINDOW 1000U /* us in which they are counted */
#define REST 100000 /* ns */

static volatile sig_atomic_t ended;

static void
on_signal(int sig)
{
	(void)sig;
	ended = 1;
}

static void
tell_time(struct dns *d)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	d->now = (uint64_t)ts.tv_sec * 1000000U + (uint64_t)ts.tv_nsec / 1000U;
	if (d->seconds == (uint32_t)ts.tv_sec)
		return;
	d->seconds = (uint32_t)ts.tv_sec;
	d->answerer.time = (uint32_t)time(NULL);
	metrics_gauges(d);
}

void
worker_watch(struct dns *d, struct source *s, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = s};

	if (epoll_ctl(d->epoll, EPOLL_CTL_MOD, s->fd, &ev) < 0 && errno == ENOENT)
		(void)epoll_ctl(d->epoll, EPOLL_CTL_ADD, s->fd, &ev);
}

void
worker_add(struct dns *d, int fd, int tcp, enum view view)
{
	for (size_t i = 0; i < SOCKETS_MAX; i++) {
		struct socket *s = &d->socket[i];
		struct epoll_event ev = {.events = EPOLLIN | (d->workers > 1 ? EPOLLEXCLUSIVE : 0U), .data.ptr = s};

		if (s->src.kind != FREE)
			continue;
		*s = (struct socket){{tcp ? LISTENER : UDP, fd}, view, tcp};
		(void)epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &ev);
		return;
	}
	close(fd);
}

/* The bridge was made again: sockets that are bound to the old one hear nothing any more. */
static void
drop_view(struct dns *d, enum view view)
{
	outbox_flush(d, &d->down);
	for (size_t i = 0; i < SOCKETS_MAX; i++) {
		struct socket *s = &d->socket[i];

		if (s->src.kind == FREE || s->view != view)
			continue;
		if (s->src.kind == UDP)
			forward_drop(d, s->src.fd);
		close(s->src.fd);
		s->src = (struct source){FREE, -1};
	}
}

void
worker_resolvers(struct dns *d, const json_t *list)
{
	const json_t *v;
	size_t i;

	forward_restart(d);
	resolver_clear(d);
	cache_clear(&d->cache); /* another network may know other names */
	json_array_foreach (list, i, v) {
		const char *text = json_is_string(v) ? json_string_value(v) : "";

		if (resolver_add(d, text) < 0)
			(void)fprintf(stderr, "cx-dns: resolver \"%.60s\" is left out: %s\n", text,
				d->n_resolvers == RESOLVERS_MAX ? "there are too many" : "this is no address");
	}
}

static void
from_parent(struct dns *d)
{
	int fd, what = cx_net_take(d->parent.fd, &fd);
	struct cx_err e;

	if (what < 0)
		d->ended = 1;
	if (what == 'u')
		drop_view(d, VIEW_CONTAINER);
	if (what == 'u' || what == 't')
		worker_add(d, fd, what == 't', VIEW_CONTAINER);
	if (what == 'd' && routes_open(&d->routes, fd, &e) < 0) {
		(void)cx_err_report(&e, "cx-dns");
		close(fd);
	}
	if (what == 'r') {
		CX_JSON json_t *rack = cx_json_read(fd, "rack.json", &e);

		if (rack)
			worker_resolvers(d, json_object_get(rack, "resolvers"));
		else
			(void)cx_err_report(&e, "cx-dns");
		close(fd);
	}
}

/* RFC 5625, 5: an answer to a stranger's question for somebody else's domain is an attack on a third. */
static int
may_ask(const struct dns *d, const struct query *q, enum view view)
{
	return (q->a.from.sin_addr.s_addr & d->allowed[view].mask) == d->allowed[view].at;
}

size_t
worker_answer(struct dns *d, struct query *q, enum view view, int udp, unsigned long long number, uint8_t *out)
{
	int refusal = answer_refusal(q), ours = refusal < 0 && zone_holds(&d->zone, q);
	const struct entry *e;
	struct key k;
	size_t n;

	if (refusal < 0 && !ours && !may_ask(d, q, view)) {
		refusal = KNOT_RCODE_REFUSED;
		d->stats->refused_clients++;
	}
	if (refusal >= 0) {
		d->stats->answers[refusal]++;
		return answer_error(&d->answerer, q, (uint16_t)refusal, out);
	}
	if (ours) {
		n = answer_zone(&d->answerer, &d->zone, view, q, out);
	} else {
		key_make(&k, q, d->cache.seed);
		e = cache_find(&d->cache, &k, d->seconds);
		if (e) {
			d->stats->hits++;
			n = entry_answer(e, d->seconds, &d->answerer, &q->a, q->wire + HEADER, out);
			d->stats->truncated += out[2] >> 1 & 1;
		} else {
			d->stats->misses++;
			n = forward_begin(d, q, &k, udp, number, out);
		}
	}
	if (n > 0)
		d->stats->answers[out[3] & 15]++;
	return n;
}

static size_t
one_datagram(struct dns *d, const struct socket *s, const struct sockaddr_in *from, const uint8_t *in, size_t n,
	uint8_t *out)
{
	struct query q;
	int rcode;

	q.a.from = *from;
	q.a.tcp = 0;
	d->stats->queries[s->view][0]++;
	rcode = query_read(&q, in, n);
	if (rcode == 0)
		return worker_answer(d, &q, s->view, s->src.fd, 0, out);
	if (rcode < 0) {
		d->stats->ignored++;
		return 0;
	}
	d->stats->answers[rcode]++;
	return answer_bare(in, (uint8_t)rcode, out);
}

static void
serve(struct dns *d, const struct socket *s)
{
	static uint8_t in[BATCH][UDP_IN];
	static struct sockaddr_in from[BATCH];
	static struct iovec iov[BATCH];
	static struct mmsghdr msg[BATCH];
	int n;

	if (!msg[0].msg_hdr.msg_iov)
		for (int i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){in[i], UDP_IN};
			msg[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_iov = &iov[i], .msg_iovlen = 1};
		}
	for (int i = 0; i < BATCH; i++)
		msg[i].msg_hdr.msg_namelen = sizeof(from[i]);
	n = recvmmsg(s->src.fd, msg, BATCH, MSG_DONTWAIT, NULL);
	d->load.datagrams += n > 0 ? (unsigned)n : 0;
	for (int i = 0; i < n; i++) {
		uint8_t *out = outbox_room(d, &d->down, s->src.fd);
		/* A longer one is cut short, and so FORMERR. */
		size_t len = one_datagram(d, s, &from[i], in[i], msg[i].msg_len, out);

		if (len > 0)
			outbox_add(&d->down, len, &from[i], 0);
	}
	outbox_flush(d, &d->down);
}

static void
handle(struct dns *d, struct source *s, uint32_t events)
{
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
	case PORT:
		forward_port(d, (struct port *)(void *)s);
		return;
	case STREAM:
		forward_stream(d, (struct stream *)(void *)s, events);
		return;
	case ROUTES:
		routes_changed(&d->routes);
		return;
	case METRICS:
		metrics_accept(d);
		return;
	case SCRAPE:
		metrics_event(d, (struct scrape *)(void *)s);
		return;
	case PARENT:
		from_parent(d);
		return;
	case FREE:
		return; /* ended earlier in this turn */
	}
}

static void
end_turn(struct dns *d)
{
	if (d->now >= d->sweep) {
		d->sweep = d->now + SWEEP;
		forward_sweep(d);
		client_sweep(d);
		metrics_sweep(d);
	}
	do {
		forward_due(d);
		if (d->resume)
			client_resume(d);
	} while (d->n_due > 0 || d->resume);
	outbox_flush(d, &d->up);
	outbox_flush(d, &d->down);
}

void
worker_init(struct dns *d)
{
	outbox_init(&d->down);
	outbox_init(&d->up);
	cache_init(&d->cache);
	tell_time(d);
}

static void
rest(struct dns *d)
{
	static const struct timespec ts = {.tv_nsec = REST};
	uint64_t us = d->now - d->load.since;

	if (us >= BUSY_WINDOW) {
		d->load.busy = d->load.datagrams * 1000000U > us * BUSY_RATE;
		d->load.datagrams = 0;
		d->load.since = d->now;
	}
	if (d->load.busy)
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

int
worker_turn(struct dns *d, int ms, const sigset_t *open)
{
	struct epoll_event ev[EVENTS_MAX];
	int n = epoll_pwait(d->epoll, ev, EVENTS_MAX, ms, open);

	tell_time(d);
	d->turn++;
	for (int i = 0; i < n; i++)
		handle(d, ev[i].data.ptr, ev[i].events);
	end_turn(d);
	return n;
}

int
worker_run(struct dns *d)
{
	struct sigaction sa = {.sa_handler = on_signal};
	sigset_t stop, open;

	/* They come only while it waits, so that none is lost between the look and the wait. */
	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, SIGTERM);
	(void)sigaddset(&stop, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &stop, NULL);
	(void)sigemptyset(&open);
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGINT, &sa, NULL);
	(void)prctl(PR_SET_TIMERSLACK, 1UL);
	while (!ended && !d->ended) {
		(void)worker_turn(d, d->flights > 0 || d->n_clients > 0 ? 50 : 1000, &open);
		rest(d);
	}
	return 0;
}
