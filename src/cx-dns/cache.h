/*
 * What resolvers answered, for as long as it lives (RFC 2308): a bounded table
 * of replies as bytes. The least recently used one makes room.
 *
 *	key_make(&k, &q, c.seed);
 *	const struct entry *e = cache_find(&c, &k, now);
 *	if (e)
 *		n = entry_answer(e, now, w, &q.a, q.wire + HEADER, out);
 */
#ifndef CACHE_H
#define CACHE_H

#include "answer.h"

#define CACHE_ENTRIES 8192
#define CACHE_BYTES ((size_t)8 << 20)
#define CACHE_BUCKETS 8192
#define ENTRY_MAX 4096 /* bytes of a reply that is kept */
#define TTLS_MAX 128 /* and its records */
#define TTL_MAX 86400U
#define NEGATIVE_MAX 60U /* someone who waits for a name does not wait long */
#define FAILURE_SECONDS 1U /* RFC 9520, 3.2 */

/* Question in lower case, and those bits of a query that change its answer. */
struct key {
	uint32_t hash;
	uint16_t n;
	uint8_t p[QUESTION_MAX + 1];
};

/* A reply of a resolver, read: records within bounds, counted, OPT and what follows it left out. */
struct reply {
	uint8_t *p;
	size_t n;
	uint16_t count[3], rcode; /* with EDNS's bits */
	uint8_t tc, ad;
	uint32_t life; /* seconds to keep it; 0: not at all */
	uint16_t ttls, ttl_at[TTLS_MAX];
};

struct entry {
	struct entry *chain, *older, *newer;
	uint32_t hash, stored, life;
	size_t size;
	uint16_t key_n, ttls, rcode, question;
	uint8_t ad, counts[6];
	uint32_t n; /* bytes behind the question */
	uint8_t *key, *body; /* within bytes */
	uint16_t *ttl_at; /* within body */
	/* what they point to follows */
};

struct cache {
	struct entry *bucket[CACHE_BUCKETS];
	struct entry newest; /* ring */
	size_t entries, bytes;
	uint32_t seed;
};

void key_make(struct key *k, const struct query *q, uint32_t seed);
/* 0, or -1 when it is malformed. question: the bytes of name, type and class, which were compared. TTLs are bounded in
 * p. */
int reply_read(struct reply *r, uint8_t *p, size_t n, size_t question);
/* Owned by the caller until cache_put; freed with free(). now: seconds. */
struct entry *entry_make(const struct key *k, const struct reply *r, uint32_t now);
/* An entry without records, for failures. */
struct entry *entry_failure(const struct key *k, uint16_t rcode, uint32_t now);
/* The answer for this asker; question as it wrote it. out holds answer_max(a) bytes. */
size_t entry_answer(const struct entry *e, uint32_t now, const struct answerer *w, const struct asker *a,
	const uint8_t *question, uint8_t *out);

void cache_init(struct cache *c);
const struct entry *cache_find(struct cache *c, const struct key *k, uint32_t now);
/* Takes the entry; it lives until the next cache_put or cache_clear at least. */
void cache_put(struct cache *c, struct entry *e);
void cache_clear(struct cache *c);

#endif
