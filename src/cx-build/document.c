#include "document.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/pipeline.h>
#include <cx/proc.h>
#include <cx/spool.h>
#include <string.h>

#define TEXT_MAX ((size_t)1 << 20)
#define SERVICES_MAX 200

const char *
document_file(const json_t *doc)
{
	return cx_json_strd(json_object_get(doc, "manifest"), "file", "convox.yml");
}

const char *
document_text(const json_t *doc)
{
	return cx_json_strd(json_object_get(doc, "manifest"), "text", "");
}

static int
bad(struct cx_err *e, const char *what)
{
	(void)cx_err_set(e, CX_BAD, "the document on stdin is no pipeline document: %s", what);
	return cx_err_hint(e, "it is what cx-manifest prints: cx-manifest convox.yml | cx-build");
}

static int
check_service(const char *name, const json_t *s, struct cx_err *e)
{
	const json_t *build = json_object_get(s, "build"), *image = json_object_get(s, "image");
	const json_t *args = json_object_get(build, "args"), *v;
	const char *k;

	if (cx_name_check("service", name, e) < 0)
		return -1;
	if (!json_is_object(s) || (build && !json_is_object(build) && !json_is_null(build)) ||
		(image && !json_is_string(image) && !json_is_null(image)) ||
		(args && !json_is_object(args) && !json_is_null(args)))
		return bad(e, "a service, its build, image or args has the wrong type");
	if (!json_is_object(build) && !json_is_string(image))
		return bad(e, "a service has neither build nor image");
	json_object_foreach ((json_t *)args, k, v)
		if (!json_is_string(v) && !json_is_null(v))
			return bad(e, "a build argument is no string");
	return 0;
}

static int
check_services(const json_t *services, struct cx_err *e)
{
	const json_t *s;
	const char *name;

	if (!json_is_object(services) || json_object_size(services) > SERVICES_MAX)
		return bad(e, "manifest.services must be an object of at most 200 services");
	json_object_foreach ((json_t *)services, name, s)
		if (check_service(name, s, e) < 0)
			return -1;
	return 0;
}

static int
check(const json_t *doc, struct cx_err *e)
{
	const json_t *m = json_object_get(doc, "manifest");
	const char *text = cx_json_str(m, "text");

	if (!json_is_object(doc) || cx_json_int(doc, "v", 0) != 1)
		return bad(e, "\"v\" must be 1");
	if (!text || strlen(text) > TEXT_MAX)
		return bad(e, "manifest.text must be the text of the manifest, at most 1 MiB");
	return check_services(json_object_get(m, "services"), e);
}

/* Runs cx-manifest; its own words go to stderr. */
static json_t *
run_manifest(const char *const argv[], const char *in, int *status, struct cx_err *e)
{
	CX_BUF struct cx_buf out = {0};
	int st = cx_run(argv, NULL, in, in ? strlen(in) : 0, &out, CX_JSON_MAX, e);

	if (st > 0)
		*status = st;
	return st == 0 ? cx_json_parse(cx_buf_str(&out), out.n, "what cx-manifest printed", e) : NULL;
}

json_t *
document_get(int use_stdin, int *status, struct cx_err *e)
{
	static const char *const argv[] = {"cx-manifest", NULL};
	CX_JSON json_t *doc = NULL;
	int given = use_stdin ? cx_pipeline_read(&doc, e) : 0;

	if (given == 0)
		doc = run_manifest(argv, NULL, status, e);
	if (given < 0 || !doc || check(doc, e) < 0)
		return NULL;
	return cx_steal(&doc);
}

static int
has_variable(const json_t *v)
{
	const char *k, *s = json_string_value(v);
	const json_t *sub;

	if (s)
		return strchr(s, '$') != NULL;
	json_object_foreach ((json_t *)v, k, sub)
		if (has_variable(sub))
			return 1;
	return 0;
}

static json_t *
without_nulls(const json_t *o)
{
	json_t *n = json_object();
	const char *k;
	json_t *v;

	json_object_foreach ((json_t *)o, k, v)
		if (!json_is_null(v))
			(void)json_object_set_new(n, k, json_is_object(v) ? without_nulls(v) : json_incref(v));
	return n;
}

/* A manifest of the build keys alone, as YAML (JSON is a subset), for cx-manifest to expand. */
static char *
build_keys(const json_t *services)
{
	CX_JSON json_t *m = json_object(), *all = json_object();
	const char *name;
	const json_t *s;

	json_object_foreach ((json_t *)services, name, s) {
		json_t *one = json_object();
		const json_t *build = json_object_get(s, "build"), *image = json_object_get(s, "image");

		if (json_is_string(image))
			(void)json_object_set(one, "image", (json_t *)image);
		else
			(void)json_object_set_new(one, "build", without_nulls(build));
		(void)json_object_set_new(all, name, one);
	}
	(void)json_object_set(m, "services", all);
	return cx_json_text(m);
}

static int
any_variable(const json_t *services)
{
	const char *name;
	const json_t *s;

	json_object_foreach ((json_t *)services, name, s)
		if (has_variable(json_object_get(s, "build")) || has_variable(json_object_get(s, "image")))
			return 1;
	return 0;
}

json_t *
document_services(const json_t *doc, const json_t *env, int *status, struct cx_err *e)
{
	static const char *const argv[] = {"cx-manifest", "--release", "--quiet", NULL};
	json_t *services = json_object_get(json_object_get(doc, "manifest"), "services");
	CX_JSON json_t *in = NULL, *out = NULL;
	CX_FREE char *keys = NULL, *text = NULL;

	if (!any_variable(services))
		return json_incref(services);
	keys = build_keys(services);
	in = json_pack("{s:s, s:s, s:O}", "text", keys, "file", document_file(doc), "env", (json_t *)env);
	text = cx_json_text(in);
	out = run_manifest(argv, text, status, e);
	if (!out)
		return NULL;
	services = json_object_get(json_object_get(out, "manifest"), "services");
	return check_services(services, e) < 0 ? NULL : json_incref(services);
}
