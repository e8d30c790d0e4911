#include "health.h"
#include "metrics.h"
#include <arpa/inet.h>
#include <cx/buf.h>
#include <cx/own.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

struct check {
	struct service *service; /* a reference: it keeps the backend */
	struct backend *backend;
	int fd, sent;
	double deadline;
	char head[32]; /* of the answer */
	size_t n;
};

struct health {
	struct check checks[HEALTH_CHECKS];
	size_t n;
	double now;
};

struct health *
health_new(void)
{
	return cx_alloc(sizeof(struct health));
}

int
health_status(const char *p, size_t n)
{
	static const char want[] = "HTTP/1.";
	size_t k = n < 7 ? n : 7;

	if (memcmp(p, want, k) != 0)
		return -1;
	if (n < 13)
		return 0;
	if ((p[7] != '0' && p[7] != '1') || p[8] != ' ' || (p[12] != ' ' && p[12] != '\r'))
		return -1;
	for (size_t i = 9; i < 12; i++)
		if (p[i] < '0' || p[i] > '9')
			return -1;
	return (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
}

/* As the ALB: the first check of a new one decides at once, later ones by their number in a row. */
static void
judge(struct backend *b, const struct health_check *h, int good, const char *why)
{
	struct metrics_backend *m = b->m;
	uint8_t was = __atomic_load_n(&m->health, __ATOMIC_RELAXED), now = was;

	b->passed = good ? b->passed + 1 : 0;
	b->failed = good ? 0 : b->failed + 1;
	if (good && (was == HEALTH_UNKNOWN || b->passed >= h->healthy))
		now = HEALTH_GOOD;
	else if (!good && (was == HEALTH_UNKNOWN || b->failed >= h->unhealthy))
		now = HEALTH_BAD;
	(void)snprintf(m->why, sizeof(m->why), "%s", good ? "" : why);
	if (now != was)
		(void)fprintf(stderr, "cx-router: %s:%u of %s.%s is %s%s%s\n", b->address, b->port, m->name, m->app,
			now == HEALTH_GOOD ? "healthy" : "unhealthy", good ? "" : ": ", good ? "" : why);
	__atomic_store_n(&m->health, now, __ATOMIC_RELAXED);
}

static void
finish(struct health *h, struct check *c, int good, const char *why)
{
	judge(c->backend, &c->service->health, good, why);
	close(c->fd);
	service_unref(c->service);
	*c = h->checks[--h->n];
}

static void
answered(struct health *h, struct check *c, int status)
{
	const struct health_check *k = &c->service->health;
	char why[64];

	(void)snprintf(why, sizeof(why), "answered %d", status);
	finish(h, c, status >= (int)k->from && status <= (int)k->to, why);
}

static void
begin(struct service *s, void *arg)
{
	struct health *h = arg;

	if (!s->health.interval)
		return;
	for (size_t i = 0; i < s->n && h->n < HEALTH_CHECKS; i++) {
		struct backend *b = s->backends[i];
		struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(b->port)};
		struct check *c = &h->checks[h->n];
		int fd;

		if (b->gone > 0 || h->now < b->check_at || inet_pton(AF_INET, b->address, &sa.sin_addr) != 1)
			continue;
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (fd < 0)
			return; /* when others are done */
		b->check_at = h->now + s->health.interval;
		s->refs++;
		*c = (struct check){.service = s, .backend = b, .fd = fd, .deadline = h->now + s->health.timeout};
		h->n++;
		if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 && errno != EINPROGRESS)
			finish(h, c, 0, strerror(errno));
	}
}

void
health_start(struct health *h, struct table *t, double now)
{
	h->now = now;
	table_each(t, begin, h);
}

size_t
health_poll(const struct health *h, struct pollfd *p)
{
	for (size_t i = 0; i < h->n; i++)
		p[i] = (struct pollfd){.fd = h->checks[i].fd, .events = h->checks[i].sent ? POLLIN : POLLOUT};
	return h->n;
}

static void
ask(struct health *h, struct check *c)
{
	CX_FREE char *text = NULL;
	int err = 0;
	socklen_t len = sizeof(err);

	(void)getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err) {
		finish(h, c, 0, err == ECONNREFUSED ? "connection refused" : strerror(err));
		return;
	}
	if (c->service->scheme != SCHEME_HTTP) {
		finish(h, c, 1, "");
		return;
	}
	text = cx_fmt("GET %s HTTP/1.1\r\nHost: %s:%u\r\nUser-Agent: cx-router-health\r\nConnection: close\r\n\r\n",
		c->service->health.path, c->backend->address, c->backend->port);
	if (send(c->fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
		finish(h, c, 0, "took no request");
	else
		c->sent = 1;
}

static void
hear(struct health *h, struct check *c)
{
	ssize_t n = recv(c->fd, c->head + c->n, sizeof(c->head) - c->n, 0);
	int status;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		finish(h, c, 0, "closed the connection without an answer");
		return;
	}
	c->n += (size_t)n;
	status = health_status(c->head, c->n);
	if (status < 0)
		finish(h, c, 0, "answered something that is not HTTP");
	else if (status > 0)
		answered(h, c, status);
}

void
health_take(struct health *h, const struct pollfd *p, size_t n, double now)
{
	/* From the last: one that is finished is replaced by one that was looked at already. */
	for (size_t i = n; i-- > 0;) {
		struct check *c = &h->checks[i];

		if (p[i].revents && !c->sent)
			ask(h, c);
		else if (p[i].revents)
			hear(h, c);
		else if (now > c->deadline)
			finish(h, c, 0, c->sent ? "no answer in time" : "took no connection in time");
	}
}
