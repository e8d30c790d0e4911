/* The worker's loop. */
#include "metrics.h"
#include "router.h"
#include <arpa/inet.h>
#include <cx/err.h>
#include <cx/net.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <time.h>

#define EVENTS 256
#define CHANGED_MAX 256 /* files in one turn that are read alone */
#define ACCEPTS 64 /* in one turn, so that a flood of new connections does not starve the others */
#define STOP_SECONDS 10
#define DRAIN_SECONDS 3600 /* after an upgrade */

static volatile sig_atomic_t ended, relieved;

static void
on_signal(int sig)
{
	if (sig == SIGUSR2)
		relieved = 1;
	else
		ended = 1;
}

double
worker_clock(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void
worker_watch(struct router *r, struct source *s, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = s};

	if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, s->fd, &ev) < 0)
		(void)fprintf(stderr, "cx-router: epoll: %s\n", strerror(errno));
}

void
worker_free_later(struct router *r, void *p)
{
	if (r->garbage_n == r->garbage_cap) {
		r->garbage_cap = r->garbage_cap ? r->garbage_cap * 2 : 64;
		r->garbage = realloc(r->garbage, r->garbage_cap * sizeof(*r->garbage));
		if (!r->garbage)
			abort();
	}
	r->garbage[r->garbage_n++] = p;
}

#define POOL_CAP (IO_SIZE + 1024)

void
pool_take(struct router *r, struct cx_buf *b)
{
	if (b->p)
		return;
	b->p = r->pooled ? r->pool[--r->pooled] : cx_alloc(POOL_CAP);
	b->cap = POOL_CAP;
	b->n = 0;
}

void
pool_give(struct router *r, struct cx_buf *b)
{
	if (b->cap == POOL_CAP && r->pooled < POOL_MAX) {
		r->pool[r->pooled++] = b->p;
		b->p = NULL;
	}
	cx_buf_free(b);
}

void
worker_add_listener(struct router *r, int fd, enum how how, enum group group, const struct tcp_route *tcp)
{
	struct listener *l = cx_alloc(sizeof(*l));

	l->src = (struct source){LISTENER, fd};
	l->how = how;
	l->group = group;
	if (tcp) {
		l->tcp = *tcp;
		l->tcp.service->refs++;
	}
	l->seen = 1;
	l->next = r->listeners;
	r->listeners = l;
	/* One worker wakes for a connection, not all. */
	worker_watch(r, &l->src, EPOLLIN | (r->workers > 1 ? EPOLLEXCLUSIVE : 0U));
}

static void
drop_listeners(struct router *r, enum group group, int all)
{
	for (struct listener **p = &r->listeners; *p;) {
		struct listener *l = *p;

		if (!all && (l->group != group || l->seen)) {
			l->seen = group == l->group ? 0 : l->seen;
			p = &l->next;
			continue;
		}
		*p = l->next;
		/* The parent has it too: closing alone would leave it in the set. */
		(void)epoll_ctl(r->epoll, EPOLL_CTL_DEL, l->src.fd, NULL);
		close(l->src.fd);
		l->src.fd = -1;
		service_unref(l->tcp.service);
		l->tcp.service = NULL;
		worker_free_later(r, l);
	}
}

static int
bind_tcp(const struct tcp_route *t, int say)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(t->port)};
	CX_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;

	/* Only loopback: whatever a route file says, nothing of a rack can be reached from outside. */
	if (fd < 0 || inet_pton(AF_INET, t->address, &sa.sin_addr) != 1 || ntohl(sa.sin_addr.s_addr) >> 24 != 127)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)); /* each worker has its own */
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 512) < 0) {
		if (say)
			(void)fprintf(stderr, "cx-router: %s:%u: %s\n", t->address, t->port, strerror(errno));
		return -1;
	}
	return cx_steal_fd(&fd);
}

/* Resources listen on addresses of their own: those of the table, no more and no less. */
static void
sync_tcp(struct router *r, int say)
{
	const struct tcp_route *t;
	int changed;
	size_t n = table_tcp(r->table, &t, &changed);

	if (!changed && !r->unbound)
		return;
	r->unbound = 0;
	for (size_t i = 0; i < n; i++) {
		struct listener *l = r->listeners;
		int fd;

		while (l && (l->how != TCP || l->tcp.port != t[i].port || strcmp(l->tcp.address, t[i].address) != 0))
			l = l->next;
		if (l) {
			t[i].service->refs++;
			service_unref(l->tcp.service);
			l->tcp.service = t[i].service;
			l->seen = 1;
			continue;
		}
		fd = bind_tcp(&t[i], say && r->number == 0);
		r->unbound += fd < 0;
		if (fd >= 0)
			worker_add_listener(r, fd, TCP, RESOURCES, &t[i]);
	}
	drop_listeners(r, RESOURCES, 0);
}

static void
routes_are_new(struct router *r)
{
	r->metrics->router.routes = (uint32_t)table_hosts(r->table);
	idle_prune(r);
	sync_tcp(r, 1);
	dispatch_again(r, 1);
}

static void
routes_changed(struct router *r)
{
	_Alignas(struct inotify_event) char buf[8192];
	int news = 0, all = 0;
	ssize_t n;

	while ((n = read(r->routes.fd, buf, sizeof(buf))) > 0)
		for (char *p = buf; p < buf + n;) {
			const struct inotify_event *ev = (const struct inotify_event *)(void *)p;

			/* Temporaries of publishers are none; an overflow (no name) may have been anything. */
			if (ev->len == 0)
				all = 1;
			else if (ev->name[0] != '.' && ++news <= CHANGED_MAX && !all)
				table_read(r->table, ev->name, r->now);
			p += sizeof(*ev) + ev->len;
		}
	if (all || news > CHANGED_MAX)
		table_scan(r->table, r->now);
	if (all || news)
		routes_are_new(r);
}

/* The parent sends descriptors, each with a byte: g gateway https, G gateway http, l access log. */
static void
from_parent(struct router *r)
{
	int fd, what = cx_net_take(r->parent.fd, &fd);

	if (what < 0) {
		/* The parent is gone, or has become another program, which does not know this worker's socket. */
		ended |= getppid() != r->ppid;
		close(r->parent.fd);
		r->parent.fd = -1;
		return;
	}
	if (what <= 0)
		return;
	if (what == 'l') {
		log_replace(r, fd);
		return;
	}
	if (what == 'g') /* the first of a new pair: the bridge was made again */
		for (int i = 0; i < 2; i++)
			drop_listeners(r, GATEWAY, 0);
	worker_add_listener(r, fd, what == 'g' ? TLS : REDIRECT, GATEWAY, NULL);
}

static void
accept_some(struct router *r, struct listener *l)
{
	for (int i = 0; i < ACCEPTS; i++) {
		struct sockaddr_in peer;
		socklen_t len = sizeof(peer);
		int fd = accept4(l->src.fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		if (r->n >= r->max) {
			metrics_add(&r->metrics->router.refused, 1);
			close(fd);
			continue;
		}
		conn_accept(r, l, fd, &peer);
	}
}

static void
handle(struct router *r, struct source *s, uint32_t ev)
{
	struct upstream *u;
	struct conn *c;

	switch (s->kind) {
	case LISTENER:
		if (s->fd >= 0)
			accept_some(r, (struct listener *)(void *)s);
		return;
	case MINT:
		tls_mint_ready(r);
		return;
	case ROUTES:
		routes_changed(r);
		return;
	case PARENT:
		from_parent(r);
		return;
	case CLIENT:
		c = (struct conn *)(void *)((char *)s - offsetof(struct conn, client));
		if (ev & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			c->c_in = 1;
		if (ev & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			c->c_out = 1;
		if (ev & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			c->c_hup = 1;
		break;
	default:
		u = (struct upstream *)(void *)s;
		if (!u->stream) {
			/* An idle one has nothing to say but its end. */
			if (ev & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
				idle_close(r, u);
			return;
		}
		if (ev & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			u->in = 1;
		if (ev & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			u->out = 1;
		if (ev & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
			u->hup = 1;
		u->stream->down->wake(u->stream);
		return;
	}
	if (c->phase != DEAD)
		conn_run(c);
}

/* Once a second: what has waited too long, buffers to the log. */
static void
every_second(struct router *r)
{
	for (struct conn *c = r->conns, *next; c; c = next) {
		next = c->next;
		if (c->phase == BUSY)
			dispatch_cut(c->s);
		if (c->phase == H2)
			h2_tick(c);
		else if (c->phase != DEAD && (r->now > (c->phase == BUSY ? c->s->deadline : c->deadline) ||
						     (r->stopping && !r->drain && c->phase == HEAD && c->in.n == 0)))
			conn_timeout(c);
	}
	if (r->unbound && !r->stopping) /* the port may be free by now */
		sync_tcp(r, 0);
	idle_sweep(r);
	log_flush(r);
}

/* Those that had not done all that they could, or whose streams have something to say. */
static void
run_later(struct router *r)
{
	struct conn *c = r->later, *next;

	r->later = NULL;
	for (; c; c = next) {
		next = c->later;
		c->again = 0;
		if (c->phase != DEAD)
			conn_run(c);
	}
}

static void
bury(struct router *r)
{
	for (struct conn **p = &r->grave, *c; (c = *p);) {
		if (c->again) { /* still in that list */
			p = &c->next;
			continue;
		}
		*p = c->next;
		conn_free(c);
	}
	stream_bury(r);
	while (r->garbage_n)
		free(r->garbage[--r->garbage_n]);
}

int
worker_run(struct router *r)
{
	struct sigaction sa = {.sa_handler = on_signal};
	double tick = 0, stop_at = 0;
	struct epoll_event ev[EVENTS];

	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGUSR2, &sa, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	r->table = table_open(r->routes_dir, r->metrics);
	table_scan(r->table, r->now);
	routes_are_new(r);
	cx_ready();
	(void)!send(r->parent.fd, "r", 1, MSG_NOSIGNAL);
	for (;;) {
		int n = epoll_wait(r->epoll, ev, EVENTS,
			r->later              ? 0
			: r->held             ? 50
			: r->n || r->stopping ? 250
					      : 1000);

		r->now = worker_clock();
		for (int i = 0; i < n; i++)
			handle(r, ev[i].data.ptr, ev[i].events);
		dispatch_again(r, 0);
		run_later(r);
		if ((ended || relieved) && !r->stopping) {
			r->stopping = 1;
			r->drain = !ended;
			stop_at = r->now + (r->drain ? DRAIN_SECONDS : STOP_SECONDS);
			drop_listeners(r, HOST, 1);
		} else if (ended && r->drain) {
			r->drain = 0;
			stop_at = r->now + STOP_SECONDS;
		}
		if (r->now - tick >= 1 || r->stopping) {
			tick = r->now;
			every_second(r);
		}
		bury(r);
		if (r->stopping == 2 || (r->stopping && (r->n == 0 || r->now > stop_at)))
			break;
	}
	log_close(r);
	return r->stopping == 2;
}
