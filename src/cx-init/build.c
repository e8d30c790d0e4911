/* build, dockerfile, command and entrypoint of a compose service. */
#include "compose.h"
#include "project.h"
#include "text.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <string.h>

static void
read_arg(const struct reader *r, const char *name, const char *value, const struct cx_node *at)
{
	json_t *args = child_object(child_object(r->svc, "build"), "args");

	(void)at;
	(void)json_object_set_new(args, name, value ? json_string(value) : json_null());
}

/* A context may be an address that the builder fetches; ours is always a folder. */
static int
is_remote(const char *s)
{
	return strstr(s, "://") || strncmp(s, "git@", 4) == 0 || strncmp(s, "github.com/", 11) == 0;
}

static void
set_context(const struct reader *r, const struct cx_node *v, const char *s)
{
	json_t *build = child_object(r->svc, "build");
	CX_FREE char *path = is_remote(s) ? NULL : project_join(r->in->project, r->file->folder, *s ? s : ".");

	(void)json_object_set_new(build, "written", json_string(s));
	(void)json_object_set_new(build, "at", at_node(r->file, v));
	(void)json_object_set_new(build, "context", path ? json_string(path) : json_null());
}

static void
read_context(const struct reader *r, const struct cx_node *v)
{
	CX_FREE char *s = value_of(r, v);

	if (s)
		set_context(r, v, s);
}

static void
read_build_text(const struct reader *r, const char *key, const struct cx_node *v)
{
	CX_FREE char *s = value_of(r, v);

	if (s && *s)
		(void)json_object_set_new(child_object(r->svc, "build"), key, json_string(s));
}

static void
read_build_other(const struct reader *r, const struct cx_node *k)
{
	static const char *const harmless[] = {"cache_from", "cache_to", "labels", "tags", "pull", "no_cache",
		"shm_size", "isolation", "platforms", "provenance", "sbom"};
	CX_FREE char *path = cx_fmt("%s.%.60s", r->path, k->value);
	CX_JSON json_t *at = at_node(r->file, k);

	if (strncmp(k->value, "x-", 2) == 0)
		return;
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (strcmp(harmless[i], k->value) == 0) {
			say(r->in, CHANGED, path, at, "left out: it does not change what runs");
			return;
		}
	say(r->in, DROPPED, path, at, "a build has a context, a Dockerfile, arguments and a target");
	if (strcmp(k->value, "dockerfile_inline") == 0)
		say_hint(r->in, "write it to a file, and name that with build.manifest");
	else if (strcmp(k->value, "secrets") == 0 || strcmp(k->value, "ssh") == 0)
		say_hint(r->in, "fetch what needs the secret before the build, and COPY it in");
	else if (strcmp(k->value, "additional_contexts") == 0)
		say_hint(r->in, "move the build to a folder that holds both");
}

void
read_build(const struct reader *r, const struct cx_node *v)
{
	if (strcmp(strrchr(r->path, '.'), ".dockerfile") == 0) {
		read_build_text(r, "dockerfile", v);
		if (!json_object_get(json_object_get(r->svc, "build"), "at"))
			set_context(r, v, ".");
		return;
	}
	if (v->kind != CX_MAP) {
		if (!cx_node_null(v))
			read_context(r, v);
		return;
	}
	for (size_t i = 0; i < v->n; i++) {
		const struct cx_node *k = v->pairs[i].key, *w = v->pairs[i].value;
		CX_FREE char *path = NULL;
		struct reader sub = *r;

		if (k->kind != CX_SCALAR || !visit(r, w))
			continue;
		path = cx_fmt("%s.%.60s", r->path, k->value);
		sub.path = path;
		if (strcmp(k->value, "context") == 0)
			read_context(&sub, w);
		else if (strcmp(k->value, "dockerfile") == 0 || strcmp(k->value, "target") == 0)
			read_build_text(&sub, k->value, w);
		else if (strcmp(k->value, "args") == 0)
			read_pairs(&sub, w, read_arg);
		else
			read_build_other(r, k);
	}
	if (!json_object_get(json_object_get(r->svc, "build"), "at"))
		set_context(r, v, ".");
}

/* Compose splits a text into words as a shell would, and runs no shell. */
static json_t *
words_of(const struct reader *r, const struct cx_node *v)
{
	json_t *words;

	if (v->kind == CX_SCALAR) {
		CX_FREE char *s = value_of(r, v);

		words = s ? text_words(s) : NULL;
		if (s && !words) {
			CX_JSON json_t *at = at_node(r->file, v);

			say(r->in, DROPPED, r->path, at, "a quote is never closed: %.200s", s);
		}
		return words;
	}
	if (v->kind == CX_MAP) {
		wrong_kind(r, v, "text or a list");
		return NULL;
	}
	words = json_array();
	for (size_t i = 0; v->kind == CX_SEQ && i < v->n; i++) {
		CX_FREE char *s = visit(r, v->items[i]) ? value_of(r, v->items[i]) : NULL;

		if (s)
			(void)json_array_append_new(words, json_string(s));
	}
	return words;
}

void
read_command(const struct reader *r, const struct cx_node *v)
{
	CX_JSON json_t *words = cx_node_null(v) ? NULL : words_of(r, v);

	if (!words)
		return;
	(void)json_object_set(r->svc, "command", words);
	(void)json_object_set_new(r->svc, "command_at", at_node(r->file, v));
}

void
read_entrypoint(const struct reader *r, const struct cx_node *v)
{
	CX_JSON json_t *words = cx_node_null(v) ? NULL : words_of(r, v);

	if (!words)
		return;
	(void)json_object_set(r->svc, "entrypoint", words);
	(void)json_object_set_new(r->svc, "entrypoint_at", at_node(r->file, v));
}
