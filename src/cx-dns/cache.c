#include "cache.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void
cache_init(struct cache *c)
{
	memset(c, 0, sizeof(*c));
	c->newest.older = c->newest.newer = &c->newest;
	while (getrandom(&c->seed, sizeof(c->seed), 0) != (ssize_t)sizeof(c->seed))
		;
}

static void
unlink_age(struct entry *e)
{
	e->newer->older = e->older;
	e->older->newer = e->newer;
}

static void
touch(struct cache *c, struct entry *e)
{
	e->older = c->newest.older;
	e->newer = &c->newest;
	e->older->newer = e;
	c->newest.older = e;
}

static struct entry **
place(struct cache *c, uint32_t hash, const uint8_t *key, size_t n)
{
	struct entry **p = &c->bucket[hash % CACHE_BUCKETS];

	while (*p && ((*p)->hash != hash || (*p)->key_n != n || memcmp((*p)->key, key, n) != 0))
		p = &(*p)->chain;
	return p;
}

static void
drop(struct cache *c, struct entry **p)
{
	struct entry *e = *p;

	*p = e->chain;
	unlink_age(e);
	c->entries--;
	c->bytes -= e->size;
	free(e);
}

const struct entry *
cache_find(struct cache *c, const struct key *k, uint32_t now)
{
	struct entry **p = place(c, k->hash, k->p, k->n), *e = *p;

	if (!e)
		return NULL;
	if (now - e->stored >= e->life) {
		drop(c, p);
		return NULL;
	}
	unlink_age(e);
	touch(c, e);
	return e;
}

void
cache_put(struct cache *c, struct entry *e)
{
	struct entry **p = place(c, e->hash, e->key, e->key_n);

	if (*p)
		drop(c, p);
	while (c->entries >= CACHE_ENTRIES || (c->entries > 0 && c->bytes + e->size > CACHE_BYTES)) {
		struct entry *oldest = c->newest.newer;

		p = place(c, oldest->hash, oldest->key, oldest->key_n);
		if (!*p)
			abort(); /* what is in the ring is in the table */
		drop(c, p);
	}
	p = &c->bucket[e->hash % CACHE_BUCKETS];
	e->chain = *p;
	*p = e;
	touch(c, e);
	c->entries++;
	c->bytes += e->size;
}

void
cache_clear(struct cache *c)
{
	for (size_t i = 0; i < CACHE_BUCKETS; i++)
		while (c->bucket[i])
			drop(c, &c->bucket[i]);
}
