#include "plan.h"
#include "dockerfile.h"
#include "hash.h"
#include "talk.h"
#include <cx/err.h>
#include <cx/own.h>
#include <cx/path.h>
#include <fcntl.h>
#include <string.h>

#define IGNORE_MAX ((size_t)1 << 20)

static void
build_free(struct build *b)
{
	free(b->path);
	free(b->dockerfile);
	free(b->target);
	free(b->args);
	free(b->over);
	json_decref(b->services);
	context_free(&b->ctx);
	cx_own_close(&b->dir);
	free(b);
}

void
plan_free(struct plan *p)
{
	for (size_t i = 0; i < p->builds_n; i++)
		build_free(p->builds[i]);
	free(p->builds);
	free(p->services);
	json_decref(p->source);
	*p = (struct plan){.root = -1};
}

struct ignore *
plan_ignore(int dir, const char *dockerfile, struct cx_err *e)
{
	CX_FREE char *own = dockerfile ? cx_fmt("%s.dockerignore", dockerfile) : NULL;
	const char *names[] = {own ? own : ".dockerignore", ".dockerignore"}, *used = NULL;
	CX_BUF struct cx_buf text = {0};
	struct ignore *ig;

	for (size_t i = 0; i < 2 && !used; i++) {
		used = names[i];
		if (cx_path_read(dir, used, IGNORE_MAX, "build context", &text, e) < 0) {
			if (e->cls != CX_NO)
				return NULL;
			used = NULL;
		}
	}
	ig = ignore_parse(cx_buf_str(&text), text.n, used ? used : ".dockerignore", e);
	if (!ig)
		return NULL;
	ignore_keep(ig, ".dockerignore");
	if (used)
		ignore_keep(ig, used);
	if (dockerfile)
		ignore_keep(ig, dockerfile);
	return ig;
}

/* Arguments that the Dockerfile declares and the app's environment has; those of the manifest win. */
static json_t *
merge_args(const json_t *declared, const json_t *env, const json_t *given)
{
	json_t *args = json_object();
	const json_t *v;
	const char *k;
	size_t i;

	json_array_foreach (declared, i, v) {
		const char *name = json_string_value(v), *value = cx_json_str(env, name);

		if (value)
			cx_json_set(args, name, value);
	}
	json_object_foreach ((json_t *)given, k, v) {
		const char *value = json_is_string(v) ? json_string_value(v) : cx_json_str(env, k);

		if (value)
			cx_json_set(args, k, value);
	}
	return args;
}

static int
no_dockerfile(const struct build *b, const char *service, struct cx_err *e)
{
	(void)cx_err_set(e, CX_BAD, "service %s: there is no %s in %s", service, b->dockerfile,
		strcmp(b->path, ".") == 0 ? "the app's folder" : b->path);
	return cx_err_hint(e, "add it, name another with build.manifest, or use image: instead of build:");
}

static int
refuse_secret(const struct build *b, unsigned line, struct cx_err *e)
{
	CX_FREE char *file =
		strcmp(b->path, ".") == 0 ? cx_strdup(b->dockerfile) : cx_fmt("%s/%s", b->path, b->dockerfile);

	(void)cx_err_set(e, CX_BAD, "RUN --mount=type=secret and type=ssh are not supported yet");
	(void)cx_err_at(e, file, line, 1);
	return cx_err_hint(e, "fetch what needs the secret before the build, and COPY it in");
}

/* A development build ends where production begins: at a stage of that name, or at the mark. */
static void
cut_for_development(struct build *b, struct dockerfile *d, const struct cx_buf *text)
{
	if (dockerfile_has_stage(d, "development")) {
		free(b->target);
		b->target = cx_strdup("development");
	} else if (d->cut < text->n) {
		b->over = cx_strndup(cx_buf_str(text), d->cut);
		dockerfile_free(d);
		dockerfile_scan(d, b->over, strlen(b->over));
	}
}

static int
read_dockerfile(struct plan *p, struct build *b, const char *service, const json_t *given, struct cx_err *e)
{
	CX_BUF struct cx_buf text = {0};
	struct dockerfile d;
	int r = 0;

	if (cx_path_read(b->dir, b->dockerfile, DOCKERFILE_MAX, service, &text, e) < 0)
		return e->cls == CX_NO ? no_dockerfile(b, service, e) : -1;
	dockerfile_scan(&d, cx_buf_str(&text), text.n);
	if (p->development)
		cut_for_development(b, &d, &text);
	if (d.secret)
		r = refuse_secret(b, d.secret, e);
	else {
		CX_JSON json_t *args = merge_args(d.args, p->env, given);

		b->args = json_dumps(args, JSON_COMPACT | JSON_SORT_KEYS);
	}
	dockerfile_free(&d);
	return r;
}

static void
on_warn(void *arg, const char *path, const char *what)
{
	talk_say(arg, path, "warn", "%s", what);
}

static int
walk(struct plan *p, struct build *b, struct cx_err *e)
{
	struct ignore *ig = plan_ignore(b->dir, b->dockerfile, e);
	int r;

	if (!ig)
		return -1;
	b->ctx.cancel = p->cancel;
	b->ctx.warn = on_warn;
	b->ctx.arg = p->talk;
	if (b->over) {
		b->ctx.over = b->dockerfile;
		b->ctx.over_text = b->over;
	}
	r = context_walk(&b->ctx, b->dir, ig, e);
	ignore_free(ig);
	return r < 0 && strcmp(b->path, ".") != 0 ? cx_err_prefix(e, "%s", b->path) : r;
}

static int
same(const struct build *a, const struct build *b)
{
	return strcmp(a->path, b->path) == 0 && strcmp(a->dockerfile, b->dockerfile) == 0 &&
	       strcmp(a->args, b->args) == 0 && strcmp(a->target ? a->target : "", b->target ? b->target : "") == 0;
}

static int
open_build(struct plan *p, struct build *b, const char *service, const json_t *given, struct cx_err *e)
{
	CX_FREE char *what = cx_fmt("service %s", service);
	const char *target = cx_json_str(given, "target");

	b->path = cx_path_clean(cx_json_strd(given, "path", "."));
	b->dockerfile = cx_path_clean(cx_json_strd(given, "manifest", "Dockerfile"));
	b->target = target && *target ? cx_strdup(target) : NULL;
	b->services = json_array();
	b->dir = cx_path_open(p->root, b->path, O_RDONLY | O_DIRECTORY, what, e);
	if (b->dir < 0 && e->cls == CX_NO)
		e->cls = CX_BAD;
	return b->dir < 0 ? -1 : read_dockerfile(p, b, service, json_object_get(given, "args"), e);
}

static struct build *
plan_build(struct plan *p, const char *service, const json_t *given, struct cx_err *e)
{
	struct build *b = cx_alloc(sizeof(*b));

	b->dir = -1;
	if (open_build(p, b, service, given, e) < 0) {
		build_free(b);
		return NULL;
	}
	for (size_t i = 0; i < p->builds_n; i++)
		if (same(p->builds[i], b)) {
			build_free(b);
			return p->builds[i];
		}
	p->builds[p->builds_n++] = b;
	return walk(p, b, e) < 0 ? NULL : b;
}

int
plan_make(struct plan *p, json_t *services, struct cx_err *e)
{
	size_t n = json_object_size(services);
	const char *name;
	json_t *s;

	p->source = services;
	p->builds = cx_alloc((n + 1) * sizeof(struct build *));
	p->services = cx_alloc((n + 1) * sizeof(*p->services));
	json_object_foreach (services, name, s) {
		struct service *sv = &p->services[p->services_n++];

		sv->name = name;
		sv->image = cx_json_str(s, "image");
		if (sv->image)
			continue;
		sv->build = plan_build(p, name, json_object_get(s, "build"), e);
		if (!sv->build)
			return -1;
		(void)json_array_append_new(sv->build->services, json_string(name));
	}
	return 0;
}

int
plan_digest(struct plan *p, const char *manifest_text, const json_t *images, char hex[65], struct cx_err *e)
{
	struct hash *h = hash_new();
	int r = 0;

	hash_addf(h, "cx-build 1\n%d\n%zu\n", p->development, strlen(manifest_text));
	hash_add(h, manifest_text, strlen(manifest_text));
	for (size_t i = 0; i < p->builds_n && r == 0; i++) {
		struct build *b = p->builds[i];

		r = context_digest(&b->ctx, b->digest, e);
		hash_addf(h, "%s\n%s\n%s\n%s\n%s\n", b->path, b->dockerfile, b->target ? b->target : "", b->args,
			b->digest);
	}
	for (size_t i = 0; i < p->services_n; i++) {
		const struct service *s = &p->services[i];

		hash_addf(h, "%s %s %s\n", s->name, s->image ? s->image : s->build->path,
			cx_json_strd(images, s->name, ""));
	}
	hash_end(h, hex);
	return r;
}

int
plan_changed(const struct plan *p)
{
	int changed = 0;

	for (size_t i = 0; i < p->builds_n; i++)
		changed |= p->builds[i]->ctx.changed;
	return changed;
}
