/*
 * Questions for other domains, asked of the resolvers that the machine had:
 * from a random port, with a random ID and random case (RFC 5452), by UDP and
 * again by TCP where that is too small. The same question is asked once.
 */
#include "dns.h"
#include "flight.h"
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define GIVE_UP 4500000U /* us: clients wait for 5 seconds */
#define PLAIN 600000000U /* us, before EDNS is tried again */
#define LETTERS_SURE 12 /* random bits in a question that nobody hits by chance */

static uint16_t *
of_client(struct dns *d, const struct sockaddr_in *from)
{
	uint32_t h = from->sin_addr.s_addr * 2654435761U;

	return &d->per_client[h >> 22];
}

/* Puts one more client on the list; NULL when too many wait, of this address or in all. */
static struct waiter *
wait_for(struct dns *d, struct flight *f, const struct query *q, int udp, unsigned long long number)
{
	uint16_t *count = of_client(d, &q->a.from);
	struct waiter *w = d->free_waiter;

	if (*count >= PER_CLIENT || (!w && d->waiters_used == WAITERS_MAX)) {
		d->stats->limited++;
		return NULL;
	}
	if (w)
		d->free_waiter = w->next;
	else
		w = &d->waiter[d->waiters_used++];
	++*count;
	d->waiting++;
	w->a = q->a;
	w->udp = udp;
	w->number = number;
	memcpy(w->question, q->wire + HEADER, q->question);
	w->next = f->waiters;
	f->waiters = w;
	return w;
}

static void
waiter_free(struct dns *d, struct waiter *w)
{
	--*of_client(d, &w->a.from);
	d->waiting--;
	w->next = d->free_waiter;
	d->free_waiter = w;
}

static void
answer_waiter(struct dns *d, const struct waiter *w, const struct entry *e)
{
	static uint8_t out[KNOT_WIRE_MAX_PKTSIZE];
	size_t n;

	if (w->udp < 0) {
		n = entry_answer(e, d->seconds, &d->answerer, &w->a, w->question, out);
		client_send(d, w->number, out, n);
	} else {
		uint8_t *p = outbox_room(d, &d->down, w->udp);

		n = entry_answer(e, d->seconds, &d->answerer, &w->a, w->question, p);
		d->stats->truncated += p[2] >> 1 & 1;
		outbox_add(&d->down, n, &w->a.from, 0);
	}
	d->stats->answers[e->rcode & 15]++;
}

/* All who wait get it; it is kept if it may be. Takes the entry. */
static void
land(struct dns *d, struct flight *f, struct entry *e)
{
	for (struct waiter *w = f->waiters, *next; w; w = next) {
		next = w->next;
		answer_waiter(d, w, e);
		waiter_free(d, w);
	}
	f->waiters = NULL;
	if (e->life > 0)
		cache_put(&d->cache, e);
	else
		free(e);
	flight_end(d, f);
}

static void
fail(struct dns *d, struct flight *f)
{
	land(d, f, entry_failure(&f->key, f->rcode ? f->rcode : KNOT_RCODE_SERVFAIL, d->seconds));
}

/* The query as it is sent to this resolver. */
static size_t
compose(struct dns *d, struct flight *f, const struct resolver *r, uint8_t *p)
{
	size_t question = f->key.n - 1U, n = HEADER + question;
	uint8_t bits = f->key.p[question];

	memset(p, 0, HEADER);
	query_put16(p, f->id);
	p[2] = bits & 1; /* RD */
	p[3] = (uint8_t)(0x20 | (bits >> 1 & 1) << 4); /* AD: tell us (RFC 6840, 5.7); CD */
	p[5] = 1;
	memcpy(p + HEADER, r->folds ? f->key.p : f->question, question);
	f->edns = r->plain_until <= d->now;
	if (f->edns) {
		p[11] = 1;
		memset(p + n, 0, 11);
		p[n + 2] = KNOT_RRTYPE_OPT;
		query_put16(p + n + 3, PAYLOAD);
		p[n + 7] = (uint8_t)((bits >> 2 & 1) << 7); /* DO */
		n += 11;
	}
	return n;
}

/* By UDP; the datagram leaves at the end of the turn. */
static int
send_to(struct dns *d, struct flight *f, size_t i)
{
	struct resolver *r = &d->resolver[i];
	struct port *p = resolver_port(d, r);
	struct try *t = &f->try[f->tries];
	uint8_t *room;

	r->asked = d->now;
	f->asked |= (uint16_t)(1U << i);
	if (!p) {
		d->stats->failures++;
		f->bad |= (uint16_t)(1U << i);
		return -1;
	}
	room = outbox_room(d, &d->up, p->src.fd);
	outbox_add(&d->up, compose(d, f, r, room), NULL, f->id);
	*t = (struct try){p, (uint8_t)i, d->now};
	p->refs++;
	f->tries++;
	f->deadline = d->now + resolver_patience(r);
	d->stats->forwarded++;
	return 0;
}

/* The next resolver; when there is none left, what the last one said, or SERVFAIL. */
static void
ask(struct dns *d, struct flight *f)
{
	f->due = 0;
	while (f->tries < TRIES_MAX && d->now < f->give_up) {
		int i = resolver_choose(d, f->bad | f->asked);

		if (i < 0 && (f->asked & ~f->bad) != 0) {
			f->asked = 0; /* those that were silent, once more */
			i = resolver_choose(d, f->bad);
		}
		if (i < 0)
			break;
		if (send_to(d, f, (size_t)i) == 0)
			return;
	}
	/* One that is slow may still answer. */
	if (f->tries > 0 && d->now < f->give_up && (f->asked & ~f->bad) != 0) {
		f->deadline = f->give_up;
		return;
	}
	fail(d, f);
}

size_t
forward_begin(
	struct dns *d, const struct query *q, const struct key *k, int udp, unsigned long long number, uint8_t *out)
{
	struct flight *f = flight_find(d, k);

	/* Our own case, which nobody else chose: the resolvers lead back to us. */
	if (f && f->letters >= LETTERS_SURE && memcmp(f->question, q->wire + HEADER, q->question) == 0) {
		if (d->stats->loops++ == 0)
			(void)fputs("cx-dns: a resolver sends our own queries back to us; they are refused\n", stderr);
		return answer_error(&d->answerer, q, KNOT_RCODE_SERVFAIL, out);
	}
	if (f) {
		d->stats->merged++;
		return wait_for(d, f, q, udp, number) ? 0 : answer_error(&d->answerer, q, KNOT_RCODE_SERVFAIL, out);
	}
	f = d->n_resolvers > 0 ? flight_new(d, k) : NULL;
	if (!f || !wait_for(d, f, q, udp, number)) {
		if (f)
			flight_end(d, f);
		return answer_error(&d->answerer, q, KNOT_RCODE_SERVFAIL, out);
	}
	f->give_up = d->now + GIVE_UP;
	flight_due(d, f); /* not here: a failure would answer while the caller writes */
	return 0;
}

/* The resolver's say: 1 when the question is settled by it. */
static int
judge(struct dns *d, struct flight *f, size_t i, struct reply *r)
{
	struct resolver *by = &d->resolver[i];

	if (r->rcode == KNOT_RCODE_NOERROR || r->rcode == KNOT_RCODE_NXDOMAIN)
		return 1;
	d->stats->failures++;
	if (f->edns &&
		(r->rcode == KNOT_RCODE_FORMERR || r->rcode == KNOT_RCODE_NOTIMPL || r->rcode == KNOT_RCODE_BADVERS)) {
		by->plain_until = d->now + PLAIN; /* RFC 6891, 6.2.2: once more, without */
		f->asked &= (uint16_t) ~(1U << i);
		return 0;
	}
	f->bad |= (uint16_t)(1U << i);
	f->rcode = r->rcode < 16 ? r->rcode : KNOT_RCODE_SERVFAIL;
	return 0;
}

/* A reply that is to this flight, from that resolver. */
static void
take(struct dns *d, struct flight *f, size_t i, uint8_t *p, size_t n, int tcp)
{
	struct reply r;

	d->stats->replies++;
	if (reply_read(&r, p, n, f->key.n - 1U) < 0) {
		d->stats->failures++;
		f->bad |= (uint16_t)(1U << i);
		ask(d, f);
	} else if (r.tc && !tcp) {
		if (stream_begin(d, f, i) < 0)
			fail(d, f);
	} else if (judge(d, f, i, &r)) {
		land(d, f, entry_make(&f->key, &r, d->seconds));
	} else {
		ask(d, f);
	}
}

enum match { NONE, CASELESS, EXACT };

/* RFC 5452, 9.1: the question is compared here, ID and address by the caller. */
static enum match
matches(const struct flight *f, const uint8_t *sent, const uint8_t *p, size_t n)
{
	size_t question = f->key.n - 1U;
	struct query q;

	if (n < HEADER + question || !knot_wire_get_qr(p) || knot_wire_get_opcode(p) != KNOT_OPCODE_QUERY ||
		knot_wire_get_qdcount(p) != 1)
		return NONE;
	if (memcmp(p + HEADER, sent, question) == 0)
		return EXACT;
	if (query_name(&q, p + HEADER, n - HEADER) != question - 4 || memcmp(q.name, f->key.p, question - 4) != 0 ||
		memcmp(p + HEADER + question - 4, f->key.p + question - 4, 4) != 0)
		return NONE;
	return CASELESS;
}

static void
one_reply(struct dns *d, struct port *port, uint8_t *p, size_t n)
{
	struct flight *f = n >= HEADER ? d->by_id[query_u16(p)] : NULL;
	const struct resolver *r = port->resolver;
	int t = f ? f->tries - 1 : -1;
	enum match m;

	while (t >= 0 && f->try[t].port != port)
		t--;
	if (t < 0 || f->stream || !r) {
		d->stats->mismatched++;
		return;
	}
	m = matches(f, r->folds ? f->key.p : f->question, p, n);
	if (m == NONE) {
		d->stats->mismatched++;
		return;
	}
	if (m == CASELESS) {
		/* Forged, or of one that folds case: TCP, which is not so easily forged, tells. */
		d->stats->mismatched++;
		if (stream_begin(d, f, f->try[t].resolver) < 0)
			fail(d, f);
		return;
	}
	resolver_answered(d, &d->resolver[f->try[t].resolver], d->now - f->try[t].sent);
	take(d, f, f->try[t].resolver, p, n, 0);
}

/* Refused: whoever asked by it asks the next one, at once. */
static void
port_failed(struct dns *d, const struct port *p)
{
	if (p->resolver)
		resolver_refused(p->resolver);
	for (size_t i = 0; i < d->flights_used; i++) {
		struct flight *f = &d->flight[i];

		if (!f->busy || f->tries == 0 || f->try[f->tries - 1].port != p || f->stream)
			continue;
		f->bad |= (uint16_t)(1U << f->try[f->tries - 1].resolver);
		flight_due(d, f);
		d->stats->failures++;
	}
}

void
forward_unsent(struct dns *d, uint16_t id)
{
	const struct flight *f = d->by_id[id];

	if (f && f->tries > 0)
		port_failed(d, f->try[f->tries - 1].port);
}

void
forward_port(struct dns *d, struct port *p)
{
	static uint8_t in[BATCH][RESOLVER_IN];
	static struct iovec iov[BATCH];
	static struct mmsghdr msg[BATCH];
	int n;

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){in[i], RESOLVER_IN};
		msg[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	n = recvmmsg(p->src.fd, msg, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		port_failed(d, p);
	p->refs++; /* it stays while its replies are read */
	for (int i = 0; i < n; i++)
		one_reply(d, p, in[i], msg[i].msg_len);
	port_release(p);
}

/* The whole reply by TCP, or NULL: the connection failed. */
void
stream_ended(struct dns *d, struct flight *f, size_t i, uint8_t *p, size_t n)
{
	struct resolver *r = &d->resolver[i];
	enum match m =
		p && n >= HEADER && query_u16(p) == f->id ? matches(f, r->folds ? f->key.p : f->question, p, n) : NONE;

	if (m == NONE) {
		d->stats->failures++;
		f->bad |= (uint16_t)(1U << i);
		ask(d, f);
		return;
	}
	if (m == CASELESS)
		r->folds = 1;
	take(d, f, i, p, n, 1);
}

size_t
stream_query(struct dns *d, struct flight *f, size_t i, uint8_t *p)
{
	size_t n = compose(d, f, &d->resolver[i], p + 2);

	query_put16(p, (uint16_t)n);
	return n + 2;
}

void
forward_drop(struct dns *d, int udp)
{
	for (size_t i = 0; i < d->flights_used; i++)
		for (struct waiter **w = &d->flight[i].waiters; d->flight[i].busy && *w;) {
			struct waiter *gone = *w;

			if (gone->udp != udp) {
				w = &gone->next;
				continue;
			}
			*w = gone->next;
			waiter_free(d, gone);
		}
}

void
forward_due(struct dns *d)
{
	while (d->n_due > 0) {
		while (d->n_due > 0) {
			struct flight *f = d->by_id[d->due[--d->n_due]];

			if (f && f->due)
				ask(d, f);
		}
		outbox_flush(d, &d->up);
	}
}

void
forward_sweep(struct dns *d)
{
	size_t left = d->flights;

	for (size_t i = 0; i < d->flights_used && left > 0; i++) {
		struct flight *f = &d->flight[i];

		if (!f->busy)
			continue;
		left--;
		if (d->now < f->deadline)
			continue;
		if (f->stream) {
			f->bad |= (uint16_t)(1U << f->stream->resolver);
			d->stats->timeouts++;
			stream_close(f->stream);
		} else if (f->tries > 0) {
			resolver_silent(d, &d->resolver[f->try[f->tries - 1].resolver]);
		}
		ask(d, f);
	}
}

void
forward_restart(struct dns *d)
{
	for (size_t i = 0; i < d->flights_used; i++) {
		struct flight *f = &d->flight[i];

		if (!f->busy)
			continue;
		while (f->tries > 0)
			port_release(f->try[--f->tries].port);
		if (f->stream)
			stream_close(f->stream);
		f->bad = f->asked = f->rcode = 0;
		flight_due(d, f);
	}
}
