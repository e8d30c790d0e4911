/* The variables of a service: defaults, what must be set, and what names a host that is gone. */
#include "emit.h"
#include "text.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <cx/spec.h>
#include <string.h>

struct hit {
	const struct plan *p;
	const char *self;
	const char *to; /* service as read */
	int url;
};

static void
on_host(void *arg, const char *host, int url)
{
	struct hit *h = arg;
	const char *to = cx_json_str(h->p->hosts, host);

	if (h->to || !to || strcmp(to, h->self) == 0)
		return;
	h->to = to;
	h->url = url;
}

static void
put(json_t *list, const char *name, const char *value, const char *note)
{
	CX_FREE char *entry = value ? cx_fmt("%s=%s", name, value) : cx_strdup(name);

	(void)json_array_append_new(list, json_pack("{s:s,s:s?}", "entry", entry, "note", note));
}

/* What the rack's URL begins with, and the value does not; NULL when they agree. */
static char *
other_scheme(const char *value, const char *scheme)
{
	const char *end = strstr(value, "://");
	CX_FREE char *own = cx_strndup(value, end ? (size_t)(end - value) : 0);

	return strcmp(own, scheme) == 0 ? NULL : cx_steal(&own);
}

/* One service's variables on their way. */
struct env {
	const struct plan *p;
	const json_t *svc;
	const char *path;
	json_t *list;
	unsigned kept;
	struct cx_buf secrets, set;
	const json_t *at; /* of the first secret */
};

/* The rack gives the URL as this variable: as NAME_URL, or by its name behind the resource's. */
static int
gives(const struct env *e, json_t *r, const char *url_name, const char *name, const char *value)
{
	json_t *as = json_object_get(r, "as");
	const char *self = cx_json_strd(e->svc, "name", "");

	if (strcmp(url_name, name) == 0)
		return 1;
	if (strchr(value, ',') || json_object_get(as, self) ||
		json_object_get(json_object_get(e->svc, "environment"), url_name))
		return 0;
	cx_json_set(as, self, name);
	return 1;
}

/* A variable that named the host of a database. */
static void
emit_database(const struct env *e, json_t *r, const char *name, const json_t *v, int url)
{
	CX_FREE char *url_name = cx_spec_url_name(cx_json_strd(r, "name", ""));
	const char *value = cx_json_strd(v, "value", ""), *type = cx_json_strd(r, "type", ""), *holds;
	CX_FREE char *scheme = url ? other_scheme(value, cx_json_strd(r, "scheme", "")) : NULL, *note = NULL;
	const json_t *at = json_object_get(v, "at");

	if (url && gives(e, r, url_name, name, value)) {
		say(e->p->in, CHANGED, e->path, at, "%s: the rack gives it, the URL of its own %s", name, type);
		if (scheme)
			say_hint(e->p->in,
				"it begins with %s://, and not with %.30s://: see that the program takes that",
				cx_json_strd(r, "scheme", ""), scheme);
		return;
	}
	holds = cx_json_strd(json_object_get(r, "as"), cx_json_strd(e->svc, "name", ""), url_name);
	note = url ? cx_fmt("was a URL of the %s that %s holds now", type, holds)
		   : cx_fmt("was the host of the %s; %s holds all that is needed now", type, holds);
	put(e->list, name, NULL, note);
	say(e->p->in, CHANGED, e->path, at, "%s named the %s: it is required now", name, type);
	say_hint(e->p->in, "let the program read %s, or set %s to what that holds, with cx env set", holds, name);
}

static void
emit_reference(const struct env *e, const struct hit *hit, const char *name, const json_t *v)
{
	const char *service = cx_json_strd(e->p->names, hit->to, hit->to), *scheme = hit->url ? "https://" : "";
	CX_FREE char *note = cx_fmt("was %s; it is %s%s.APP.DOMAIN now", hit->to, scheme, service);

	put(e->list, name, NULL, note);
	say(e->p->in, CHANGED, e->path, json_object_get(v, "at"), "%s named the service %s: it is required now", name,
		hit->to);
	say_hint(
		e->p->in, "cx env set %s=%s%s.APP.DOMAIN: its balancer takes HTTPS on port 443", name, scheme, service);
}

static void
add_secret(struct env *e, const char *name, const json_t *v)
{
	put(e->list, name, NULL, "its value looked like a secret");
	cx_buf_addf(&e->secrets, "%s%s", e->secrets.n ? ", " : "", name);
	cx_buf_addf(&e->set, " %s=...", name);
	e->at = e->at ? e->at : json_object_get(v, "at");
}

/* A name without a value that is the URL of a database of this service: the rack gives it. */
static int
is_given(const struct env *e, const char *name)
{
	const char *raw;
	const json_t *r;

	json_object_foreach (e->p->resources, raw, r) {
		CX_FREE char *url_name = cx_spec_url_name(cx_json_strd(r, "name", ""));

		if (json_object_get(json_object_get(r, "users"), cx_json_strd(e->svc, "name", "")) &&
			strcmp(url_name, name) == 0)
			return 1;
	}
	return 0;
}

static void
emit_variable(struct env *e, const char *name, const json_t *v)
{
	const char *value = cx_json_str(v, "value");
	struct hit hit = {.p = e->p, .self = cx_json_strd(e->svc, "name", "")};
	json_t *r;

	if (value)
		hosts_in(name, value, on_host, &hit);
	r = hit.to ? json_object_get(e->p->resources, hit.to) : NULL;
	if (r) {
		emit_database(e, r, name, v, hit.url);
	} else if (hit.to) {
		emit_reference(e, &hit, name, v);
	} else if (value && text_secret(name, value)) {
		add_secret(e, name, v);
	} else if (!value && is_given(e, name)) {
		say(e->p->in, CHANGED, e->path, json_object_get(v, "at"), "%s: the rack gives it", name);
	} else {
		put(e->list, name, value, NULL);
		e->kept++;
	}
}

static void
report_sums(struct env *e)
{
	if (e->secrets.n) {
		say(e->p->in, CHANGED, e->path, e->at,
			"what looks like a secret is required now, and stands in no file: %s", e->secrets.p);
		say_hint(e->p->in, "cx env set%s", e->set.p);
	}
	if (e->kept)
		say(e->p->in, KEPT, e->path, NULL, "%u variable%s", e->kept, e->kept == 1 ? "" : "s");
	cx_buf_free(&e->secrets);
	cx_buf_free(&e->set);
}

void
emit_environment(const struct plan *p, const json_t *svc, const char *path, json_t *out)
{
	CX_FREE char *key = cx_fmt("%s.environment", path);
	CX_JSON json_t *list = json_array();
	struct env e = {.p = p, .svc = svc, .path = key, .list = list};
	const char *name;
	const json_t *v;

	json_object_foreach (json_object_get(svc, "environment"), name, v) {
		if (json_array_size(list) >= 1000) {
			say(p->in, DROPPED, key, json_object_get(v, "at"), "more than 1000 variables");
			break;
		}
		emit_variable(&e, name, v);
	}
	report_sums(&e);
	if (json_array_size(list))
		(void)json_object_set(out, "environment", list);
}
