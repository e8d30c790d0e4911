/* LINK: src/cx-dns/query.c src/cx-dns/answer.c src/cx-dns/zone.c PKG: libknot */
/* Any bytes as a query, in both views, by UDP and by TCP: an answer that libknot reads to its end, within its bounds, or none. */
#include "answer.h"
#include <cx/err.h>
#include <stdlib.h>
#include <string.h>

static struct zone zone;
static struct answerer answerer = {.secret = {1, 2, 3}, .time = 1700000000};
static struct record records[6];

static void
add(size_t i, const char *name, int service, int below)
{
	struct query q;

	if (!zone_name(&zone, name, &q))
		abort();
	records[i] = (struct record){.file = "a.json", .service = (uint8_t)service, .below = (uint8_t)below};
	if (!service) {
		records[i].at[VIEW_HOST] = (struct address){.has4 = 1, .v4 = {127, 84, 9, 2}};
		records[i].at[VIEW_CONTAINER] = (struct address){.has4 = 1, .has6 = 1, .v4 = {10, 84, 9, 7}, .v6 = {0xfd}};
	}
	zone_add(&zone, &q, &records[i]);
}

static void
prepare(void)
{
	static const struct address at[VIEWS] = {{.has4 = 1, .v4 = {127, 84, 9, 1}},
		{.has4 = 1, .has6 = 1, .v4 = {10, 84, 9, 1}, .v6 = {0xfd, 1}}};
	static const uint16_t https[VIEWS] = {8443, 443};
	struct cx_err e;

	if (zone_init(&zone, "test", at, https, &e) < 0)
		abort();
	add(0, "web.a.test", 1, 1);
	add(1, "www.b.c.test", 1, 1);
	add(2, "db.a.test", 0, 0);
	add(3, "*.star.test", 1, 1);
	add(4, "gone.d.test", 1, 1);
	add(5, "*.gone.test", 0, 0);
	zone_remove(&zone, &records[4]);
	zone_remove(&zone, &records[5]);
	if (zone.nodes != 10)
		abort();
}

/* libknot is the judge: every record of the answer parses, nothing is left over, and EDNS is answered by EDNS. */
static void
check(const uint8_t *in, const struct query *q, uint8_t *out, size_t len, int bare)
{
	knot_pkt_t *p = knot_pkt_new(out, (uint16_t)len, NULL);

	if (!p || len < HEADER || memcmp(out, in, 2) != 0 || !knot_wire_get_qr(out))
		abort();
	if (knot_pkt_parse(p, 0) != KNOT_EOK || p->parsed != len)
		abort();
	if (bare ? len != HEADER : (p->opt_rr != NULL) != q->a.edns)
		abort();
	if (!bare && memcmp(in + HEADER, out + HEADER, q->question) != 0)
		abort(); /* the case too */
	if (knot_wire_get_z(out) || knot_wire_get_tc(out))
		abort();
	knot_pkt_free(p);
}

static void
ask(const uint8_t *in, size_t n, enum view view, int tcp)
{
	static uint8_t out[PAYLOAD];
	struct query q;
	int rcode;

	memset(&q.a.from, 0, sizeof(q.a.from));
	q.a.tcp = (uint8_t)tcp;
	rcode = query_read(&q, in, n);
	if (rcode < 0)
		return;
	if (rcode > 0) {
		check(in, &q, out, answer_bare(in, (uint8_t)rcode, out), 1);
		return;
	}
	if (q.a.limit < 512 || q.a.limit > PAYLOAD || HEADER + (size_t)q.question > n)
		abort();
	if (answer_refusal(&q) >= 0)
		check(in, &q, out, answer_error(&answerer, &q, (uint16_t)answer_refusal(&q), out), 0);
	else if (zone_holds(&zone, &q)) {
		size_t len = answer_zone(&answerer, &zone, view, &q, out);

		if (len > q.a.limit || !knot_wire_get_aa(out))
			abort();
		check(in, &q, out, len, 0);
	} else {
		check(in, &q, out, answer_error(&answerer, &q, KNOT_RCODE_SERVFAIL, out), 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (!zone.bucket)
		prepare();
	ask(data, n, VIEW_HOST, 0);
	ask(data, n, VIEW_CONTAINER, 1);
	return 0;
}
