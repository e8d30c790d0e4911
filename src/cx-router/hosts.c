#include "hosts.h"
#include <cx/buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A host name of a service in the table. */
struct entry {
	struct entry *next; /* of its host: longest path first, then by file */
	struct host *host;
	struct service *service;
	const char *file;
	int below; /* stood as "*.name": the name itself is not meant */
};

struct host {
	struct host *next;
	size_t hash;
	struct entry *entries;
	char name[]; /* lower case, without "*." */
};

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
}

static size_t
hash(const char *p, size_t n)
{
	size_t h = 5381;

	for (size_t i = 0; i < n; i++)
		h = h * 33 + (unsigned char)lower(p[i]);
	return h ^ h >> 15;
}

void
hosts_init(struct hosts *t)
{
	t->mask = 63;
	t->n = 0;
	t->buckets = cx_alloc((t->mask + 1) * sizeof(struct host *));
}

static struct host *
look_up(const struct hosts *t, const char *p, size_t n)
{
	size_t h = hash(p, n);

	for (struct host *host = t->buckets[h & t->mask]; host; host = host->next)
		if (host->hash == h && strlen(host->name) == n && strncasecmp(host->name, p, n) == 0)
			return host;
	return NULL;
}

static void
grow(struct hosts *t)
{
	size_t mask = t->mask * 2 + 1;
	struct host **buckets = cx_alloc((mask + 1) * sizeof(struct host *));

	for (size_t i = 0; i <= t->mask; i++)
		for (struct host *h = t->buckets[i], *next; h; h = next) {
			next = h->next;
			h->next = buckets[h->hash & mask];
			buckets[h->hash & mask] = h;
		}
	free(t->buckets);
	t->buckets = buckets;
	t->mask = mask;
}

static struct host *
get_host(struct hosts *t, const char *name)
{
	size_t n = strlen(name);
	struct host *h = look_up(t, name, n);

	if (h)
		return h;
	if (t->n > t->mask)
		grow(t);
	h = cx_alloc(sizeof(*h) + n + 1);
	for (size_t i = 0; i < n; i++)
		h->name[i] = lower(name[i]);
	h->hash = hash(name, n);
	h->next = t->buckets[h->hash & t->mask];
	t->buckets[h->hash & t->mask] = h;
	t->n++;
	return h;
}

static size_t
path_length(const struct service *s)
{
	return s->path ? strlen(s->path) : 0;
}

/* Whether a stands before b. */
static int
before(const struct entry *a, const struct entry *b)
{
	size_t x = path_length(a->service), y = path_length(b->service);

	return x != y ? x > y : strcmp(a->file, b->file) < 0;
}

static int
same_rule(const struct entry *a, const struct entry *b)
{
	return a->below == b->below && path_length(a->service) == path_length(b->service) &&
	       (!a->service->path || strcmp(a->service->path, b->service->path) == 0);
}

struct entry *
hosts_add(struct hosts *t, const char *file, struct service *s, const char *name)
{
	struct entry *e = cx_alloc(sizeof(*e)), **p;

	e->below = name[0] == '*';
	e->host = get_host(t, name[0] != '*' ? name : name[1] ? name + 2 : "");
	e->service = s;
	e->file = file;
	for (p = &e->host->entries; *p && before(*p, e); p = &(*p)->next)
		;
	/* Behind those of the same file and path: the first of a file has it. */
	for (; *p && !before(e, *p); p = &(*p)->next)
		;
	e->next = *p;
	*p = e;
	for (const struct entry *o = e->host->entries; o; o = o->next)
		if (o != e && strcmp(o->file, file) != 0 && same_rule(o, e))
			(void)fprintf(stderr, "cx-router: %s%s is in routes/%s and in routes/%s: the first has it\n",
				name, s->path ? s->path : "", before(o, e) ? o->file : file,
				before(o, e) ? file : o->file);
	return e;
}

void
hosts_drop(struct hosts *t, struct entry *e)
{
	struct host *h = e->host, **at;
	struct entry **p = &h->entries;

	while (*p != e)
		p = &(*p)->next;
	*p = e->next;
	free(e);
	if (h->entries)
		return;
	for (at = &t->buckets[h->hash & t->mask]; *at != h; at = &(*at)->next)
		;
	*at = h->next;
	free(h);
	t->n--;
}

/* "/api" is a prefix of "/api", "/api/x" and "/api?q", not of "/apix". */
static int
path_matches(const struct service *s, struct span path)
{
	size_t n = path_length(s);

	if (n == 0)
		return 1;
	return path.n >= n && memcmp(path.p, s->path, n) == 0 && (path.n == n || path.p[n] == '/' || path.p[n] == '?');
}

static struct service *
choose(const struct host *h, struct span path, int exact)
{
	/* Below a name, "*.name" was meant for it before the name itself is. */
	for (int below = !exact; below >= 0; below--)
		for (const struct entry *e = h->entries; e; e = e->next)
			if (e->below == below && path_matches(e->service, path))
				return e->service;
	return NULL;
}

struct service *
hosts_find(const struct hosts *t, struct span host, struct span path)
{
	const char *p = host.p, *end = host.p + host.n;
	struct service *s = NULL;
	struct host *h;

	while (!s && p && p < end) {
		h = look_up(t, p, (size_t)(end - p));
		s = h ? choose(h, path, p == host.p) : NULL;
		p = memchr(p, '.', (size_t)(end - p));
		p = p ? p + 1 : NULL;
	}
	if (!s && (h = look_up(t, "", 0)) != NULL)
		s = choose(h, path, 0);
	return s;
}

int
hosts_has(const struct hosts *t, const char *name)
{
	return look_up(t, name, strlen(name)) != NULL;
}
