/* LINK: src/cx-dns/query.c src/cx-dns/answer.c src/cx-dns/zone.c src/cx-dns/reply.c src/cx-dns/cache.c PKG: libknot */
/*
 * Any bytes behind a header and question as a resolver's reply: read, kept, found again, aged, and answered from within
 * the asker's bounds, to one with EDNS and one without, by UDP and by TCP. Two more bytes choose the rcode and the age.
 */
#include "cache.h"
#include <stdlib.h>
#include <string.h>

static struct cache cache;

static void
answer_all(const struct entry *e, uint32_t now, const struct query *asked)
{
	static const struct answerer w = {.time = 1};
	static uint8_t out[KNOT_WIRE_MAX_PKTSIZE];

	for (int i = 0; i < 4; i++) {
		struct asker a = asked->a;
		uint8_t *room;
		size_t len;

		a.edns = i & 1;
		a.has_cookie = i & 1;
		a.tcp = i >> 1 & 1;
		a.limit = a.edns ? PAYLOAD : 512;
		len = entry_answer(e, now, &w, &a, asked->wire + HEADER, out);
		/* Once more into what is just large enough, for the sanitizer to see. */
		room = malloc(len);
		if (!room || len > answer_max(&a) || len < HEADER + asked->question)
			abort();
		(void)entry_answer(e, now, &w, &a, asked->wire + HEADER, room);
		if (memcmp(room, out, len) != 0 || !(room[2] & 0x80) || room[5] != 1 || (room[2] & 4))
			abort();
		free(room);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint8_t query[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\003WwW\007example\x00\x00\x01\x00\x01";
	static uint8_t in[KNOT_WIRE_MAX_PKTSIZE];
	static uint32_t now = 1000;
	const struct entry *found;
	struct reply r;
	struct query q;
	struct key k;
	size_t len = sizeof(query) - 1;

	if (!cache.newest.older)
		cache_init(&cache);
	if (n < 10 || n > sizeof(in) - len)
		return 0;
	q.a.tcp = 0;
	if (query_read(&q, query, sizeof(query) - 1) != 0)
		abort();
	q.a.rd = data[9] & 1; /* two keys */
	key_make(&k, &q, cache.seed);
	memcpy(in, query, len);
	in[2] = (uint8_t)(data[0] | 0x80);
	in[3] = data[1];
	memcpy(in + 6, data + 2, 6);
	memcpy(in + len, data + 10, n - 10);
	len += n - 10;
	if (reply_read(&r, in, len, q.question) < 0)
		return 0;
	if (r.n > len || r.life > TTL_MAX)
		abort();
	struct entry *e = entry_make(&k, &r, now);
	answer_all(e, now, &q);
	if (e->life == 0) {
		free(e);
		return 0;
	}
	cache_put(&cache, e);
	now += data[8];
	found = cache_find(&cache, &k, now);
	if ((found != NULL) != (data[8] < r.life))
		abort();
	if (found)
		answer_all(found, now, &q);
	return 0;
}
