#include "zone.h"
#include <arpa/inet.h>
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/json.h>
#include <cx/spool.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NEGATIVE_TTL 5

struct record {
	knot_dname_t *name;
	uint8_t has[VIEWS], below, address[VIEWS][4];
};

struct app {
	char *file;
	struct record *r;
	size_t n;
};

static uint32_t
hash(const uint8_t *p, size_t n)
{
	uint32_t h = 2166136261U;

	while (n--)
		h = (h ^ *p++) * 16777619U;
	return h ^ h >> 15;
}

static struct node *
slot(const struct zone *z, const knot_dname_t *name)
{
	size_t len = knot_dname_size(name);
	uint32_t h = hash(name, len);
	size_t i = h & (z->cap - 1);

	while (z->node[i].name && (z->node[i].hash != h || knot_dname_size(z->node[i].name) != len ||
					  memcmp(z->node[i].name, name, len) != 0))
		i = (i + 1) & (z->cap - 1);
	return &z->node[i];
}

static size_t
put_soa(struct zone *z)
{
	static const uint8_t mbox[] = "\012hostmaster";
	uint32_t v[5] = {htonl(z->serial), htonl(3600), htonl(600), htonl(86400), htonl(NEGATIVE_TTL)};
	size_t n = knot_dname_size(z->ns);

	memcpy(z->soa, z->ns, n);
	memcpy(z->soa + n, mbox, sizeof(mbox) - 1);
	n += sizeof(mbox) - 1;
	memcpy(z->soa + n, z->apex, knot_dname_size(z->apex));
	n += knot_dname_size(z->apex);
	memcpy(z->soa + n, v, sizeof(v));
	return n + sizeof(v);
}

int
zone_init(struct zone *z, const char *domain, const uint8_t answer[VIEWS][4], struct cx_err *e)
{
	memset(z, 0, sizeof(*z));
	/* 20 bytes are left for ns. and hostmaster. in front of it. */
	if (!*domain || !knot_dname_from_str(z->apex, domain, sizeof(z->apex) - 20) || !*z->apex)
		return cx_err_set(e, CX_BAD, "\"%s\" is no domain", domain);
	knot_dname_to_lower(z->apex);
	z->apex_labels = knot_dname_labels(z->apex, NULL);
	memcpy(z->ns, "\002ns", 3);
	memcpy(z->ns + 3, z->apex, knot_dname_size(z->apex));
	z->ns_len = (uint16_t)knot_dname_size(z->ns);
	memcpy(z->nsdata, z->ns, z->ns_len);
	memcpy(z->answer, answer, sizeof(z->answer));
	z->serial = (uint32_t)time(NULL);
	z->soa_len = (uint16_t)put_soa(z);
	zone_build(z);
	return 0;
}

static void
forget(struct app *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->r[i].name);
	free(a->r);
	free(a->file);
	memset(a, 0, sizeof(*a));
}

static void
free_nodes(struct zone *z)
{
	for (size_t i = 0; i < z->cap; i++)
		free(z->node[i].name);
	free(z->node);
	z->node = NULL;
	z->n = z->cap = 0;
}

void
zone_free(struct zone *z)
{
	free_nodes(z);
	for (size_t i = 0; i < z->apps; i++)
		forget(&z->app[i]);
	free(z->app);
	z->app = NULL;
	z->apps = 0;
}

int
zone_holds(const struct zone *z, const knot_dname_t *name)
{
	return knot_dname_in_bailiwick(name, z->apex) >= 0;
}

static void
add(struct app *a, const struct zone *z, const char *host, int below, const uint8_t *in_host,
	const uint8_t *in_container)
{
	knot_dname_storage_t name;
	struct record *r;

	if (!host || !knot_dname_from_str(name, host, sizeof(name)))
		return;
	knot_dname_to_lower(name);
	if (!zone_holds(z, name))
		return;
	a->r = realloc(a->r, (a->n + 1) * sizeof(*a->r));
	if (!a->r)
		exit(CX_SYS);
	r = &a->r[a->n++];
	memset(r, 0, sizeof(*r));
	r->name = cx_alloc(knot_dname_size(name));
	memcpy(r->name, name, knot_dname_size(name));
	r->below = (uint8_t)(below && knot_dname_labels(name, NULL) > z->apex_labels);
	if (in_host) {
		r->has[VIEW_HOST] = 1;
		memcpy(r->address[VIEW_HOST], in_host, 4);
	}
	if (in_container) {
		r->has[VIEW_CONTAINER] = 1;
		memcpy(r->address[VIEW_CONTAINER], in_container, 4);
	}
}

static const uint8_t *
address(const json_t *o, uint8_t buf[4])
{
	const char *s = cx_json_str(o, "address");

	return s && inet_pton(AF_INET, s, buf) == 1 ? buf : NULL;
}

static void
take(struct app *a, const struct zone *z, const json_t *routes)
{
	const json_t *o, *h;
	size_t i, k;
	uint8_t at[4], in[4];

	json_array_foreach (json_object_get(routes, "services"), i, o) {
		json_array_foreach (json_object_get(o, "hosts"), k, h)
			add(a, z, json_string_value(h), 1, z->answer[VIEW_HOST], z->answer[VIEW_CONTAINER]);
	}
	json_array_foreach (json_object_get(routes, "resources"), i, o) {
		const json_t *first = json_array_get(json_object_get(o, "backends"), 0);

		add(a, z, cx_json_str(o, "host"), 0, address(o, at), address(first, in));
	}
}

/* Where the app's file is, or would be, in the sorted list. */
static size_t
place(const struct zone *z, const char *file, int *there)
{
	size_t lo = 0, hi = z->apps;

	*there = 0;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = strcmp(z->app[mid].file, file);

		if (c == 0) {
			*there = 1;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void
drop(struct zone *z, size_t at)
{
	forget(&z->app[at]);
	memmove(z->app + at, z->app + at + 1, (z->apps - at - 1) * sizeof(*z->app));
	z->apps--;
}

void
zone_load(struct zone *z, int dir, const char *name)
{
	struct cx_err e = {0};
	size_t len = strlen(name), at;
	struct app a = {0};
	int there;

	if (*name == '.' || len < 6 || strcmp(name + len - 5, ".json") != 0)
		return;
	CX_JSON json_t *routes = cx_json_load(dir, name, &e);
	if (!routes && e.cls != CX_NO) {
		/* What was known stays: half a rack is worse than an old one. */
		(void)cx_err_report(&e, "cx-dns");
		return;
	}
	at = place(z, name, &there);
	if (there)
		drop(z, at);
	if (!routes)
		return;
	take(&a, z, routes);
	a.file = cx_strdup(name);
	z->app = realloc(z->app, (z->apps + 1) * sizeof(*z->app));
	if (!z->app)
		exit(CX_SYS);
	memmove(z->app + at + 1, z->app + at, (z->apps - at) * sizeof(*z->app));
	z->app[at] = a;
	z->apps++;
}

void
zone_load_all(struct zone *z, int dir)
{
	struct cx_err e = {0};
	CX_JSON json_t *names = cx_spool_list(dir, ".", &e);
	const json_t *name;
	size_t i;

	if (!names) {
		(void)cx_err_report(&e, "cx-dns");
		return;
	}
	for (i = z->apps; i-- > 0;)
		if (faccessat(dir, z->app[i].file, F_OK, 0) < 0 && errno == ENOENT)
			drop(z, i);
	json_array_foreach (names, i, name)
		zone_load(z, dir, json_string_value(name));
	zone_build(z);
}

/* The node of a name and, empty, those between it and the apex. */
static struct node *
make(struct zone *z, const knot_dname_t *name)
{
	struct node *first = NULL;

	for (const knot_dname_t *p = name; zone_holds(z, p); p += *p + 1) {
		struct node *s = slot(z, p);
		size_t len = knot_dname_size(p);

		if (!first)
			first = s;
		if (s->name)
			break;
		s->name = cx_alloc(len);
		memcpy(s->name, p, len);
		s->hash = hash(p, len);
		z->n++;
	}
	return first;
}

static void
put(struct zone *z, const struct record *r)
{
	struct node *s = make(z, r->name);

	/* Two apps, one name: the first keeps it. */
	if (s->has[VIEW_HOST] || s->has[VIEW_CONTAINER])
		return;
	memcpy(s->has, r->has, sizeof(s->has));
	memcpy(s->address, r->address, sizeof(s->address));
	s->below = r->below;
}

void
zone_build(struct zone *z)
{
	struct record ns = {.name = z->ns, .has = {1, 1}};
	size_t labels = 4;

	free_nodes(z);
	for (size_t i = 0; i < z->apps; i++)
		for (size_t k = 0; k < z->app[i].n; k++)
			labels += knot_dname_labels(z->app[i].r[k].name, NULL);
	for (z->cap = 64; z->cap < labels * 2; z->cap *= 2)
		;
	z->node = calloc(z->cap, sizeof(*z->node));
	if (!z->node)
		exit(CX_SYS);
	memcpy(ns.address, z->answer, sizeof(ns.address));
	put(z, &ns);
	for (size_t i = 0; i < z->apps; i++)
		for (size_t k = 0; k < z->app[i].n; k++)
			put(z, &z->app[i].r[k]);
	z->serial++;
	z->soa_len = (uint16_t)put_soa(z);
}

const struct node *
zone_find(const struct zone *z, const knot_dname_t *name, int *exists)
{
	const knot_dname_t *p = name;

	*exists = 0;
	for (; knot_dname_labels(p, NULL) >= z->apex_labels; p += *p + 1) {
		const struct node *s = slot(z, p);

		if (!s->name)
			continue;
		*exists = p == name;
		return p == name || s->below ? s : NULL;
	}
	return NULL;
}
