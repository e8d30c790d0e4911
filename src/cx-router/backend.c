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

static void
unlink_idle(struct router *r, struct upstream *u)
{
	for (struct upstream **p = &r->idle; *p; p = &(*p)->next)
		if (*p == u) {
			*p = u->next;
			break;
		}
	r->idles--;
}

static void
hang_up(struct router *r, struct upstream *u)
{
	close(u->src.fd);
	u->src.fd = -1;
	u->conn = NULL;
	worker_free_later(r, u);
}

void
idle_close(struct router *r, struct upstream *u)
{
	if (u->src.fd < 0)
		return;
	unlink_idle(r, u);
	hang_up(r, u);
}

void
idle_sweep(struct router *r)
{
	for (struct upstream *u = r->idle, *next; u; u = next) {
		next = u->next;
		if (r->now - u->since > IDLE_SECONDS)
			idle_close(r, u);
	}
}

void
idle_prune(struct router *r)
{
	for (struct upstream *u = r->idle, *next; u; u = next) {
		next = u->next;
		if (!table_has(r->table, u->address, u->port))
			idle_close(r, u);
	}
}

/* Bytes that nobody asked for, or the end. */
static int
stirs(const struct upstream *u)
{
	char byte;

	return recv(u->src.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
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

/* A kept connection to this backend, or NULL. A request that may not be sent twice only gets one that is surely open.
 */
static struct upstream *
take_idle(struct router *r, const struct backend *b, int sure)
{
	for (struct upstream *u = r->idle, *next; u; u = next) {
		next = u->next;
		if (u->port != b->port || strcmp(u->address, b->address) != 0)
			continue;
		if (!sure || !stirs(u)) {
			unlink_idle(r, u);
			return u;
		}
		idle_close(r, u);
	}
	return NULL;
}

static struct upstream *
dial(struct router *r, const struct backend *b)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(b->port)};
	CX_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct upstream *u;
	int one = 1;

	if (fd < 0 || inet_pton(AF_INET, b->address, &sa.sin_addr) != 1)
		return NULL;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 && errno != EINPROGRESS)
		return NULL;
	u = cx_alloc(sizeof(*u));
	u->src = (struct source){BACKEND, cx_steal_fd(&fd)};
	(void)snprintf(u->address, sizeof(u->address), "%s", b->address);
	u->port = b->port;
	worker_watch(r, &u->src, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	return u;
}

static void
attach(struct conn *c, struct upstream *u, int reused)
{
	c->up = u;
	u->conn = c;
	c->reused = reused;
	c->b_in = c->b_hup = 0;
	c->b_out = reused;
	c->backend_eof = 0;
	c->back.n = 0;
	c->back_at = 0;
	c->phase = reused ? EXCHANGE : CONNECT;
	c->deadline = c->r->now + (reused ? (double)c->service->timeout : CONNECT_SECONDS);
	if (c->head.n) {
		c->to_backend.n = 0;
		cx_buf_add(&c->to_backend, c->head.p, c->head.n);
	}
}

int
backend_connect(struct conn *c)
{
	struct service *s = c->service;

	while (c->tries < s->n) {
		struct backend *b = &s->backends[s->next++ % s->n];
		struct upstream *u = NULL;
		int reused;

		if (c->how != TCP)
			u = take_idle(c->r, b, !idempotent(c->method) || !c->req_done);
		reused = u != NULL;
		c->tries++;
		if (!u)
			u = dial(c->r, b);
		if (!u)
			continue;
		c->target = b;
		attach(c, u, reused);
		return 0;
	}
	return -1;
}

void
backend_release(struct conn *c, int reusable)
{
	struct upstream *u = c->up;

	c->up = NULL;
	if (!u)
		return;
	/* What epoll said of it already, it does not say again. */
	if (!reusable || c->b_hup || c->r->idles >= IDLE_MAX || c->r->stopping || (c->b_in && stirs(u))) {
		hang_up(c->r, u);
		return;
	}
	u->conn = NULL;
	u->since = c->r->now;
	u->next = c->r->idle;
	c->r->idle = u;
	c->r->idles++;
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
