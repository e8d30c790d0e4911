#include "dns.h"
#include <cx/buf.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_MAX (4 * (KNOT_WIRE_MAX_PKTSIZE + 2)) /* answers that a client does not fetch */

void
client_accept(struct dns *d, const struct socket *s)
{
	int fd = accept4(s->src.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c;

	if (fd < 0)
		return;
	if (d->n_clients >= CLIENTS_MAX) {
		close(fd);
		return;
	}
	c = cx_alloc(sizeof(*c));
	c->src = (struct source){CLIENT, fd};
	c->view = s->view;
	c->number = ++d->number;
	c->deadline = d->now + IDLE_SECONDS;
	c->out = cx_alloc(OUT_MAX);
	c->next = d->clients;
	d->clients = c;
	d->n_clients++;
	worker_watch(d, &c->src, EPOLLIN);
}

void
client_end(struct dns *d, struct client *c)
{
	struct client **p = &d->clients;

	while (*p && *p != c)
		p = &(*p)->next;
	if (!*p)
		return;
	*p = c->next;
	d->n_clients--;
	close(c->src.fd);
	c->src.fd = -1;
	free(c->out);
	c->out = NULL;
	worker_free_later(d, c);
}

/* False when the connection is over. */
static int
flush(struct dns *d, struct client *c)
{
	while (c->out_at < c->out_n) {
		ssize_t n = send(c->src.fd, c->out + c->out_at, c->out_n - c->out_at, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			worker_watch(d, &c->src, EPOLLIN | EPOLLOUT);
			return 1;
		}
		if (n < 0) {
			client_end(d, c);
			return 0;
		}
		c->out_at += (size_t)n;
	}
	if (c->out_n)
		worker_watch(d, &c->src, EPOLLIN);
	c->out_n = c->out_at = 0;
	return 1;
}

/* False when the connection is over. */
static int
put(struct dns *d, struct client *c, const uint8_t *p, size_t n)
{
	if (n > KNOT_WIRE_MAX_PKTSIZE || c->out_n + n + 2 > OUT_MAX) {
		client_end(d, c);
		return 0;
	}
	c->out[c->out_n++] = (uint8_t)(n >> 8);
	c->out[c->out_n++] = (uint8_t)n;
	memcpy(c->out + c->out_n, p, n);
	c->out_n += n;
	return flush(d, c);
}

void
client_send(struct dns *d, unsigned long long number, const uint8_t *p, size_t n)
{
	for (struct client *c = d->clients; c; c = c->next)
		if (c->number == number) {
			(void)put(d, c, p, n);
			return;
		}
}

static int
one_query(struct dns *d, struct client *c, const uint8_t *p, size_t n)
{
	static uint8_t out[KNOT_WIRE_MAX_PKTSIZE];
	struct query q = {0};
	size_t len;
	enum verdict v = answer(&d->answerer, &d->zone, c->view, p, n, out, sizeof(out), &len, &q);

	if (v == ANSWER_FORWARD) {
		forward_begin(d, p, n, &q, -1, NULL, c->number);
		return c->src.fd >= 0; /* a refusal is sent at once, and may have found the connection broken */
	}
	if (v == ANSWER_SEND)
		return put(d, c, out, len);
	client_end(d, c); /* no DNS client */
	return 0;
}

void
client_event(struct dns *d, struct client *c, uint32_t events)
{
	ssize_t n;
	size_t at = 0;

	if ((events & EPOLLOUT) && !flush(d, c))
		return;
	n = read(c->src.fd, c->in + c->in_n, sizeof(c->in) - c->in_n);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		client_end(d, c);
		return;
	}
	if (n < 0)
		return;
	c->in_n += (size_t)n;
	c->deadline = d->now + IDLE_SECONDS;
	while (c->in_n - at >= 2) {
		size_t len = (size_t)(c->in[at] << 8 | c->in[at + 1]);

		if (c->in_n - at < 2 + len)
			break;
		if (!one_query(d, c, c->in + at + 2, len))
			return;
		at += 2 + len;
	}
	memmove(c->in, c->in + at, c->in_n - at);
	c->in_n -= at;
}
