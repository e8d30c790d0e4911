#include "answer.h"
#include <string.h>

/* The longest question, NXDOMAIN and its SOA, NS with its address, an HTTPS record: none is near what every client
 * takes. */
_Static_assert(ERROR_MAX + 12 + 128 < 512, "answers of the zone are never truncated");

#define POINTER 0xc000

static const uint8_t ns_label[3] = {2, 'n', 's'};

size_t
answer_bare(const uint8_t *in, uint8_t rcode, uint8_t *out)
{
	memset(out, 0, HEADER);
	memcpy(out, in, 2);
	/* RD, CD and the rest are defined for queries only. */
	out[2] = (uint8_t)(0x80 | (in[2] & 0x78));
	out[3] = rcode;
	return HEADER;
}

size_t
answer_max(const struct asker *a)
{
	return a->tcp ? KNOT_WIRE_MAX_PKTSIZE : a->limit;
}

size_t
answer_opt(const struct answerer *w, const struct asker *a, uint8_t extended, uint8_t *msg, size_t at)
{
	uint8_t *p = msg + at;
	size_t n = 11;

	if (!a->edns)
		return 0;
	memset(p, 0, 11);
	p[2] = KNOT_RRTYPE_OPT;
	query_put16(p + 3, PAYLOAD);
	p[5] = extended;
	p[7] = (uint8_t)(a->dnssec << 7);
	if (a->has_cookie) {
		struct sockaddr_storage from = {0};
		knot_edns_cookie_params_t with = {
			.version = KNOT_EDNS_COOKIE_VERSION, .timestamp = w->time, .client_addr = &from};
		knot_edns_cookie_t client = {.len = CLIENT_COOKIE}, server;

		memcpy(&from, &a->from, sizeof(a->from));
		memcpy(with.secret, w->secret, sizeof(with.secret));
		memcpy(client.data, a->cookie, CLIENT_COOKIE);
		if (knot_edns_cookie_server_generate(&server, &client, &with) == KNOT_EOK && server.len == 16) {
			query_put16(p + n, KNOT_EDNS_OPTION_COOKIE);
			query_put16(p + n + 2, CLIENT_COOKIE + 16);
			memcpy(p + n + 4, a->cookie, CLIENT_COOKIE);
			memcpy(p + n + 4 + CLIENT_COOKIE, server.data, 16);
			n += 4 + CLIENT_COOKIE + 16;
		}
	}
	if (a->keepalive && a->tcp) {
		query_put16(p + n, KNOT_EDNS_OPTION_TCP_KEEPALIVE);
		query_put16(p + n + 2, 2);
		query_put16(p + n + 4, IDLE_SECONDS * 10);
		n += 6;
	}
	query_put16(p + 9, (uint16_t)(n - 11));
	msg[11]++; /* ARCOUNT */
	return n;
}

size_t
answer_begin(const struct asker *a, const uint8_t *question, size_t n, uint8_t rcode, uint8_t *out)
{
	memset(out, 0, HEADER);
	query_put16(out, a->id);
	out[2] = (uint8_t)(0x80 | a->rd);
	out[3] = (uint8_t)(0x80 | a->cd << 4 | rcode);
	out[5] = n > 0;
	memcpy(out + HEADER, question, n);
	return HEADER + n;
}

size_t
answer_empty(const struct answerer *w, const struct asker *a, const uint8_t *question, size_t n, uint16_t rcode, int tc,
	uint8_t *out)
{
	size_t len = answer_begin(a, question, n, rcode & 15, out);

	if (tc)
		out[2] |= 2;
	return len + answer_opt(w, a, (uint8_t)(rcode >> 4), out, len);
}

size_t
answer_error(const struct answerer *w, const struct query *q, uint16_t rcode, uint8_t *out)
{
	return answer_empty(w, &q->a, q->wire + HEADER, q->question, rcode, 0, out);
}

int
answer_refusal(const struct query *q)
{
	if (q->a.edns && q->version != 0)
		return KNOT_RCODE_BADVERS;
	if (q->qclass != KNOT_CLASS_IN)
		return KNOT_RCODE_REFUSED;
	if (q->type >= 249 && q->type <= 254) /* TKEY, TSIG, transfers, MAILA, MAILB */
		return KNOT_RCODE_REFUSED;
	return -1;
}

/* A record whose owner is a compressed name; data may be NULL, to be filled in by the caller. Returns where they are.
 */
static uint8_t *
put(uint8_t *out, size_t *at, size_t owner, uint16_t type, const void *data, size_t n)
{
	uint8_t *p = out + *at;

	query_put16(p, (uint16_t)(POINTER | owner));
	query_put16(p + 2, type);
	query_put16(p + 4, KNOT_CLASS_IN);
	query_put32(p + 6, TTL);
	query_put16(p + 10, (uint16_t)n);
	if (data)
		memcpy(p + 12, data, n);
	*at += 12 + n;
	return p + 12;
}

static void
put_soa(const struct zone *z, size_t apex, uint8_t *out, size_t *at)
{
	/* hostmaster; refresh 1 h, retry 10 min, expire 1 d, negative TTL (RFC 2308, 4) */
	static const uint8_t mbox[11] = {10, 'h', 'o', 's', 't', 'm', 'a', 's', 't', 'e', 'r'},
			     times[16] = {0, 0, 14, 16, 0, 0, 2, 88, 0, 1, 81, 128, 0, 0, 0, TTL};
	uint8_t *p = put(out, at, apex, KNOT_RRTYPE_SOA, NULL, 5 + 13 + 20);

	memcpy(p, ns_label, sizeof(ns_label));
	query_put16(p + 3, (uint16_t)(POINTER | apex));
	memcpy(p + 5, mbox, sizeof(mbox));
	query_put16(p + 16, (uint16_t)(POINTER | apex));
	query_put32(p + 18, z->serial);
	memcpy(p + 22, times, sizeof(times));
}

static unsigned
put_addresses(const struct address *a, size_t owner, uint8_t *out, size_t *at)
{
	if (a->has4)
		(void)put(out, at, owner, KNOT_RRTYPE_A, a->v4, 4);
	if (a->has6)
		(void)put(out, at, owner, KNOT_RRTYPE_AAAA, a->v6, 16);
	return a->has4 + a->has6;
}

/* SOA, NS and CAA of the apex: how many answers, with additional ones counted in out. */
static unsigned
put_apex(const struct zone *z, enum view view, uint16_t type, size_t apex, uint8_t *out, size_t *at)
{
	/* RFC 8659, 4.2: no public authority may issue for it. */
	static const uint8_t caa[] = {0, 5, 'i', 's', 's', 'u', 'e', ';'};
	uint8_t *p;

	switch (type) {
	case KNOT_RRTYPE_SOA:
		put_soa(z, apex, out, at);
		return 1;
	case KNOT_RRTYPE_CAA:
		(void)put(out, at, apex, type, caa, sizeof(caa));
		return 1;
	case KNOT_RRTYPE_NS:
		p = put(out, at, apex, type, NULL, 5);
		memcpy(p, ns_label, sizeof(ns_label));
		query_put16(p + 3, (uint16_t)(POINTER | apex));
		out[11] = (uint8_t)put_addresses(&z->at[view], (size_t)(p - out), out, at);
		return 1;
	default:
		return 0;
	}
}

/* RFC 9460: HTTP/2 and the port, so that a browser need not try port 80 first. */
static void
put_https(uint16_t port, const struct address *a, uint8_t *out, size_t *at)
{
	/* Priority 1, target ".", alpn h2 and http/1.1. */
	static const uint8_t head[] = {0, 1, 0, 0, 1, 0, 12, 2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
	uint8_t data[64], *p = data + sizeof(head);

	memcpy(data, head, sizeof(head));
	if (port != 443) {
		query_put32(p, 3U << 16 | 2); /* port */
		query_put16(p + 4, port);
		p += 6;
	}
	if (a->has4) {
		query_put32(p, 4U << 16 | 4); /* ipv4hint */
		memcpy(p + 4, a->v4, 4);
		p += 8;
	}
	if (a->has6) {
		query_put32(p, 6U << 16 | 16); /* ipv6hint */
		memcpy(p + 4, a->v6, 16);
		p += 20;
	}
	(void)put(out, at, HEADER, KNOT_RRTYPE_HTTPS, data, (size_t)(p - data));
}

/* The answers to a type of a name that has a record. */
static unsigned
put_data(const struct zone *z, enum view view, const struct node *n, uint16_t type, uint8_t *out, size_t *at)
{
	const struct address *a = zone_address(z, n, view);

	if (type == KNOT_RRTYPE_A && a->has4) {
		(void)put(out, at, HEADER, type, a->v4, 4);
		return 1;
	}
	if (type == KNOT_RRTYPE_AAAA && a->has6) {
		(void)put(out, at, HEADER, type, a->v6, 16);
		return 1;
	}
	if (type == KNOT_RRTYPE_HTTPS && n->records->service && n->records != &z->ns && z->https[view]) {
		put_https(z->https[view], a, out, at);
		return 1;
	}
	return 0;
}

size_t
answer_zone(const struct answerer *w, const struct zone *z, enum view view, const struct query *q, uint8_t *out)
{
	static const uint8_t hinfo[] = "\007RFC8482"; /* RFC 8482, 4.2 */
	size_t at = answer_begin(&q->a, q->wire + HEADER, q->question, KNOT_RCODE_NOERROR, out);
	size_t apex = HEADER + q->label[q->labels - z->apex_labels];
	unsigned answers = 0;
	int exists;
	const struct node *n = zone_find(z, q, &exists);

	out[2] |= 4; /* AA */
	if (!n && !exists)
		out[3] |= KNOT_RCODE_NXDOMAIN;
	else if (q->type == TYPE_ANY && n && n->records) {
		(void)put(out, &at, HEADER, KNOT_RRTYPE_HINFO, hinfo, sizeof(hinfo));
		answers = 1;
	} else if (n && n->records == &z->self)
		answers = put_apex(z, view, q->type, apex, out, &at);
	else if (n && n->records)
		answers = put_data(z, view, n, q->type, out, &at);
	out[7] = (uint8_t)answers;
	if (answers == 0) {
		out[9] = 1;
		put_soa(z, apex, out, &at);
	}
	return at + answer_opt(w, &q->a, 0, out, at);
}
