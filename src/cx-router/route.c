#include "route.h"
#include "router.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/json.h>
#include <cx/own.h>
#include <cx/spool.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct host {
	struct host *next;
	char *name; /* lower case */
	struct service *service;
};

/* The routes of one file, kept when a later version of it is broken. */
struct file {
	char *name;
	json_t *json;
	struct stat st; /* of what was read: an unchanged file is not read again */
};

struct table {
	struct host **buckets;
	size_t mask, hosts;
	struct tcp_route *tcp;
	size_t tcps;
	struct file *files;
	size_t n;
};

static size_t
hash(const char *p, size_t n)
{
	size_t h = 5381;

	for (size_t i = 0; i < n; i++)
		h = h * 33 + (unsigned char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] | 32 : p[i]);
	return h;
}

void
service_unref(struct service *s)
{
	if (!s || --s->refs)
		return;
	for (size_t i = 0; i < s->n; i++)
		endpoint_unref(s->backends[i].endpoint);
	free(s->app);
	free(s->name);
	free(s->state);
	free(s->reason);
	free(s->hint);
	free(s->backends);
	free(s);
}

static char *
copy(const json_t *o, const char *key)
{
	const char *s = cx_json_str(o, key);

	return s ? cx_strdup(s) : NULL;
}

static struct service *
make_service(const char *app, const json_t *j)
{
	struct service *s = cx_alloc(sizeof(*s));
	const json_t *list = json_object_get(j, "backends"), *b;
	size_t i;

	s->refs = 1;
	s->app = cx_strdup(app);
	s->name = cx_strdup(cx_json_strd(j, "name", "?"));
	s->state = copy(j, "state");
	s->reason = copy(j, "reason");
	s->hint = copy(j, "hint");
	s->https = strcmp(cx_json_strd(j, "scheme", "http"), "https") == 0;
	s->timeout = (long)cx_json_int(j, "timeout", 60);
	s->backends = cx_alloc((json_array_size(list) + 1) * sizeof(*s->backends));
	json_array_foreach ((json_t *)list, i, b) {
		long long port = cx_json_int(b, "port", 0);
		struct backend *k = &s->backends[s->n];

		if (port < 1 || port > 65535)
			continue;
		(void)snprintf(k->address, sizeof(k->address), "%s", cx_json_strd(b, "address", ""));
		(void)snprintf(k->process, sizeof(k->process), "%s", cx_json_strd(b, "process", ""));
		k->port = (unsigned short)port;
		k->endpoint = endpoint_get(k->address, k->port);
		s->n++;
	}
	return s;
}

static void
add_host(struct table *t, const char *name, struct service *s)
{
	size_t i = hash(name, strlen(name)) & t->mask;
	struct host *h = cx_alloc(sizeof(*h));

	h->name = cx_strdup(name);
	for (char *p = h->name; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p | 32) : *p;
	h->service = s;
	s->refs++;
	h->next = t->buckets[i];
	t->buckets[i] = h;
	t->hosts++;
}

static void
add_services(struct table *t, const char *app, const json_t *route)
{
	size_t i, k;
	json_t *j, *host;

	json_array_foreach (json_object_get(route, "services"), i, j) {
		struct service *s = make_service(app, j);

		json_array_foreach (json_object_get(j, "hosts"), k, host)
			if (json_is_string(host))
				add_host(t, json_string_value(host), s);
		service_unref(s);
	}
}

static void
add_resources(struct table *t, const char *app, const json_t *route)
{
	const json_t *list = json_object_get(route, "resources");
	size_t i;
	json_t *j;

	json_array_foreach ((json_t *)list, i, j) {
		long long port = cx_json_int(j, "port", 0);
		struct tcp_route *r;

		if (!cx_json_str(j, "address") || port < 1 || port > 65535)
			continue;
		r = realloc(t->tcp, (t->tcps + 1) * sizeof(*r));
		if (!r)
			abort();
		t->tcp = r;
		r += t->tcps++;
		(void)snprintf(r->address, sizeof(r->address), "%s", cx_json_str(j, "address"));
		r->port = (unsigned short)port;
		r->service = make_service(app, j);
	}
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

/* Both lists are sorted, as cx_spool_list() gives them. */
static const struct file *
old_file(const struct table *old, char *name)
{
	struct file key = {.name = name};

	return old && old->n ? bsearch(&key, old->files, old->n, sizeof(key), by_name) : NULL;
}

static int
unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void
read_file(struct table *t, int dir, const char *name, const struct table *old)
{
	struct file f = {.name = cx_strdup(name)};
	const struct file *was = old_file(old, f.name);
	size_t n = strlen(name);
	struct cx_err e;

	if (n > 5 && strcmp(name + n - 5, ".json") == 0 && fstatat(dir, name, &f.st, 0) == 0) {
		if (was && unchanged(&was->st, &f.st))
			f.json = json_incref(was->json);
		else if (!(f.json = cx_json_load(dir, name, &e)) && e.cls != CX_NO) { /* CX_NO: gone just now */
			(void)fprintf(stderr, "cx-router: routes/%s is not used: %s\n", name, e.text);
			f.json = was ? json_incref(was->json) : NULL;
		}
	}
	if (f.json)
		t->files[t->n++] = f;
	else
		free(f.name);
}

struct table *
table_load(const char *dir, struct table *old)
{
	struct table *t = cx_alloc(sizeof(*t));
	CX_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct cx_err e;
	CX_JSON json_t *names = fd < 0 ? NULL : cx_spool_list(fd, ".", &e);
	size_t i, want = 16;
	json_t *v;

	if (!names)
		(void)fprintf(stderr, "cx-router: the folder %s cannot be read: %s\n", dir,
			fd < 0 ? strerror(errno) : e.text);
	t->files = cx_alloc((json_array_size(names) + 1) * sizeof(*t->files));
	json_array_foreach (names, i, v)
		read_file(t, fd, json_string_value(v), old);
	for (i = 0; i < t->n; i++)
		want += json_array_size(json_object_get(t->files[i].json, "services")) * 2;
	t->mask = 1;
	while (t->mask < want)
		t->mask *= 2;
	t->buckets = cx_alloc(t->mask * sizeof(*t->buckets));
	t->mask--;
	for (i = 0; i < t->n; i++) {
		const char *app = cx_json_strd(t->files[i].json, "app", "?");

		add_services(t, app, t->files[i].json);
		add_resources(t, app, t->files[i].json);
	}
	return t;
}

void
table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i <= t->mask; i++)
		for (struct host *h = t->buckets[i], *next; h; h = next) {
			next = h->next;
			h->service->retired = 1;
			service_unref(h->service);
			free(h->name);
			free(h);
		}
	for (size_t i = 0; i < t->tcps; i++)
		service_unref(t->tcp[i].service);
	for (size_t i = 0; i < t->n; i++) {
		free(t->files[i].name);
		json_decref(t->files[i].json);
	}
	free(t->buckets);
	free(t->tcp);
	free(t->files);
	free(t);
}

static struct host *
look_up(const struct table *t, const char *p, size_t n)
{
	for (struct host *h = t->buckets[hash(p, n) & t->mask]; h; h = h->next)
		if (strlen(h->name) == n && strncasecmp(h->name, p, n) == 0)
			return h;
	return NULL;
}

struct service *
table_find(const struct table *t, struct span host)
{
	const char *p = host.p, *end = host.p + host.n;

	while (p && p < end) {
		struct host *h = look_up(t, p, (size_t)(end - p));

		if (h) {
			h->service->refs++;
			return h->service;
		}
		p = memchr(p, '.', (size_t)(end - p));
		p = p ? p + 1 : NULL;
	}
	return NULL;
}

void
table_cert_name(const struct table *t, const char *host, char *buf, size_t n)
{
	const char *dot = strchr(host, '.');

	if (!look_up(t, host, strlen(host)) && dot && look_up(t, dot + 1, strlen(dot + 1)))
		host = dot + 1;
	(void)snprintf(buf, n, "%s", host);
}

int
table_has(const struct table *t, const char *address, unsigned short port)
{
	for (size_t i = 0; i <= t->mask; i++)
		for (const struct host *h = t->buckets[i]; h; h = h->next)
			for (size_t k = 0; k < h->service->n; k++)
				if (h->service->backends[k].port == port &&
					strcmp(h->service->backends[k].address, address) == 0)
					return 1;
	return 0;
}

size_t
table_tcp(const struct table *t, const struct tcp_route **list)
{
	*list = t->tcp;
	return t->tcps;
}
