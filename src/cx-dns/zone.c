#include "zone.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define BUCKETS_MIN 1024

uint32_t
zone_hash(uint32_t h, const uint8_t *p, size_t n)
{
	while (n--)
		h = (h ^ *p++) * 16777619U;
	return h;
}

static size_t
slot(uint32_t h, size_t buckets)
{
	return (h ^ h >> 15) & (buckets - 1);
}

/* From the right, so that each name's hash goes on from that of the name above it. hash[i] is that of the name at label
 * i. */
static void
hashes(const struct zone *z, const struct query *q, uint32_t hash[KNOT_DNAME_MAXLABELS + 1])
{
	int i = q->labels - z->apex_labels;

	hash[i] = z->apex_hash;
	for (; i > 0; i--) {
		const uint8_t *label = q->name + q->label[i - 1];

		hash[i - 1] = zone_hash(hash[i], label, *label + 1U);
	}
}

static struct node *
look(const struct zone *z, const uint8_t *name, size_t len, uint32_t hash)
{
	struct node *n = z->bucket[slot(hash, z->buckets)];

	while (n && (n->hash != hash || n->len != len || memcmp(n->name, name, len) != 0))
		n = n->chain;
	return n;
}

int
zone_holds(const struct zone *z, const struct query *q)
{
	size_t at;

	if (q->labels < z->apex_labels)
		return 0;
	at = q->label[q->labels - z->apex_labels];
	return q->name_len - at == z->apex_len && memcmp(q->name + at, z->apex, z->apex_len) == 0;
}

const struct node *
zone_find(const struct zone *z, const struct query *q, int *exists)
{
	uint32_t hash[KNOT_DNAME_MAXLABELS + 1];
	int top = q->labels - z->apex_labels;

	hashes(z, q, hash);
	*exists = 0;
	for (int i = 0; i <= top; i++) {
		const struct node *n = look(z, q->name + q->label[i], q->name_len - q->label[i], hash[i]);

		if (!n)
			continue;
		if (i == 0)
			*exists = 1;
		if (i == 0 || (n->records && n->records->below))
			return n;
		return n->star; /* the closest encloser (RFC 4592, 3.3.1) */
	}
	return NULL;
}

const struct address *
zone_address(const struct zone *z, const struct node *n, enum view view)
{
	return n->records->service ? &z->at[view] : &n->records->at[view];
}

static void
grow(struct zone *z)
{
	size_t more = z->buckets ? z->buckets * 2 : BUCKETS_MIN;
	struct node **bucket = calloc(more, sizeof(*bucket)), *next;

	if (!bucket)
		exit(CX_SYS);
	for (size_t i = 0; i < z->buckets; i++)
		for (struct node *n = z->bucket[i]; n; n = next) {
			struct node **p = &bucket[slot(n->hash, more)];

			next = n->chain;
			n->chain = *p;
			*p = n;
		}
	free(z->bucket);
	z->bucket = bucket;
	z->buckets = more;
}

static struct node *
make(struct zone *z, const uint8_t *name, size_t len, uint32_t hash)
{
	struct node *n = look(z, name, len, hash), **p;

	if (n)
		return n;
	if (z->nodes >= z->buckets)
		grow(z);
	n = cx_alloc(sizeof(*n) + len);
	n->hash = hash;
	n->len = (uint8_t)len;
	memcpy(n->name, name, len);
	p = &z->bucket[slot(hash, z->buckets)];
	n->chain = *p;
	*p = n;
	z->nodes++;
	return n;
}

static void
unmake(struct zone *z, struct node *n)
{
	struct node **p = &z->bucket[slot(n->hash, z->buckets)];

	while (*p != n)
		p = &(*p)->chain;
	*p = n->chain;
	z->nodes--;
	free(n);
}

void
zone_add(struct zone *z, const struct query *q, struct record *r)
{
	uint32_t hash[KNOT_DNAME_MAXLABELS + 1];
	struct node *first;
	struct record **p;

	hashes(z, q, hash);
	first = make(z, q->name, q->name_len, hash[0]);
	first->refs++;
	for (int i = 1; i <= q->labels - z->apex_labels; i++) {
		struct node *n = make(z, q->name + q->label[i], q->name_len - q->label[i], hash[i]);

		n->refs++;
		if (i == 1 && q->name[0] == 1 && q->name[1] == '*')
			n->star = first;
	}
	for (p = &first->records; *p && strcmp((*p)->file, r->file) <= 0; p = &(*p)->next)
		;
	r->next = *p;
	r->node = first;
	*p = r;
	z->serial++;
}

void
zone_remove(struct zone *z, struct record *r)
{
	uint32_t hash[KNOT_DNAME_MAXLABELS + 1];
	struct node *n[KNOT_DNAME_MAXLABELS + 1];
	struct record **p = &r->node->records;
	struct query q;
	int top;

	while (*p != r)
		p = &(*p)->next;
	*p = r->next;
	(void)query_name(&q, r->node->name, r->node->len);
	hashes(z, &q, hash);
	top = q.labels - z->apex_labels;
	for (int i = 0; i <= top; i++)
		n[i] = look(z, q.name + q.label[i], q.name_len - q.label[i], hash[i]);
	if (top > 0 && n[0]->refs == 1 && n[1]->star == n[0])
		n[1]->star = NULL;
	for (int i = 0; i <= top; i++)
		if (--n[i]->refs == 0)
			unmake(z, n[i]);
	z->serial++;
}

int
zone_name(const struct zone *z, const char *host, struct query *q)
{
	knot_dname_storage_t name;

	return knot_dname_from_str(name, host, sizeof(name)) && query_name(q, name, sizeof(name)) > 0 &&
	       zone_holds(z, q);
}

int
zone_init(struct zone *z, const char *domain, const struct address at[VIEWS], const uint16_t https[VIEWS],
	struct cx_err *e)
{
	knot_dname_storage_t name;
	struct query q;

	memset(z, 0, sizeof(*z));
	/* 20 bytes are left for ns. and hostmaster. in front of it. */
	if (!*domain || !knot_dname_from_str(name, domain, sizeof(name) - 20) || !*name)
		return cx_err_set(e, CX_BAD, "\"%.80s\" is no domain", domain);
	z->apex_len = (uint8_t)query_name(&q, name, sizeof(name));
	z->apex_labels = q.labels;
	memcpy(z->apex, q.name, z->apex_len);
	if (getrandom(&z->seed, sizeof(z->seed), 0) != (ssize_t)sizeof(z->seed))
		return cx_err_sys(e, "random numbers");
	z->apex_hash = zone_hash(z->seed, z->apex, z->apex_len);
	memcpy(z->at, at, sizeof(z->at));
	memcpy(z->https, https, sizeof(z->https));
	z->serial = (uint32_t)time(NULL);
	grow(z);
	z->self.file = z->ns.file = "";
	z->ns.service = 1;
	zone_add(z, &q, &z->self);
	name[0] = 2;
	name[1] = 'n';
	name[2] = 's';
	memcpy(name + 3, z->apex, z->apex_len);
	(void)query_name(&q, name, sizeof(name));
	zone_add(z, &q, &z->ns);
	return 0;
}
