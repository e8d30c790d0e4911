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

/* A variable that named the host of a database. */
static void
emit_database(const struct plan *p, const json_t *r, const char *name, const json_t *v, int url, const char *path,
	json_t *list)
{
	CX_FREE char *url_name = cx_spec_url_name(cx_json_strd(r, "name", ""));
	const char *value = cx_json_strd(v, "value", ""), *type = cx_json_strd(r, "type", "");
	CX_FREE char *scheme = url ? other_scheme(value, cx_json_strd(r, "scheme", "")) : NULL, *note = NULL;
	const json_t *at = json_object_get(v, "at");

	if (url && strcmp(url_name, name) == 0) {
		say(p->in, CHANGED, path, at, "%s: the rack gives it, the URL of its own %s", name, type);
		if (scheme)
			say_hint(p->in, "it begins with %s://, and not with %.30s://: see that the program takes that",
				cx_json_strd(r, "scheme", ""), scheme);
		return;
	}
	note = url ? cx_fmt("was a URL of the %s that %s holds now", type, url_name)
		   : cx_fmt("was the host of the %s; %s holds host, user, password and database now", type, url_name);
	put(list, name, NULL, note);
	say(p->in, CHANGED, path, at, "%s named the %s: it is required now", name, type);
	say_hint(p->in, "let the program read %s, or set %s to what that holds, with cx env set", url_name, name);
}

static void
emit_reference(
	const struct plan *p, const struct hit *hit, const char *name, const json_t *v, const char *path, json_t *list)
{
	const char *service = cx_json_strd(p->names, hit->to, hit->to), *scheme = hit->url ? "https://" : "";
	CX_FREE char *note = cx_fmt("was %s; it is %s%s.APP.DOMAIN now", hit->to, scheme, service);

	put(list, name, NULL, note);
	say(p->in, CHANGED, path, json_object_get(v, "at"), "%s named the service %s: it is required now", name,
		hit->to);
	say_hint(p->in, "cx env set %s=%s%s.APP.DOMAIN: its balancer takes HTTPS on port 443", name, scheme, service);
}

/* What a service's variables come to besides the list. */
struct sums {
	unsigned kept;
	struct cx_buf secrets, set;
	const json_t *at; /* of the first secret */
};

static void
add_secret(struct sums *sums, const char *name, const json_t *v)
{
	cx_buf_addf(&sums->secrets, "%s%s", sums->secrets.n ? ", " : "", name);
	cx_buf_addf(&sums->set, " %s=...", name);
	sums->at = sums->at ? sums->at : json_object_get(v, "at");
}

static void
emit_variable(const struct plan *p, const json_t *svc, const char *name, const json_t *v, const char *path,
	json_t *list, struct sums *sums)
{
	const char *value = cx_json_str(v, "value");
	struct hit hit = {.p = p, .self = cx_json_strd(svc, "name", "")};
	const json_t *r;

	if (value)
		hosts_in(name, value, on_host, &hit);
	r = hit.to ? json_object_get(p->resources, hit.to) : NULL;
	if (r) {
		emit_database(p, r, name, v, hit.url, path, list);
	} else if (hit.to) {
		emit_reference(p, &hit, name, v, path, list);
	} else if (value && text_secret(name, value)) {
		put(list, name, NULL, "its value looked like a secret");
		add_secret(sums, name, v);
	} else {
		put(list, name, value, NULL);
		sums->kept++;
	}
}

static void
report_sums(const struct plan *p, struct sums *sums, const char *key)
{
	if (sums->secrets.n) {
		say(p->in, CHANGED, key, sums->at,
			"what looks like a secret is required now, and stands in no file: %s", sums->secrets.p);
		say_hint(p->in, "cx env set%s", sums->set.p);
	}
	if (sums->kept)
		say(p->in, KEPT, key, NULL, "%u variable%s", sums->kept, sums->kept == 1 ? "" : "s");
	cx_buf_free(&sums->secrets);
	cx_buf_free(&sums->set);
}

void
emit_environment(const struct plan *p, const json_t *svc, const char *path, json_t *out)
{
	CX_FREE char *key = cx_fmt("%s.environment", path);
	const json_t *env = json_object_get(svc, "environment"), *v;
	json_t *list = json_array();
	const char *name;
	struct sums sums = {0};

	json_object_foreach ((json_t *)env, name, v) {
		if (json_array_size(list) >= 1000) {
			say(p->in, DROPPED, key, json_object_get(v, "at"), "more than 1000 variables");
			break;
		}
		emit_variable(p, svc, name, v, key, list, &sums);
	}
	report_sums(p, &sums, key);
	if (json_array_size(list))
		(void)json_object_set(out, "environment", list);
	json_decref(list);
}
