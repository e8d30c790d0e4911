/* TCP connections of clients (RFC 7766): pipelined, answered in any order, closed when they do nothing. */
#include "dns.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND 1000000U
#define READ_AT_ONCE (2 + QUERY_MAX)

static void
end(struct dns *d, struct client *c)
{
	close(c->src.fd);
	d->out_bytes -= c->out.n;
	cx_buf_free(&c->in);
	cx_buf_free(&c->out);
	memset(c, 0, sizeof(*c));
	c->src.fd = -1;
	d->n_clients--;
}

/* Room for one more: of the address that has most connections, the one that will be closed next anyway, idle ones
 * first. */
static void
evict(struct dns *d)
{
	unsigned count[CLIENTS_MAX] = {0}, most = 0;
	struct client *gone = NULL;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		for (size_t k = 0; k < CLIENTS_MAX; k++)
			count[i] += d->client[k].from.sin_addr.s_addr == d->client[i].from.sin_addr.s_addr;
		if (count[i] > most)
			most = count[i];
	}
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &d->client[i];

		if (count[i] == most && (!gone || !c->waiting > !gone->waiting ||
						(!c->waiting == !gone->waiting && c->deadline < gone->deadline)))
			gone = c;
	}
	if (gone)
		end(d, gone);
	d->stats->evicted++;
}

void
client_accept(struct dns *d, const struct socket *s)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	int fd = accept4(s->src.fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c = d->client;

	if (fd < 0)
		return;
	if (d->n_clients == CLIENTS_MAX)
		evict(d);
	while (c->src.kind == CLIENT)
		c++;
	c->src = (struct source){CLIENT, fd};
	c->view = s->view;
	c->from = from;
	c->number = ++d->number;
	c->deadline = d->now + IDLE_SECONDS * SECOND;
	c->events = EPOLLIN;
	d->n_clients++;
	d->stats->accepted++;
	worker_watch(d, &c->src, EPOLLIN);
}

/* What is waited for now; a client with much on its way is not read. */
static void
interest(struct dns *d, struct client *c)
{
	uint32_t events = 0;

	if (!c->eof && c->out.n < CLIENT_OUT && c->waiting < CLIENT_QUERIES)
		events |= EPOLLIN;
	if (c->out.n > 0)
		events |= EPOLLOUT;
	if (events != c->events)
		worker_watch(d, &c->src, events);
	c->events = events;
}

/* False when the connection is over. */
static int
flush(struct dns *d, struct client *c)
{
	ssize_t n;

	while (c->out.n > 0) {
		n = send(c->src.fd, c->out.p, c->out.n, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			end(d, c);
			return 0;
		}
		d->out_bytes -= (size_t)n;
		cx_buf_eat(&c->out, (size_t)n);
		/* Only all of it is progress: who takes a byte now and then would stay for ever. */
		if (c->out.n == 0)
			c->deadline = d->now + IDLE_SECONDS * SECOND;
	}
	if (c->eof && c->out.n == 0 && c->waiting == 0) {
		end(d, c);
		return 0;
	}
	interest(d, c);
	return 1;
}

static void
put(struct dns *d, struct client *c, const uint8_t *p, size_t n)
{
	uint8_t length[2];

	query_put16(length, (uint16_t)n);
	cx_buf_add(&c->out, length, 2);
	cx_buf_add(&c->out, p, n);
	d->out_bytes += n + 2;
}

void
client_send(struct dns *d, unsigned long long number, const uint8_t *p, size_t n)
{
	struct client *c = d->client;

	while (c < d->client + CLIENTS_MAX && (c->src.kind != CLIENT || c->number != number))
		c++;
	if (c == d->client + CLIENTS_MAX)
		return;
	c->waiting--;
	if (d->out_bytes > CLIENTS_OUT) {
		end(d, c);
		return;
	}
	if (c->waiting == 0)
		c->deadline = d->now + IDLE_SECONDS * SECOND;
	put(d, c, p, n);
	c->resume = 1;
	d->resume = 1;
}

/* False: no DNS client. */
static int
one_query(struct dns *d, struct client *c, const uint8_t *p, size_t n)
{
	static uint8_t out[KNOT_WIRE_MAX_PKTSIZE];
	struct query q;
	size_t len;
	int rcode;

	q.a.from = c->from;
	q.a.tcp = 1;
	d->stats->queries[c->view][1]++;
	rcode = query_read(&q, p, n);
	if (rcode < 0)
		return 0;
	if (rcode > 0) {
		d->stats->answers[rcode]++;
		len = answer_bare(p, (uint8_t)rcode, out);
	} else {
		len = worker_answer(d, &q, c->view, -1, c->number, out);
	}
	if (len > 0)
		put(d, c, out, len);
	else
		c->waiting++;
	return 1;
}

/* The whole queries of what came; false when the connection is over. */
static int
queries(struct dns *d, struct client *c)
{
	int stuck = c->out.n > 0;
	size_t at = 0;

	while (c->in.n - at >= 2 && c->out.n < CLIENT_OUT && c->waiting < CLIENT_QUERIES) {
		const uint8_t *p = (const uint8_t *)c->in.p + at;
		size_t len = query_u16(p);

		if (len <= QUERY_MAX && c->in.n - at < 2 + len)
			break;
		if (len > QUERY_MAX || !one_query(d, c, p + 2, len)) {
			end(d, c);
			return 0;
		}
		at += 2 + len;
	}
	if (at > 0) {
		cx_buf_eat(&c->in, at);
		/* A query that has begun must be whole soon, whenever its next byte comes. */
		if (!stuck)
			c->deadline = d->now + (c->in.n > 0 ? QUERY_SECONDS : IDLE_SECONDS) * SECOND;
	}
	return 1;
}

void
client_event(struct dns *d, struct client *c, uint32_t events)
{
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
		size_t before = c->in.n;
		ssize_t n = read(c->src.fd, cx_buf_room(&c->in, READ_AT_ONCE), READ_AT_ONCE);

		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			end(d, c);
			return;
		}
		if (n > 0) {
			c->in.n += (size_t)n;
			if (before == 0 && c->waiting == 0)
				c->deadline = d->now + QUERY_SECONDS * SECOND;
		}
		if (n == 0) {
			c->eof = 1;
			if (events & (EPOLLERR | EPOLLHUP)) {
				end(d, c);
				return;
			}
		}
	}
	if (queries(d, c))
		(void)flush(d, c);
}

void
client_resume(struct dns *d)
{
	d->resume = 0;
	for (struct client *c = d->client; c < d->client + CLIENTS_MAX; c++)
		if (c->resume) {
			c->resume = 0;
			if (queries(d, c))
				(void)flush(d, c);
		}
}

void
client_sweep(struct dns *d)
{
	for (size_t i = 0; d->n_clients > 0 && i < CLIENTS_MAX; i++) {
		struct client *c = &d->client[i];

		if (c->src.kind != CLIENT || d->now <= c->deadline)
			continue;
		if (c->waiting > 0 && c->out.n == 0)
			c->deadline = d->now + SECOND; /* resolvers take their time, which is bounded */
		else
			end(d, c);
	}
}
