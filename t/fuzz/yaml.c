/* LINK: src/cx-manifest/environment.c src/cx-manifest/expand.c src/cx-manifest/key.c src/cx-manifest/manifest.c src/cx-manifest/service.c src/cx-manifest/value.c src/cx-manifest/port.c src/cx-manifest/scale.c src/cx-manifest/health.c src/cx-manifest/build.c src/cx-manifest/place.c src/cx-manifest/resource.c src/cx-manifest/cron.c src/cx-manifest/timer.c src/cx-manifest/balancer.c src/cx-manifest/app.c src/cx-manifest/layout.c src/cx-manifest/same.c src/cx-manifest/emit.c src/cx-manifest/position.c src/cx-manifest/get.c src/cx-manifest/path.c PKG: */
/*
 * A manifest, read as it stands and expanded: never a crash; without errors it has services. What is YAML can be laid
 * out, what is normalised is the same when it went through YAML, and every value has its place in the file.
 */
#include "emit.h"
#include "expand.h"
#include "get.h"
#include "layout.h"
#include "manifest.h"
#include "position.h"
#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/err.h>
#include <cx/json.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void
need(int promise)
{
	if (!promise)
		abort();
}

/* A key "<<", quoted or not, is a merge for us: a manifest that has one cannot come back. */
static int
same(const struct cx_node *n, const json_t *j)
{
	const char *key;
	json_t *v;
	size_t i;

	if (json_is_object(j)) {
		json_object_foreach ((json_t *)j, key, v) {
			const struct cx_node *c = cx_node_get(n, key);

			if (strcmp(key, "<<") != 0 && (!c || !same(c, v)))
				return 0;
		}
		return n->kind == CX_MAP;
	}
	json_array_foreach (j, i, v)
		if (n->kind != CX_SEQ || i >= n->n || !same(n->items[i], v))
			return 0;
	if (json_is_array(j))
		return n->kind == CX_SEQ && n->n == json_array_size(j);
	if (json_is_string(j))
		return n->kind == CX_SCALAR && strcmp(n->value, json_string_value(j)) == 0 && !cx_node_null(n);
	CX_FREE char *text = cx_json_text(j);

	return n->kind == CX_SCALAR && n->plain && strcmp(n->value, text) == 0;
}

static void
feed_emit(const json_t *m)
{
	CX_BUF struct cx_buf b = {0};
	struct cx_diags *d = cx_alloc(sizeof(*d));
	struct cx_tree t;

	emit_yaml(m, &b);
	d->file = "emitted";
	if (cx_tree_parse(&t, b.p, b.n, d) == 0)
		need(same(t.root, m));
	else
		need(b.n > CX_YAML_MAX || strstr(d->list[0].e.text, "too many") != NULL);
	cx_tree_free(&t);
	free(d);
}

static void
feed(const char *text, size_t n, const json_t *env)
{
	struct cx_diags *d = cx_alloc(sizeof(*d));
	CX_JSON json_t *m = NULL, *places = NULL;
	struct cx_tree t;

	d->file = "fuzz";
	if (cx_tree_parse(&t, text, n, d) == 0) {
		if (env)
			expand_tree(&t, env, d);
		else
			expand_check(&t, d);
		m = manifest_make(&t, !env, d);
		if (env && !d->errors)
			manifest_env(m, &t, env, d);
		need(d->errors || json_object_size(json_object_get(m, "services")) > 0);
		if (!d->errors) {
			feed_emit(m);
			places = position_map(m, &t);
			need(json_object_get(places, "/services") != NULL);
		}
	}
	cx_tree_free(&t);
	free(d);
}

static void
feed_layout(const char *text, size_t n)
{
	CX_BUF struct cx_buf out = {0};
	struct cx_diags *d = cx_alloc(sizeof(*d));
	struct cx_tree t;
	struct cx_err e;

	d->file = "fuzz";
	if (cx_tree_parse(&t, text, n, d) == 0 && layout_text(text, n, &out, &e) < 0)
		need(strstr(e.text, "line breaks") != NULL);
	cx_tree_free(&t);
	free(d);
}

static void
feed_get(const char *text)
{
	CX_JSON json_t *m = json_pack("{s:[i,{s:i}],s:{s:s}}", "a", 1, "b", 2, "c", "d.e", "f");
	CX_FREE char *path = cx_strndup(text, strcspn(text, "\n"));
	struct cx_err e;

	(void)get_path(m, path, &e);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CX_JSON json_t *env = json_pack("{s:s,s:s}", "A", "3000", "B", "");
	CX_FREE char *text = cx_strndup((const char *)data, n);

	feed((const char *)data, n, NULL);
	feed((const char *)data, n, env);
	if (memchr(data, 0, n))
		return 0;
	feed_layout(text, n);
	feed_get(text);
	return 0;
}
