#include "cache.h"
#include <cx/buf.h>
#include <stdlib.h>
#include <string.h>

#define FIXED 10 /* type, class, TTL and length of a record */

void
key_make(struct key *k, const struct query *q, uint32_t seed)
{
	memcpy(k->p, q->name, q->name_len);
	memcpy(k->p + q->name_len, q->wire + HEADER + q->name_len, 4);
	k->p[q->name_len + 4] = (uint8_t)(q->a.rd | q->a.cd << 1 | q->a.dnssec << 2);
	k->n = (uint16_t)(q->name_len + 5);
	k->hash = zone_hash(seed, k->p, k->n);
	k->hash ^= k->hash >> 15;
}

/* The least of a negative answer's SOA (RFC 2308, 5): its TTL and its last field. data: its place and length. */
static uint32_t
negative_ttl(uint32_t ttl, const uint8_t *data, size_t len)
{
	uint32_t minimum = len >= 22 ? query_u32(data + len - 4) : 0;

	ttl = minimum < ttl ? minimum : ttl;
	return ttl < NEGATIVE_MAX ? ttl : NEGATIVE_MAX;
}

struct walk {
	int negative, soa;
	uint32_t least;
};

/* One record that is not OPT. */
static void
take_record(struct reply *r, struct walk *w, uint8_t *fixed, int section)
{
	uint16_t type = query_u16(fixed);
	uint32_t ttl = query_u32(fixed + 4);

	if (ttl > TTL_MAX)
		ttl = ttl >> 31 ? 0 : TTL_MAX; /* RFC 2181, 8 */
	if (section == 1 && type == KNOT_RRTYPE_SOA) { /* there, it is always of a negative answer */
		ttl = negative_ttl(ttl, fixed + FIXED, query_u16(fixed + 8));
		w->soa = 1;
	}
	query_put32(fixed + 4, ttl);
	if (ttl < w->least)
		w->least = ttl;
	if (r->ttls < TTLS_MAX)
		r->ttl_at[r->ttls] = (uint16_t)(fixed + 4 - r->p);
	else
		w->least = 0; /* too many to be kept */
	if (r->ttls < TTLS_MAX)
		r->ttls++;
}

int
reply_read(struct reply *r, uint8_t *p, size_t n, size_t question)
{
	struct walk w = {.least = TTL_MAX};
	size_t at = HEADER + question;

	*r = (struct reply){.p = p, .rcode = p[3] & 15, .tc = p[2] >> 1 & 1, .ad = p[3] >> 5 & 1};
	w.negative = r->rcode == KNOT_RCODE_NXDOMAIN || knot_wire_get_ancount(p) == 0;
	for (int section = 0; section < 3; section++) {
		unsigned left = query_u16(p + 6 + 2 * section);

		for (; left > 0; left--) {
			size_t name = at, len;

			at = query_skip_name(p, n, at);
			if (at == 0 || n - at < FIXED)
				return -1;
			len = query_u16(p + at + 8);
			if (n - at - FIXED < len)
				return -1;
			if (section == 2 && query_u16(p + at) == KNOT_RRTYPE_OPT) {
				r->rcode |= (uint16_t)(p[at + 4] << 4);
				at = name; /* it is between that resolver and us, what follows signs the whole */
				goto end;
			}
			take_record(r, &w, p + at, section);
			r->count[section]++;
			at += FIXED + len;
		}
	}
end:
	r->n = at;
	if ((r->rcode == KNOT_RCODE_NOERROR || r->rcode == KNOT_RCODE_NXDOMAIN) && !r->tc && (!w.negative || w.soa) &&
		r->n <= ENTRY_MAX)
		r->life = w.least;
	return 0;
}

static struct entry *
entry_new(const struct key *k, size_t ttls, size_t body)
{
	size_t size = sizeof(struct entry) + ttls * sizeof(uint16_t) + k->n + body;
	struct entry *e = cx_alloc(size);

	e->size = size;
	e->hash = k->hash;
	e->key_n = k->n;
	e->question = (uint16_t)(k->n - 1);
	e->ttls = (uint16_t)ttls;
	e->ttl_at = (uint16_t *)(void *)(e + 1);
	e->key = (uint8_t *)(e->ttl_at + ttls);
	e->body = e->key + k->n;
	e->n = (uint32_t)body;
	memcpy(e->key, k->p, k->n);
	return e;
}

struct entry *
entry_make(const struct key *k, const struct reply *r, uint32_t now)
{
	size_t start = HEADER + k->n - 1U;
	struct entry *e = entry_new(k, r->life ? r->ttls : 0, r->n - start);

	e->stored = now;
	e->life = r->life;
	e->rcode = r->rcode;
	e->ad = r->ad;
	for (int i = 0; i < 3; i++)
		query_put16(e->counts + 2 * i, r->count[i]);
	memcpy(e->body, r->p + start, e->n);
	for (size_t i = 0; i < e->ttls; i++)
		e->ttl_at[i] = (uint16_t)(r->ttl_at[i] - start);
	return e;
}

struct entry *
entry_failure(const struct key *k, uint16_t rcode, uint32_t now)
{
	struct entry *e = entry_new(k, 0, 0);

	e->stored = now;
	e->life = FAILURE_SECONDS;
	e->rcode = rcode;
	return e;
}

size_t
entry_answer(const struct entry *e, uint32_t now, const struct answerer *w, const struct asker *a,
	const uint8_t *question, uint8_t *out)
{
	uint32_t age = now - e->stored;
	size_t len;

	if (HEADER + e->question + e->n + (a->edns ? OPT_MAX : 0U) > answer_max(a))
		return answer_empty(w, a, question, e->question, e->rcode & 15, 1, out);
	len = answer_begin(a, question, e->question, e->rcode & 15, out);
	out[3] |= (uint8_t)((e->ad && (a->ad || a->dnssec)) << 5); /* RFC 6840, 5.8 */
	memcpy(out + 6, e->counts, 6);
	memcpy(out + len, e->body, e->n);
	for (size_t i = 0; age > 0 && i < e->ttls; i++) {
		uint8_t *p = out + len + e->ttl_at[i];
		uint32_t ttl = query_u32(p);

		query_put32(p, ttl > age ? ttl - age : 0);
	}
	len += e->n;
	return len + answer_opt(w, a, 0, out, len);
}
