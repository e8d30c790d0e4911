#include "converge.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <cx/spec.h>
#include <cx/store.h>
#include <string.h>

int
want_load(struct conv *c, const char *app, const char *release, json_t **manifest, json_t **build, json_t **urls,
	struct cx_err *e)
{
	CX_JSON json_t *r = cx_store_release(&c->spool, app, release, e), *b = NULL, *m = NULL, *u = NULL;

	if (!r)
		return -1;
	if (!cx_json_str(r, "build"))
		return cx_err_set(e, CX_NO, "release %s has no build", release);
	b = cx_store_build(&c->spool, app, cx_json_str(r, "build"), e);
	m = b ? cx_spec_manifest(&c->spool, app, r, e) : NULL;
	u = m ? cx_spec_resource_urls(c->spool.rack, app, m, e) : NULL;
	if (!u)
		return -1;
	*build = cx_steal(&b);
	*manifest = cx_steal(&m);
	*urls = cx_steal(&u);
	return 0;
}

long
want_count(const struct app *a, const char *service, const json_t *entry)
{
	const json_t *own = json_object_get(json_object_get(a->app, "scale"), service);
	const json_t *count = json_object_get(json_object_get(entry, "scale"), "count");

	return (long)cx_json_int(own, "count", cx_json_int(count, "min", 1));
}

char *
want_host(const struct conv *c, const char *app, const char *service)
{
	return cx_fmt("%s.%s.%s", service, app, cx_json_strd(c->spool.rack, "domain", "convox"));
}

json_t *
want_service(struct conv *c, const struct app *a, const char *release, const char *service, const json_t *entry,
	const json_t *urls, const json_t *build, long index, char **name, struct cx_err *e)
{
	const char *image = cx_spec_image(build, service);
	json_t *body, *labels;
	char text[24], hash[17];

	if (!image) {
		(void)cx_err_set(e, CX_NO, "build %s has no image of %s", cx_json_strd(build, "id", "?"), service);
		(void)cx_err_hint(e, "build again: cx deploy -a %s", a->name);
		return NULL;
	}
	body = cx_spec_container(c->spool.rack, a->name, release, service, entry, urls, image, "service");
	cx_spec_ca(body, &c->spool);
	labels = json_object_get(body, "Labels");
	(void)snprintf(text, sizeof(text), "%ld", index);
	box_hash(body, hash);
	cx_json_set(labels, "convox.name", service);
	cx_json_set(labels, "convox.index", text);
	cx_json_set(labels, "convox.hash", hash);
	(void)snprintf(text, sizeof(text), "%lld", cx_json_int(json_object_get(entry, "port"), "port", 0));
	cx_json_set(labels, "convox.port", text);
	(void)snprintf(text, sizeof(text), "%lld", cx_json_int(entry, "drain", 30));
	cx_json_set(labels, "convox.drain", text);
	*name = cx_fmt("%s.%s.service.%s.%s.%ld", c->rack, a->name, service, release, index);
	return body;
}
