#include "flight.h"
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAM_PATIENCE 2000000U /* us */

struct flight *
flight_find(const struct dns *d, const struct key *k)
{
	struct flight *f = d->bucket[k->hash % FLIGHT_BUCKETS];

	while (f && (f->key.hash != k->hash || f->key.n != k->n || memcmp(f->key.p, k->p, k->n) != 0))
		f = f->chain;
	return f;
}

/* RFC 5452's next bits of chance: which letters are capitals (draft-vixie-dnsext-dns0x20). */
static void
mix_case(struct dns *d, struct flight *f)
{
	uint32_t bits = 0;
	int left = 0;

	f->letters = 0;
	memcpy(f->question, f->key.p, f->key.n - 1U);
	for (size_t i = 0; i + 5 < f->key.n; i++) {
		if (f->question[i] < 'a' || f->question[i] > 'z')
			continue;
		if (left-- == 0) {
			bits = dns_random(d);
			left = 31;
		}
		if (bits & 1)
			f->question[i] ^= 0x20;
		bits >>= 1;
		f->letters++;
	}
}

struct flight *
flight_new(struct dns *d, const struct key *k)
{
	struct flight **p = &d->bucket[k->hash % FLIGHT_BUCKETS], *f = d->free_flight;

	if (f)
		d->free_flight = f->chain;
	else if (d->flights_used < FLIGHTS_MAX)
		f = &d->flight[d->flights_used++];
	if (!f) {
		d->stats->limited++;
		return NULL;
	}
	f->key = *k;
	f->waiters = NULL;
	f->stream = NULL;
	f->bad = f->asked = f->rcode = 0;
	f->tries = f->due = 0;
	f->busy = 1;
	do
		f->id = (uint16_t)dns_random(d);
	while (d->by_id[f->id]);
	d->by_id[f->id] = f;
	mix_case(d, f);
	f->chain = *p;
	*p = f;
	d->flights++;
	return f;
}

void
flight_end(struct dns *d, struct flight *f)
{
	struct flight **p = &d->bucket[f->key.hash % FLIGHT_BUCKETS];

	while (*p != f)
		p = &(*p)->chain;
	*p = f->chain;
	d->by_id[f->id] = NULL;
	for (int i = 0; i < f->tries; i++)
		port_release(f->try[i].port);
	if (f->stream)
		stream_close(f->stream);
	f->busy = 0;
	f->chain = d->free_flight; /* the last one first: few are touched */
	d->free_flight = f;
	d->flights--;
}

void
flight_due(struct dns *d, struct flight *f)
{
	f->deadline = 0; /* if there is no room, the next sweep sees it */
	if (f->due || d->n_due == sizeof(d->due) / sizeof(d->due[0]))
		return;
	f->due = 1;
	d->due[d->n_due++] = f->id;
}

void
stream_close(struct stream *s)
{
	close(s->src.fd);
	s->src = (struct source){FREE, -1};
	free(s->buf);
	s->buf = NULL;
	s->flight->stream = NULL;
	s->flight = NULL;
}

int
stream_begin(struct dns *d, struct flight *f, size_t i)
{
	const struct resolver *r = &d->resolver[i];
	struct stream *s = NULL;

	for (size_t k = 0; k < STREAMS_MAX && !s; k++)
		if (d->stream[k].src.kind == FREE)
			s = &d->stream[k];
	if (!s)
		return -1;
	s->src.fd = socket(r->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->src.fd < 0)
		return -1;
	if (connect(s->src.fd, (const struct sockaddr *)&r->at, r->len) < 0 && errno != EINPROGRESS) {
		close(s->src.fd);
		s->src.fd = -1;
		return -1;
	}
	s->src.kind = STREAM;
	s->flight = f;
	s->resolver = i;
	s->sent = s->got = 0;
	f->stream = s;
	f->deadline = d->now + STREAM_PATIENCE < f->give_up ? d->now + STREAM_PATIENCE : f->give_up;
	worker_watch(d, &s->src, EPOLLOUT);
	return 0;
}

static void
end(struct dns *d, struct stream *s, size_t n)
{
	struct flight *f = s->flight;
	size_t i = s->resolver;
	uint8_t *buf = s->buf;

	s->buf = NULL;
	stream_close(s);
	stream_ended(d, f, i, n ? buf + 2 : NULL, n);
	free(buf);
}

static void
receive(struct dns *d, struct stream *s)
{
	size_t want = 2 + KNOT_WIRE_MAX_PKTSIZE;
	ssize_t n;

	if (!s->buf)
		s->buf = cx_alloc(want);
	n = read(s->src.fd, s->buf + s->got, want - s->got);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end(d, s, 0);
		return;
	}
	s->got += (size_t)n;
	if (s->got >= 2 && s->got >= 2U + query_u16(s->buf))
		end(d, s, query_u16(s->buf));
}

void
forward_stream(struct dns *d, struct stream *s, uint32_t events)
{
	uint8_t query[2 + ERROR_MAX];

	if (s->sent == 0 && (events & EPOLLOUT)) {
		size_t n = stream_query(d, s->flight, s->resolver, query);

		/* A fresh connection takes it whole. */
		if (send(s->src.fd, query, n, MSG_NOSIGNAL) != (ssize_t)n) {
			end(d, s, 0);
			return;
		}
		s->sent = n;
		worker_watch(d, &s->src, EPOLLIN);
		return;
	}
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		receive(d, s);
}
