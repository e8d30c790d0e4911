#include "routes.h"
#include <arpa/inet.h>
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/json.h>
#include <cx/spool.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define EVENTS (IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CLOSE_WRITE | IN_ONLYDIR)

static void
complain(enum cx_err_class cls, const char *file, const char *what, const char *host)
{
	struct cx_err e;

	(void)cx_err_set(&e, cls, "%s: %s%.80s", file, what, host);
	(void)cx_err_report(&e, "cx-dns");
}

static void
forget(struct routes *r, struct app *a)
{
	for (struct record *p = a->records, *next; p; p = next) {
		next = p->sibling;
		zone_remove(r->zone, p);
		free(p);
		r->names--;
	}
	free(a->file);
	memset(a, 0, sizeof(*a));
}

static void
take_address(struct address *a, const json_t *o)
{
	const char *s = cx_json_str(o, "address");

	if (!s)
		return;
	if (!a->has4 && inet_pton(AF_INET, s, a->v4) == 1)
		a->has4 = 1;
	else if (!a->has6 && inet_pton(AF_INET6, s, a->v6) == 1)
		a->has6 = 1;
}

static struct record *
add(struct routes *r, struct app *a, const char *host)
{
	struct record *p;
	struct query q;

	if (!host || !zone_name(r->zone, host, &q))
		return NULL; /* hosts of other domains are no business of ours */
	if (r->names >= NAMES_MAX) {
		complain(CX_BAD, a->file, "there are too many names; left out: ", host);
		return NULL;
	}
	p = cx_alloc(sizeof(*p));
	p->file = a->file;
	p->sibling = a->records;
	a->records = p;
	r->names++;
	zone_add(r->zone, &q, p);
	return p;
}

static void
take(struct routes *r, struct app *a, const json_t *doc)
{
	const json_t *o, *h;
	size_t i, k;

	json_array_foreach (json_object_get(doc, "services"), i, o) {
		json_array_foreach (json_object_get(o, "hosts"), k, h) {
			struct record *p = add(r, a, json_string_value(h));

			if (p) {
				p->service = 1;
				p->below = p->node->len > r->zone->apex_len;
			}
		}
	}
	json_array_foreach (json_object_get(doc, "resources"), i, o) {
		struct record *p = add(r, a, cx_json_str(o, "host"));

		if (!p)
			continue;
		take_address(&p->at[VIEW_HOST], o);
		json_array_foreach (json_object_get(o, "backends"), k, h)
			take_address(&p->at[VIEW_CONTAINER], h);
	}
}

/* Where the file is, or would be, in the sorted list. */
static size_t
place(const struct routes *r, const char *file, int *there)
{
	size_t lo = 0, hi = r->apps;

	*there = 0;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = strcmp(r->app[mid].file, file);

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
drop(struct routes *r, size_t at)
{
	forget(r, &r->app[at]);
	memmove(r->app + at, r->app + at + 1, (r->apps - at - 1) * sizeof(*r->app));
	r->apps--;
}

static struct app *
insert(struct routes *r, size_t at, const char *name)
{
	if (r->apps == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 64;
		r->app = realloc(r->app, r->cap * sizeof(*r->app));
		if (!r->app)
			exit(CX_SYS);
	}
	memmove(r->app + at + 1, r->app + at, (r->apps - at) * sizeof(*r->app));
	r->app[at] = (struct app){.file = cx_strdup(name)};
	r->apps++;
	return &r->app[at];
}

void
routes_load(struct routes *r, const char *name)
{
	struct cx_err e = {0};
	size_t len = strlen(name), at;
	int there;

	if (*name == '.' || len < 6 || strcmp(name + len - 5, ".json") != 0)
		return;
	CX_JSON json_t *doc = cx_json_load(r->dir, name, &e);
	if (!doc && e.cls != CX_NO) {
		/* What was known stays: half a rack is worse than an old one. */
		(void)cx_err_report(&e, "cx-dns");
		return;
	}
	if (doc && !json_is_object(doc)) {
		complain(CX_BAD, name, "this is no object", "");
		return;
	}
	at = place(r, name, &there);
	if (there)
		drop(r, at);
	if (doc)
		take(r, insert(r, at, name), doc);
}

void
routes_load_all(struct routes *r)
{
	struct cx_err e = {0};
	CX_JSON json_t *names = cx_spool_list(r->dir, ".", &e);
	const json_t *name;
	size_t i;

	if (!names) {
		(void)cx_err_report(&e, "cx-dns");
		return;
	}
	for (i = r->apps; i-- > 0;)
		if (faccessat(r->dir, r->app[i].file, F_OK, 0) < 0 && errno == ENOENT)
			drop(r, i);
	json_array_foreach (names, i, name)
		routes_load(r, json_string_value(name));
}

int
routes_open(struct routes *r, int dir, struct cx_err *e)
{
	int watch;

	if (fchdir(dir) < 0)
		return cx_err_sys(e, "open the folder of routes");
	watch = inotify_add_watch(r->inotify, ".", EVENTS);
	if (watch < 0)
		return cx_err_sys(e, "watch the folder of routes");
	if (r->watch >= 0 && r->watch != watch)
		(void)inotify_rm_watch(r->inotify, r->watch);
	if (r->dir >= 0)
		close(r->dir);
	r->dir = dir;
	r->watch = watch;
	routes_load_all(r);
	return 0;
}

void
routes_changed(struct routes *r)
{
	union {
		struct inotify_event ev;
		char buf[16384];
	} u;
	int all = 0;
	ssize_t n;

	while ((n = read(r->inotify, u.buf, sizeof(u.buf))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *ev = (const void *)(u.buf + at);

			all |= (ev->mask & IN_Q_OVERFLOW) != 0;
			if (!all && ev->len > 0)
				routes_load(r, ev->name);
			at += (ssize_t)(sizeof(*ev) + ev->len);
		}
	if (all)
		routes_load_all(r);
}
