#include "route.h"
#include "balance.h"
#include "hosts.h"
#include "metrics.h"
#include "service.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/json.h>
#include <cx/own.h>
#include <cx/spool.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX ((size_t)8 << 20)
#define FILE_SERVICES 1000

struct file {
	char *name;
	struct stat st; /* of what was read: an unchanged file is not read again */
	struct service **services;
	struct entry **entries;
	struct tcp_route *tcp;
	struct service **tcp_services; /* of tcp, in its order */
	size_t n, entry_n, tcp_n;
	int seen;
};

struct table {
	const char *dir;
	struct metrics *m;
	struct hosts hosts;
	struct file **files; /* sorted by name */
	size_t n;
	struct tcp_route *tcp; /* of all files; services borrowed from them */
	size_t tcps;
	int tcp_stale;
	int loaded;
};

struct table *
table_open(const char *dir, struct metrics *m)
{
	struct table *t = cx_alloc(sizeof(*t));

	t->dir = dir;
	t->m = m;
	hosts_init(&t->hosts);
	return t;
}

static void
free_file(struct file *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->n; i++)
		service_unref(f->services[i]);
	for (size_t i = 0; i < f->tcp_n; i++)
		service_unref(f->tcp_services[i]);
	free(f->tcp_services);
	free(f->services);
	free(f->entries);
	free(f->tcp);
	free(f->name);
	free(f);
}

static int
read_services(struct file *f, const char *app, const json_t *route, struct cx_err *e)
{
	const json_t *list = json_object_get(route, "services"), *j;
	size_t i;

	if (json_array_size(list) > FILE_SERVICES)
		return cx_err_set(e, CX_BAD, "there are more than %d services", FILE_SERVICES);
	f->services = cx_alloc((json_array_size(list) + 1) * sizeof(struct service *));
	json_array_foreach ((json_t *)list, i, j) {
		struct service *s = service_make(app, j, e);

		if (!s)
			return cx_err_prefix(e, "services.%s", cx_json_strd(j, "name", "?"));
		f->services[f->n++] = s;
	}
	return 0;
}

static int
read_resources(struct file *f, const char *app, const json_t *route, struct cx_err *e)
{
	const json_t *list = json_object_get(route, "resources"), *j;
	size_t i;

	if (json_array_size(list) > FILE_SERVICES)
		return cx_err_set(e, CX_BAD, "there are more than %d resources", FILE_SERVICES);
	f->tcp = cx_alloc((json_array_size(list) + 1) * sizeof(*f->tcp));
	f->tcp_services = cx_alloc((json_array_size(list) + 1) * sizeof(struct service *));
	json_array_foreach ((json_t *)list, i, j) {
		long long port = cx_json_int(j, "port", 0);
		struct tcp_route *r = &f->tcp[f->tcp_n];

		if (!cx_json_str(j, "address") || port < 1 || port > 65535)
			continue;
		r->service = service_make(app, j, e);
		if (!r->service)
			return cx_err_prefix(e, "resources.%s", cx_json_strd(j, "name", "?"));
		(void)snprintf(r->address, sizeof(r->address), "%s", cx_json_str(j, "address"));
		r->port = (unsigned short)port;
		f->tcp_services[f->tcp_n++] = r->service;
	}
	return 0;
}

static struct file *
parse(const char *name, const char *text, size_t n, json_t **json, struct cx_err *e)
{
	struct file *f = cx_alloc(sizeof(*f));
	const char *app;

	f->name = cx_strdup(name);
	*json = n <= FILE_MAX ? cx_json_parse(text, n, name, e) : NULL;
	if (n > FILE_MAX)
		(void)cx_err_set(e, CX_BAD, "it is larger than %zu MiB", FILE_MAX >> 20);
	else if (*json && (!json_is_object(*json) || cx_json_int(*json, "v", 1) != 1))
		(void)cx_err_set(e, CX_BAD, "it is no object of version 1");
	else if (*json) {
		app = cx_json_strd(*json, "app", "?");
		if (read_services(f, app, *json, e) == 0 && read_resources(f, app, *json, e) == 0)
			return f;
	}
	free_file(f);
	return NULL;
}

/* Where a file of this name stands, or would. */
static size_t
position(const struct table *t, const char *name)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (strcmp(t->files[mid]->name, name) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct file *
find_file(const struct table *t, const char *name)
{
	size_t i = position(t, name);

	return i < t->n && strcmp(t->files[i]->name, name) == 0 ? t->files[i] : NULL;
}

/* Which backends of the former file the new one has too is known when it has adopted them. */
static void
retire(struct service **list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		list[i]->retired = 1;
		for (size_t k = 0; k < list[i]->n; k++)
			list[i]->backends[k]->marked = 0;
	}
}

static void
mark(struct service **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < list[i]->n; k++)
			list[i]->backends[k]->marked = 1;
}

static void
abandon(struct service **list, size_t n, double now)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < list[i]->n; k++)
			if (!list[i]->backends[k]->marked)
				backend_gone(list[i]->backends[k], now);
}

static void
take_services(struct table *t, struct file *f, struct file *was, const json_t *json, double now)
{
	const json_t *list = json_object_get(json, "services"), *j, *host;
	size_t i, k, want = 0;

	json_array_foreach ((json_t *)list, i, j)
		want += json_array_size(json_object_get(j, "hosts"));
	f->entries = cx_alloc((want + 1) * sizeof(struct entry *));
	json_array_foreach ((json_t *)list, i, j) {
		service_adopt(
			f->services[i], was ? was->services : NULL, was ? was->n : 0, t->m, now, t->loaded ? now : 0);
		json_array_foreach (json_object_get(j, "hosts"), k, host)
			f->entries[f->entry_n++] =
				hosts_add(&t->hosts, f->name, f->services[i], json_string_value(host));
	}
	mark(f->services, f->n);
}

static void
take_resources(struct table *t, struct file *f, struct file *was, double now)
{
	for (size_t i = 0; i < f->tcp_n; i++)
		service_adopt(f->tcp_services[i], was ? was->tcp_services : NULL, was ? was->tcp_n : 0, t->m, now,
			t->loaded ? now : 0);
	mark(f->tcp_services, f->tcp_n);
	if (f->tcp_n)
		t->tcp_stale = 1;
}

static void
remove_file(struct table *t, struct file *f, double now)
{
	for (size_t i = 0; i < f->entry_n; i++)
		hosts_drop(&t->hosts, f->entries[i]);
	abandon(f->services, f->n, now);
	abandon(f->tcp_services, f->tcp_n, now);
	if (f->tcp_n)
		t->tcp_stale = 1;
	free_file(f);
}

static void
replace(struct table *t, struct file *f, const json_t *json, double now)
{
	size_t i = position(t, f->name);
	struct file *was = i < t->n && strcmp(t->files[i]->name, f->name) == 0 ? t->files[i] : NULL;

	if (was) {
		retire(was->services, was->n);
		retire(was->tcp_services, was->tcp_n);
		/* Its hosts go first: the new ones are not said to be there twice. */
		for (size_t k = 0; k < was->entry_n; k++)
			hosts_drop(&t->hosts, was->entries[k]);
		was->entry_n = 0;
	} else {
		if (t->n % 64 == 0) {
			t->files = realloc(t->files, (t->n + 64) * sizeof(struct file *));
			if (!t->files)
				abort();
		}
		memmove(&t->files[i + 1], &t->files[i], (t->n - i) * sizeof(struct file *));
		t->n++;
	}
	t->files[i] = f;
	take_services(t, f, was, json, now);
	take_resources(t, f, was, now);
	if (was)
		remove_file(t, was, now);
}

int
table_put(struct table *t, const char *name, const char *text, size_t n, double now, struct cx_err *e)
{
	CX_JSON json_t *json = NULL;
	struct file *f;
	size_t i = position(t, name);

	if (!text) {
		if (i < t->n && strcmp(t->files[i]->name, name) == 0) {
			f = t->files[i];
			memmove(&t->files[i], &t->files[i + 1], (t->n - i - 1) * sizeof(struct file *));
			t->n--;
			retire(f->services, f->n);
			retire(f->tcp_services, f->tcp_n);
			remove_file(t, f, now);
		}
		return 0;
	}
	f = parse(name, text, n, &json, e);
	if (!f)
		return -1;
	replace(t, f, json, now);
	return 0;
}

static int
unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int
is_route(const char *name)
{
	size_t n = strlen(name);

	return name[0] != '.' && n > 5 && n < 256 && strcmp(name + n - 5, ".json") == 0;
}

static void
read_at(struct table *t, int dir, const char *name, double now)
{
	CX_CLOSE int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	CX_BUF struct cx_buf b = {0};
	struct file *f = find_file(t, name);
	struct stat st;
	struct cx_err e;

	if (fd < 0 && errno == ENOENT) {
		(void)table_put(t, name, NULL, 0, now, &e);
		return;
	}
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)fprintf(stderr, "cx-router: routes/%s is not used: %s\n", name,
			fd < 0 ? strerror(errno) : "it is no file");
		return;
	}
	if (f && unchanged(&f->st, &st))
		return;
	if (cx_buf_read(&b, fd, FILE_MAX, name, &e) < 0 || table_put(t, name, cx_buf_str(&b), b.n, now, &e) < 0) {
		(void)fprintf(stderr, "cx-router: routes/%s is not used: %s\n", name, e.text);
		metrics_add(&t->m->router.route_errors, 1);
		/* What it had stays; the same broken text is not read again. */
		if (f)
			f->st = st;
		return;
	}
	find_file(t, name)->st = st;
	metrics_add(&t->m->router.route_changes, 1);
}

void
table_read(struct table *t, const char *name, double now)
{
	CX_CLOSE int dir = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir >= 0 && is_route(name))
		read_at(t, dir, name, now);
}

void
table_scan(struct table *t, double now)
{
	CX_CLOSE int dir = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct cx_err e;
	CX_JSON json_t *names = dir < 0 ? NULL : cx_spool_list(dir, ".", &e);
	size_t i;
	json_t *v;

	if (!names) {
		(void)fprintf(stderr, "cx-router: the folder %s cannot be read: %s\n", t->dir,
			dir < 0 ? strerror(errno) : e.text);
		return;
	}
	for (i = 0; i < t->n; i++)
		t->files[i]->seen = 0;
	json_array_foreach (names, i, v) {
		const char *name = json_string_value(v);
		struct file *f;

		if (!is_route(name))
			continue;
		read_at(t, dir, name, now);
		f = find_file(t, name);
		if (f)
			f->seen = 1;
	}
	for (i = t->n; i-- > 0;)
		if (!t->files[i]->seen) {
			CX_FREE char *name = cx_strdup(t->files[i]->name);

			(void)table_put(t, name, NULL, 0, now, &e);
		}
	t->loaded = 1;
}

void
table_free(struct table *t)
{
	struct cx_err e;

	if (!t)
		return;
	while (t->n) {
		CX_FREE char *name = cx_strdup(t->files[t->n - 1]->name);

		(void)table_put(t, name, NULL, 0, 1, &e);
	}
	free(t->files);
	free(t->hosts.buckets);
	free(t->tcp);
	free(t);
}

struct service *
table_find(const struct table *t, struct span host, struct span path)
{
	struct service *s = hosts_find(&t->hosts, host, path);

	if (s)
		s->refs++;
	return s;
}

void
table_cert_name(const struct table *t, const char *host, char *buf, size_t n)
{
	const char *dot = strchr(host, '.');

	if (!hosts_has(&t->hosts, host) && dot && hosts_has(&t->hosts, dot + 1))
		host = dot + 1;
	(void)snprintf(buf, n, "%s", host);
}

size_t
table_tcp(struct table *t, const struct tcp_route **list, int *changed)
{
	*changed = t->tcp_stale;
	if (t->tcp_stale) {
		size_t n = 0;

		for (size_t i = 0; i < t->n; i++)
			n += t->files[i]->tcp_n;
		free(t->tcp);
		t->tcp = cx_alloc((n + 1) * sizeof(*t->tcp));
		t->tcps = 0;
		for (size_t i = 0; i < t->n; i++) {
			memcpy(t->tcp + t->tcps, t->files[i]->tcp, t->files[i]->tcp_n * sizeof(*t->tcp));
			t->tcps += t->files[i]->tcp_n;
		}
		t->tcp_stale = 0;
	}
	*list = t->tcp;
	return t->tcps;
}

size_t
table_hosts(const struct table *t)
{
	return t->hosts.n;
}

void
table_each(const struct table *t, void (*f)(struct service *s, void *arg), void *arg)
{
	for (size_t i = 0; i < t->n; i++)
		for (size_t k = 0; k < t->files[i]->n; k++)
			f(t->files[i]->services[k], arg);
}
