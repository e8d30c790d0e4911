#include "answer.h"
#include <ctype.h>
#include <string.h>

#define TTL 5
#define TYPE_ANY 255

int
answerer_init(struct answerer *a)
{
	a->query = knot_pkt_new(a->in, KNOT_WIRE_MAX_PKTSIZE, NULL);
	a->reply = knot_pkt_new(NULL, KNOT_WIRE_MAX_PKTSIZE, NULL);
	return a->query && a->reply ? 0 : -1;
}

void
answerer_free(struct answerer *a)
{
	knot_pkt_free(a->query);
	knot_pkt_free(a->reply);
}

/* Header alone: for what is not understood well enough to be repeated. */
static enum verdict
bare(const uint8_t *in, uint8_t rcode, uint8_t *out, size_t *len)
{
	memset(out, 0, KNOT_WIRE_HEADER_SIZE);
	memcpy(out, in, 2);
	out[2] = (uint8_t)(0x80 | (in[2] & 0x79));
	out[3] = (uint8_t)((in[3] & 0x10) | rcode);
	*len = KNOT_WIRE_HEADER_SIZE;
	return ANSWER_SEND;
}

size_t
answer_error(const uint8_t *in, const struct query *q, uint8_t rcode, int truncated, uint8_t *out)
{
	size_t len;

	(void)bare(in, rcode, out, &len);
	if (truncated)
		out[2] |= 0x02;
	out[3] |= 0x80;
	out[5] = 1;
	memcpy(out + len, in + len, q->question);
	return len + q->question;
}

static int
put(knot_pkt_t *p, const knot_dname_t *owner, uint16_t hint, uint16_t type, const uint8_t *data, uint16_t n)
{
	union {
		knot_rdata_t rdata;
		uint8_t room[sizeof(knot_rdata_t) + 2 * KNOT_DNAME_MAXLEN + 24];
	} u;
	knot_rrset_t rr;

	knot_rrset_init(&rr, (knot_dname_t *)owner, type, KNOT_CLASS_IN, TTL);
	knot_rdata_init(&u.rdata, n, data);
	rr.rrs.count = 1;
	rr.rrs.size = (uint32_t)knot_rdata_size(n);
	rr.rrs.rdata = &u.rdata;
	return knot_pkt_put(p, hint, &rr, KNOT_PF_NOTRUNC);
}

static void
put_soa(knot_pkt_t *p, const struct zone *z, knot_section_t section)
{
	(void)knot_pkt_begin(p, section);
	(void)put(p, z->apex, KNOT_COMPR_HINT_NONE, KNOT_RRTYPE_SOA, z->soa, z->soa_len);
}

static void
fill_apex(knot_pkt_t *p, const struct zone *z, uint16_t type, enum view view)
{
	if (type == KNOT_RRTYPE_SOA) {
		put_soa(p, z, KNOT_ANSWER);
		return;
	}
	(void)knot_pkt_begin(p, KNOT_ANSWER);
	(void)put(p, knot_pkt_wire_qname(p), KNOT_COMPR_HINT_QNAME, KNOT_RRTYPE_NS, z->nsdata, z->ns_len);
	(void)knot_pkt_begin(p, KNOT_ADDITIONAL);
	(void)put(p, z->ns, KNOT_COMPR_HINT_NONE, KNOT_RRTYPE_A, z->answer[view], 4);
}

/* The answer of the zone to a question that it holds. */
static void
fill(knot_pkt_t *p, const struct zone *z, enum view view, const knot_dname_t *name, uint16_t type)
{
	static const uint8_t hinfo[] = "\007RFC8482";
	const knot_dname_t *qname = knot_pkt_wire_qname(p);
	int exists;
	const struct node *s = zone_find(z, name, &exists);

	knot_wire_set_aa(p->wire);
	if (!s && !exists) {
		knot_wire_set_rcode(p->wire, KNOT_RCODE_NXDOMAIN);
		put_soa(p, z, KNOT_AUTHORITY);
		return;
	}
	if (exists && knot_dname_labels(name, NULL) == z->apex_labels &&
		(type == KNOT_RRTYPE_SOA || type == KNOT_RRTYPE_NS)) {
		fill_apex(p, z, type, view);
		return;
	}
	(void)knot_pkt_begin(p, KNOT_ANSWER);
	if (type == TYPE_ANY)
		(void)put(p, qname, KNOT_COMPR_HINT_QNAME, KNOT_RRTYPE_HINFO, hinfo, sizeof(hinfo));
	else if (type == KNOT_RRTYPE_A && s && s->has[view])
		(void)put(p, qname, KNOT_COMPR_HINT_QNAME, KNOT_RRTYPE_A, s->address[view], 4);
	else
		put_soa(p, z, KNOT_AUTHORITY);
}

static void
put_opt(knot_pkt_t *p, const knot_pkt_t *query, uint8_t extended)
{
	knot_rrset_t opt;

	if (knot_edns_init(&opt, PAYLOAD, extended, 0, NULL) != KNOT_EOK)
		return;
	if (knot_edns_do(query->opt_rr))
		knot_edns_set_do(&opt);
	(void)knot_pkt_begin(p, KNOT_ADDITIONAL);
	(void)knot_pkt_put(p, KNOT_COMPR_HINT_NONE, &opt, KNOT_PF_NOTRUNC);
	knot_rrset_clear(&opt, NULL);
}

/* The question is read; what cannot be answered from the zone gets a code here, -1 when it can. */
static int
refusal(const knot_pkt_t *q)
{
	uint16_t type = knot_pkt_qtype(q);

	if (knot_pkt_qclass(q) != KNOT_CLASS_IN)
		return KNOT_RCODE_REFUSED;
	if (type == KNOT_RRTYPE_OPT)
		return KNOT_RCODE_FORMERR;
	if (type == KNOT_RRTYPE_AXFR || type == KNOT_RRTYPE_IXFR || (type >= 249 && type <= 254))
		return KNOT_RCODE_REFUSED;
	return -1;
}

static enum verdict
respond(struct answerer *a, const struct zone *z, enum view view, uint8_t *out, size_t max, size_t *len)
{
	knot_pkt_t *q = a->query, *p = a->reply;
	int bad = refusal(q), old = q->opt_rr && knot_edns_get_version(q->opt_rr) != 0;

	knot_pkt_clear(p);
	if (knot_pkt_init_response(p, q) != KNOT_EOK)
		return bare(a->in, KNOT_RCODE_FORMERR, out, len);
	p->max_size = max;
	knot_wire_set_ra(p->wire);
	if (q->opt_rr)
		(void)knot_pkt_reserve(p, KNOT_EDNS_MIN_SIZE);
	if (old)
		knot_wire_set_rcode(p->wire, KNOT_RCODE_NOERROR);
	else if (bad >= 0)
		knot_wire_set_rcode(p->wire, (uint8_t)bad);
	else
		fill(p, z, view, knot_pkt_qname(q), knot_pkt_qtype(q));
	if (q->opt_rr) {
		(void)knot_pkt_reclaim(p, KNOT_EDNS_MIN_SIZE);
		put_opt(p, q, old ? KNOT_RCODE_BADVERS >> 4 : 0);
	}
	memcpy(out, p->wire, p->size);
	*len = p->size;
	p->max_size = KNOT_WIRE_MAX_PKTSIZE;
	return ANSWER_SEND;
}

enum verdict
answer(struct answerer *a, const struct zone *z, enum view view, const uint8_t *in, size_t n, uint8_t *out, size_t max,
	size_t *len, struct query *q)
{
	uint16_t limit;

	if (n < KNOT_WIRE_HEADER_SIZE || n > sizeof(a->in) || knot_wire_get_qr(in))
		return ANSWER_DROP;
	if (knot_wire_get_opcode(in) != KNOT_OPCODE_QUERY)
		return bare(in, KNOT_RCODE_NOTIMPL, out, len);
	if (knot_wire_get_qdcount(in) != 1 || knot_wire_get_ancount(in) || knot_wire_get_nscount(in))
		return bare(in, KNOT_RCODE_FORMERR, out, len);
	knot_pkt_clear(a->query);
	memcpy(a->in, in, n);
	a->query->size = n;
	if (knot_pkt_parse(a->query, 0) != KNOT_EOK || a->query->parsed != n || a->query->qname_size == 0)
		return bare(in, KNOT_RCODE_FORMERR, out, len);
	limit = a->query->opt_rr ? knot_edns_get_payload(a->query->opt_rr) : 0;
	q->limit = limit < 512 ? 512 : limit > PAYLOAD ? PAYLOAD : limit;
	q->type = knot_pkt_qtype(a->query);
	q->question = knot_pkt_question_size(a->query);
	if (max <= PAYLOAD && max > q->limit) /* by UDP */
		max = q->limit;
	if (refusal(a->query) < 0 && !zone_holds(z, knot_pkt_qname(a->query)) &&
		!(a->query->opt_rr && knot_edns_get_version(a->query->opt_rr) != 0))
		return ANSWER_FORWARD;
	return respond(a, z, view, out, max, len);
}

int
answer_matches(const uint8_t *query, size_t question, uint16_t id, const uint8_t *reply, size_t n)
{
	if (n < KNOT_WIRE_HEADER_SIZE + question || knot_wire_get_id(reply) != id || !knot_wire_get_qr(reply) ||
		knot_wire_get_opcode(reply) != KNOT_OPCODE_QUERY || knot_wire_get_qdcount(reply) != 1)
		return 0;
	for (size_t i = KNOT_WIRE_HEADER_SIZE; i < KNOT_WIRE_HEADER_SIZE + question; i++)
		if (tolower(query[i]) != tolower(reply[i]))
			return 0;
	return 1;
}
