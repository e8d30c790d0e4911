#include "query.h"
#include <string.h>

uint16_t
query_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t
query_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

void
query_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void
query_put32(uint8_t *p, uint32_t v)
{
	query_put16(p, (uint16_t)(v >> 16));
	query_put16(p + 2, (uint16_t)v);
}

size_t
query_name(struct query *q, const uint8_t *p, size_t n)
{
	size_t at = 0;

	for (q->labels = 0; at < n && at < KNOT_DNAME_MAXLEN; q->labels++) {
		size_t len = p[at];

		q->label[q->labels] = (uint8_t)at;
		q->name[at++] = (uint8_t)len;
		if (len == 0) {
			q->name_len = (uint8_t)at;
			return at;
		}
		if (len > KNOT_DNAME_MAXLABELLEN || at + len > n || at + len >= KNOT_DNAME_MAXLEN)
			return 0;
		for (size_t end = at + len; at < end; at++)
			q->name[at] = (uint8_t)(p[at] >= 'A' && p[at] <= 'Z' ? p[at] | 0x20 : p[at]);
	}
	return 0;
}

size_t
query_skip_name(const uint8_t *p, size_t n, size_t at)
{
	for (size_t len = 0; at < n && len < KNOT_DNAME_MAXLEN; len += p[at] + 1U, at += p[at] + 1U) {
		if (p[at] == 0)
			return at + 1;
		if (p[at] >= 0xc0) /* RFC 1035, 4.1.4: always backwards */
			return at + 2 <= n && (size_t)(query_u16(p + at) & 0x3fff) < at ? at + 2 : 0;
		if (p[at] > KNOT_DNAME_MAXLABELLEN)
			return 0;
	}
	return 0;
}

/* False: malformed. What is not known is passed over (RFC 6891, 6.1.2). */
static int
read_options(struct asker *a, const uint8_t *p, size_t n)
{
	while (n >= 4) {
		uint16_t code = query_u16(p), len = query_u16(p + 2);

		if (len > n - 4)
			return 0;
		if (code == KNOT_EDNS_OPTION_COOKIE) {
			/* RFC 7873, 5.2.2 */
			if (len != CLIENT_COOKIE && (len < 16 || len > 40))
				return 0;
			a->has_cookie = 1;
			memcpy(a->cookie, p + 4, CLIENT_COOKIE);
		}
		if (code == KNOT_EDNS_OPTION_TCP_KEEPALIVE)
			a->keepalive = 1;
		p += 4 + len;
		n -= 4U + len;
	}
	return n == 0;
}

/* Of additional records only OPT means something. */
static int
read_additional(struct query *q, const uint8_t *in, size_t n, size_t at)
{
	for (unsigned left = knot_wire_get_arcount(in); left > 0; left--) {
		size_t name = at, len;

		at = query_skip_name(in, n, at);
		if (at == 0 || n - at < 10)
			return KNOT_RCODE_FORMERR;
		len = query_u16(in + at + 8);
		if (n - at - 10 < len)
			return KNOT_RCODE_FORMERR;
		if (query_u16(in + at) == KNOT_RRTYPE_OPT) {
			uint16_t limit = query_u16(in + at + 2);

			/* RFC 6891, 6.1.1: one, and of the root */
			if (q->a.edns || in[name] != 0)
				return KNOT_RCODE_FORMERR;
			q->a.edns = 1;
			q->a.limit = limit < 512 ? 512 : limit > PAYLOAD ? PAYLOAD : limit;
			q->version = in[at + 5];
			q->a.dnssec = in[at + 6] >> 7;
			if (!read_options(&q->a, in + at + 10, len))
				return KNOT_RCODE_FORMERR;
		}
		at += 10 + len;
	}
	return at == n ? 0 : KNOT_RCODE_FORMERR;
}

int
query_read(struct query *q, const uint8_t *in, size_t n)
{
	size_t len;

	if (n < HEADER || n > QUERY_MAX || knot_wire_get_qr(in))
		return -1;
	q->wire = in;
	q->version = 0;
	q->question = 0;
	q->a.id = query_u16(in);
	q->a.limit = 512;
	q->a.rd = in[2] & 1;
	q->a.cd = in[3] >> 4 & 1;
	q->a.ad = in[3] >> 5 & 1;
	q->a.dnssec = q->a.edns = q->a.has_cookie = q->a.keepalive = 0;
	if (knot_wire_get_opcode(in) != KNOT_OPCODE_QUERY)
		return KNOT_RCODE_NOTIMPL;
	if (knot_wire_get_qdcount(in) != 1 || knot_wire_get_ancount(in) || knot_wire_get_nscount(in))
		return KNOT_RCODE_FORMERR;
	len = query_name(q, in + HEADER, n - HEADER);
	if (len == 0 || n - HEADER - len < 4)
		return KNOT_RCODE_FORMERR;
	q->question = (uint16_t)(len + 4);
	q->type = query_u16(in + HEADER + len);
	q->qclass = query_u16(in + HEADER + len + 2);
	if (q->type == KNOT_RRTYPE_OPT)
		return KNOT_RCODE_FORMERR;
	return read_additional(q, in, n, HEADER + q->question);
}
