/* Connections to backends: which one, kept ones, and another try where nothing can have happened twice. */
#include "metrics.h"
#include "router.h"
#include <arpa/inet.h>
#include <cx/own.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define BUCKETS 1024

static struct endpoint *buckets[BUCKETS], *dead;

static struct endpoint **
bucket(const struct sockaddr_in *sa)
{
	return &buckets[(ntohl(sa->sin_addr.s_addr) * 31 + sa->sin_port) % BUCKETS];
}

struct endpoint *
endpoint_get(const char *address, unsigned short port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct endpoint *e;

	if (inet_pton(AF_INET, address, &sa.sin_addr) != 1)
		return NULL;
	for (e = *bucket(&sa); e; e = e->next)
		if (e->address.sin_addr.s_addr == sa.sin_addr.s_addr && e->address.sin_port == sa.sin_port) {
			e->refs++;
			return e;
		}
	e = cx_alloc(sizeof(*e));
	e->address = sa;
	e->refs = 1;
	e->next = *bucket(&sa);
	*bucket(&sa) = e;
	return e;
}

void
endpoint_unref(struct endpoint *e)
{
	struct endpoint **p;

	if (!e || --e->refs)
		return;
	for (p = bucket(&e->address); *p != e; p = &(*p)->next)
		;
	*p = e->next;
	free(e);
}

void
endpoint_live(struct endpoint *e, int by)
{
	e->live += by;
	if (e->live || !e->idle || e->dead)
		return;
	/* Its kept connections end in idle_prune(). The last of the list points to itself. */
	e->dead = dead ? dead : e;
	dead = e;
	e->refs++;
}

static void
unlink_idle(struct upstream *u)
{
	for (struct upstream **p = &u->endpoint->idle; *p; p = &(*p)->next)
		if (*p == u) {
			*p = u->next;
			break;
		}
	u->endpoint->idles--;
}

static void
hang_up(struct router *r, struct upstream *u)
{
	close(u->src.fd);
	u->src.fd = -1;
	u->stream = NULL;
	endpoint_unref(u->endpoint);
	u->endpoint = NULL;
	worker_free_later(r, u);
}

void
idle_close(struct router *r, struct upstream *u)
{
	if (u->src.fd < 0)
		return;
	unlink_idle(u);
	hang_up(r, u);
}

static void
close_idle(struct router *r, struct endpoint *e, double before)
{
	e->refs++;
	for (struct upstream *u = e->idle, *next; u; u = next) {
		next = u->next;
		if (u->since < before)
			idle_close(r, u);
	}
	endpoint_unref(e);
}

void
idle_sweep(struct router *r)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct endpoint *e = buckets[i], *after; e; e = after) {
			after = e->next;
			if (e->idle)
				close_idle(r, e, r->now - IDLE_SECONDS);
		}
}

void
idle_prune(struct router *r)
{
	while (dead) {
		struct endpoint *e = dead;

		dead = e->dead == e ? NULL : e->dead;
		e->dead = NULL;
		if (!e->live)
			close_idle(r, e, r->now + 1);
		endpoint_unref(e);
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

/* A kept connection, or NULL. A request that may not be sent twice only gets one that is surely open. */
static struct upstream *
take_idle(struct router *r, struct endpoint *e, int sure)
{
	for (struct upstream *u = e->idle; u; u = e->idle) {
		if (!sure || !stirs(u)) {
			e->idle = u->next;
			e->idles--;
			return u;
		}
		idle_close(r, u);
	}
	return NULL;
}

static struct upstream *
dial(struct router *r, struct endpoint *e)
{
	CX_CLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct upstream *u;
	int one = 1;

	if (fd < 0)
		return NULL;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&e->address, sizeof(e->address)) < 0 && errno != EINPROGRESS)
		return NULL;
	u = cx_alloc(sizeof(*u));
	u->src = (struct source){BACKEND, cx_steal_fd(&fd)};
	u->endpoint = e;
	e->refs++;
	worker_watch(r, &u->src, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
	return u;
}

static void
attach(struct stream *s, struct upstream *u, int reused)
{
	s->up = u;
	u->stream = s;
	s->reused = reused;
	u->in = u->hup = 0;
	u->out = reused;
	s->back_eof = 0;
	s->back.n = 0;
	s->sent = 0; /* all that stands in to_backend, again */
	s->step = reused ? EXCHANGE : CONNECT;
	s->deadline = s->r->now + (reused ? (double)s->service->timeout : CONNECT_SECONDS);
	metrics_gauge(&s->target->m->active, 1);
}

int
backend_connect(struct stream *s)
{
	struct span cookie = {s->cookie, strlen(s->cookie)};
	struct backend *b;

	while ((b = balance_pick(s->service, cookie, s->tried, s->tries, s->r->now)) != NULL) {
		struct upstream *u = NULL;
		int reused;

		if (!s->tunnel)
			u = take_idle(s->r, b->endpoint, !idempotent(s->method) || !s->req_done);
		reused = u != NULL;
		if (!u)
			u = dial(s->r, b->endpoint);
		if (!u) {
			balance_failed(b, s->r->now);
			s->tried[s->tries++] = b;
			continue;
		}
		s->target = b;
		s->asked = s->r->now;
		metrics_add(&b->m->requests, 1);
		attach(s, u, reused);
		return 0;
	}
	return -1;
}

void
backend_release(struct stream *s, int reusable)
{
	struct upstream *u = s->up;
	struct endpoint *e;

	s->up = NULL;
	if (!u)
		return;
	if (s->target)
		metrics_gauge(&s->target->m->active, -1);
	e = u->endpoint;
	/* What epoll said of it already, it does not say again. */
	if (!reusable || u->hup || e->idles >= IDLE_MAX || s->r->stopping || (u->in && stirs(u))) {
		hang_up(s->r, u);
		return;
	}
	u->stream = NULL;
	u->since = s->r->now;
	u->next = e->idle;
	e->idle = u;
	e->idles++;
}

/* Nothing of the request can have been acted on: it was not sent, or a kept connection was closed before it arrived
 * and the method may be repeated. */
static int
may_retry(const struct stream *s)
{
	if (s->step == CONNECT)
		return 1;
	if (s->responded || s->body_seen)
		return 0;
	/* Once more, not more often: a request that ends processes should not end them all. */
	return !s->acted && !s->back.n && idempotent(s->method) && (s->reused || !s->repeated);
}

void
backend_failed(struct stream *s, const char *what)
{
	int again = may_retry(s);
	CX_FREE char *why = NULL;

	/* A kept connection that was closed says nothing of the backend. */
	if (s->target && !s->reused) {
		if (!s->acted)
			balance_failed(s->target, s->r->now);
		s->repeated |= s->step != CONNECT;
		if (s->tries < BALANCE_TRIES)
			s->tried[s->tries++] = s->target;
	}
	why = s->target ? cx_fmt("process %s %s", s->target->process[0] ? s->target->process : s->target->address, what)
			: cx_strdup(what);
	backend_release(s, 0);
	s->target = NULL;
	if (again) {
		metrics_add(&s->service->m->retries, 1);
		if (backend_connect(s) == 0 || (s->step == CONNECT && dispatch_hold(s)))
			return;
	}
	page_refuse(s, strstr(what, "in time") ? 504 : 502, why);
}
