/*
 * Queries for other domains, asked of the resolvers that the machine had: each
 * from a socket of its own (so a random port), with an ID of its own, its
 * reply checked (RFC 5452), by UDP for a UDP client and by TCP for a TCP client.
 */
#include "dns.h"
#include <arpa/inet.h>
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/net.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

struct forward {
	struct source src;
	struct forward *next;
	int udp; /* the client's socket, or -1 */
	struct sockaddr_in from;
	unsigned long long number;
	struct query q;
	uint16_t id, client_id;
	size_t resolver, n, got;
	double deadline;
	int sent;
	uint8_t *reply; /* of TCP: length and message */
	uint8_t query[2 + 4096]; /* its length before it, for TCP */
};

void
forward_add_resolver(struct dns *d, const char *text, const struct sockaddr_in *own)
{
	struct sockaddr_in *sa = &d->resolver[d->n_resolvers];
	char address[46];
	int port = 53;
	struct cx_err e;

	(void)snprintf(address, sizeof(address), "%s", text);
	if ((strchr(text, '@') && cx_net_parse(text, '@', address, &port, &e) < 0) ||
		(strchr(text, '#') && cx_net_parse(text, '#', address, &port, &e) < 0))
		return;
	*sa = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	if (d->n_resolvers >= RESOLVERS_MAX - 1 || inet_pton(AF_INET, address, &sa->sin_addr) != 1)
		return;
	for (int i = 0; i < VIEWS; i++) /* asking ourselves would never end */
		if (sa->sin_addr.s_addr == own[i].sin_addr.s_addr && sa->sin_port == own[i].sin_port)
			return;
	d->n_resolvers++;
}

static void
to_client(struct dns *d, const struct forward *f, const uint8_t *p, size_t n)
{
	if (f->udp < 0)
		client_send(d, f->number, p, n);
	else
		(void)sendto(f->udp, p, n, 0, (const struct sockaddr *)&f->from, sizeof(f->from));
}

static void
end(struct dns *d, struct forward *f)
{
	struct forward **p = &d->forwards;

	while (*p && *p != f)
		p = &(*p)->next;
	if (!*p)
		return;
	*p = f->next;
	d->n_forwards--;
	if (f->src.fd >= 0)
		close(f->src.fd);
	f->src.fd = -1;
	free(f->reply);
	worker_free_later(d, f);
}

/* Connects; a datagram is sent at once, and one that cannot be (EPERM of a firewall) is not waited for. */
static int
reach(struct forward *f, const struct sockaddr_in *sa, int type)
{
	if (connect(f->src.fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0)
		return type == SOCK_STREAM && errno == EINPROGRESS ? 0 : -1;
	if (type == SOCK_STREAM)
		return 0;
	f->sent = send(f->src.fd, f->query + 2, f->n, 0) == (ssize_t)f->n;
	return f->sent ? 0 : -1;
}

/* The next resolver; when there is none left, SERVFAIL. */
static void
ask(struct dns *d, struct forward *f)
{
	uint8_t out[512];
	int type = f->udp < 0 ? SOCK_STREAM : SOCK_DGRAM;

	if (f->src.fd >= 0)
		close(f->src.fd);
	f->src.fd = -1;
	f->sent = 0;
	f->got = 0;
	while (f->resolver < d->n_resolvers) {
		const struct sockaddr_in *sa = &d->resolver[f->resolver++];

		f->src.fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (f->src.fd < 0)
			break;
		if (reach(f, sa, type) == 0) {
			f->deadline = d->now + RESOLVER_SECONDS;
			worker_watch(d, &f->src, f->sent ? EPOLLIN : EPOLLIN | EPOLLOUT);
			return;
		}
		close(f->src.fd);
		f->src.fd = -1;
	}
	f->query[2] = (uint8_t)(f->client_id >> 8);
	f->query[3] = (uint8_t)f->client_id;
	to_client(d, f, out, answer_error(f->query + 2, &f->q, KNOT_RCODE_SERVFAIL, 0, out));
	end(d, f);
}

void
forward_begin(struct dns *d, const uint8_t *query, size_t n, const struct query *q, int udp,
	const struct sockaddr_in *from, unsigned long long number)
{
	struct forward *f;
	uint8_t out[512];

	/* Without a network they end as they begin, but are only freed after this turn. */
	if (d->n_forwards + d->n_dead >= FORWARDS_MAX || d->n_resolvers == 0 || n > sizeof(f->query) - 2) {
		struct forward refused = {.udp = udp, .number = number};

		if (from)
			refused.from = *from;
		to_client(d, &refused, out, answer_error(query, q, KNOT_RCODE_SERVFAIL, 0, out));
		return;
	}
	f = cx_alloc(sizeof(*f));
	f->src = (struct source){UPSTREAM, -1};
	f->udp = udp;
	f->number = number;
	if (from)
		f->from = *from;
	f->q = *q;
	f->n = n;
	f->client_id = (uint16_t)(query[0] << 8 | query[1]);
	while (getrandom(&f->id, sizeof(f->id), 0) != (ssize_t)sizeof(f->id))
		;
	f->query[0] = (uint8_t)(n >> 8);
	f->query[1] = (uint8_t)n;
	memcpy(f->query + 2, query, n);
	f->query[2] = (uint8_t)(f->id >> 8);
	f->query[3] = (uint8_t)f->id;
	f->next = d->forwards;
	d->forwards = f;
	d->n_forwards++;
	ask(d, f);
}

static void
deliver(struct dns *d, struct forward *f, uint8_t *p, size_t n)
{
	if (!answer_matches(f->query + 2, f->q.question, f->id, p, n))
		return; /* forged, or late: go on waiting */
	p[0] = (uint8_t)(f->client_id >> 8);
	p[1] = (uint8_t)f->client_id;
	to_client(d, f, p, n);
	end(d, f);
}

static void
by_tcp(struct dns *d, struct forward *f, uint32_t events)
{
	ssize_t n;

	if (!f->sent && (events & EPOLLOUT)) {
		f->sent = send(f->src.fd, f->query, f->n + 2, MSG_NOSIGNAL) == (ssize_t)f->n + 2;
		if (!f->sent) {
			ask(d, f);
			return;
		}
		worker_watch(d, &f->src, EPOLLIN);
	}
	if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		return;
	if (!f->reply)
		f->reply = cx_alloc(2 + KNOT_WIRE_MAX_PKTSIZE);
	n = read(f->src.fd, f->reply + f->got, 2 + KNOT_WIRE_MAX_PKTSIZE - f->got);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		ask(d, f);
		return;
	}
	f->got += (size_t)n;
	if (f->got >= 2 && f->got >= 2 + (size_t)(f->reply[0] << 8 | f->reply[1]))
		deliver(d, f, f->reply + 2, (size_t)(f->reply[0] << 8 | f->reply[1]));
}

void
forward_event(struct dns *d, struct forward *f, uint32_t events)
{
	static uint8_t in[KNOT_WIRE_MAX_PKTSIZE];
	ssize_t n;

	if (f->udp < 0) {
		by_tcp(d, f, events);
		return;
	}
	n = recv(f->src.fd, in, sizeof(in), 0);
	if (n > 0)
		deliver(d, f, in, (size_t)n);
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		ask(d, f); /* refused: the next one at once */
}

void
forward_drop(struct dns *d, int udp)
{
	for (struct forward *f = d->forwards, *next; f; f = next) {
		next = f->next;
		if (f->udp == udp)
			end(d, f);
	}
}

void
forward_sweep(struct dns *d)
{
	for (struct forward *f = d->forwards, *next; f; f = next) {
		next = f->next;
		if (d->now > f->deadline)
			ask(d, f);
	}
}
