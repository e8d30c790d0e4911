/* Connections to backends: which one, kept ones, and another try where nothing can have happened twice. */
#include "router.h"
#include <arpa/inet.h>
#include <cx/own.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define IDLE_SECONDS 50

/* Takes it out of the list; its descriptor is the caller's. */
static int
unlink_idle(struct router *r, struct idle *i)
{
	int fd = i->src.fd;

	for (struct idle **p = &r->idle; *p; p = &(*p)->next)
		if (*p == i) {
			*p = i->next;
			break;
		}
	r->idles--;
	i->src.fd = -1;
	worker_free_later(r, i);
	return fd;
}

void
idle_close(struct router *r, struct idle *i)
{
	if (i->src.fd >= 0)
		close(unlink_idle(r, i));
}

void
idle_sweep(struct router *r)
{
	for (struct idle *i = r->idle, *next; i; i = next) {
		next = i->next;
		if (r->now - i->since > IDLE_SECONDS)
			idle_close(r, i);
	}
}

void
idle_prune(struct router *r)
{
	for (struct idle *i = r->idle, *next; i; i = next) {
		next = i->next;
		if (!table_has(r->table, i->address, i->port))
			idle_close(r, i);
	}
}

/* RFC 9110, 9.2.2 */
static int
idempotent(const char *method)
{
	static const char *const all[] = {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(method, all[i]) == 0)
			return 1;
	return 0;
}

/* A kept connection to this backend: its descriptor, or -1. */
static int
take_idle(struct router *r, const struct backend *b, int sure)
{
	for (struct idle *i = r->idle, *next; i; i = next) {
		char byte;

		next = i->next;
		if (i->port != b->port || strcmp(i->address, b->address) != 0)
			continue;
		/* A request that may not be sent twice only goes where no end is to be seen. */
		if (sure && (recv(i->src.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN))
			idle_close(r, i);
		else
			return unlink_idle(r, i);
	}
	return -1;
}

static int
dial(const struct backend *b)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(b->port)};
	CX_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;

	if (fd < 0 || inet_pton(AF_INET, b->address, &sa.sin_addr) != 1)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 && errno != EINPROGRESS)
		return -1;
	return cx_steal_fd(&fd);
}

static void
attach(struct conn *c, int fd, int reused)
{
	c->backend.fd = fd;
	c->reused = reused;
	c->b_in = c->b_hup = 0;
	c->b_out = reused;
	c->backend_eof = 0;
	c->back.n = 0;
	c->back_at = 0;
	c->phase = reused ? (c->how == TCP ? TUNNEL : EXCHANGE) : CONNECT;
	c->deadline = c->r->now + (reused ? (double)c->service->timeout : CONNECT_SECONDS);
	if (c->head.n) {
		c->to_backend.n = 0;
		cx_buf_add(&c->to_backend, c->head.p, c->head.n);
	}
	worker_watch(c->r, &c->backend, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

int
backend_connect(struct conn *c)
{
	struct service *s = c->service;

	while (c->tries < s->n) {
		struct backend *b = &s->backends[s->next++ % s->n];
		int fd = c->how == TCP ? -1 : take_idle(c->r, b, !idempotent(c->method) || !c->req_done),
		    reused = fd >= 0;

		c->tries++;
		if (fd < 0)
			fd = dial(b);
		if (fd < 0)
			continue;
		c->target = b;
		attach(c, fd, reused);
		return 0;
	}
	return -1;
}

void
backend_release(struct conn *c, int reusable)
{
	struct idle *i;

	if (c->backend.fd < 0)
		return;
	if (!reusable || c->r->idles >= IDLE_MAX || c->r->stopping || !c->target) {
		close(c->backend.fd);
		c->backend.fd = -1;
		return;
	}
	i = cx_alloc(sizeof(*i));
	i->src.kind = IDLE;
	i->src.fd = c->backend.fd;
	c->backend.fd = -1;
	(void)snprintf(i->address, sizeof(i->address), "%s", c->target->address);
	i->port = c->target->port;
	i->since = c->r->now;
	i->next = c->r->idle;
	c->r->idle = i;
	c->r->idles++;
	worker_watch(c->r, &i->src, EPOLLIN | EPOLLRDHUP | EPOLLET);
}

/* Nothing of the request can have been acted on: it was not sent, or a kept connection was closed before it arrived
 * and the method may be repeated. */
static int
may_retry(const struct conn *c)
{
	if (c->responded || c->body_seen)
		return 0;
	if (c->phase == CONNECT)
		return 1;
	return c->reused && !c->back.n && idempotent(c->method);
}

void
backend_failed(struct conn *c, const char *what)
{
	int again = may_retry(c);
	CX_FREE char *why = NULL;

	if (c->reused && c->tries)
		c->tries--; /* a kept connection that was closed says nothing of the backend */
	why = c->target ? cx_fmt("process %s %s", c->target->process[0] ? c->target->process : c->target->address, what)
			: cx_strdup(what);
	backend_release(c, 0);
	c->target = NULL;
	if (again && backend_connect(c) == 0)
		return;
	if (c->how == TCP)
		conn_end(c);
	else
		page_refuse(c, strstr(what, "in time") ? 504 : 502, why);
}
