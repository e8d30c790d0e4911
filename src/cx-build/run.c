#include "run.h"
#include "document.h"
#include "image.h"
#include "plan.h"
#include "record.h"
#include "source.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/store.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

struct session {
	const struct run *r;
	char app[64];
	struct cx_spool spool;
	struct builder builder;
	struct talk talk;
	struct plan plan;
	json_t *doc, *env, *record;
	char digest[65];
};

static int
interrupted(const struct session *s, struct cx_err *e)
{
	int sig = *s->r->interrupt;

	if (!sig)
		return 0;
	return cx_err_set(e, CX_SYS, "interrupted by SIG%s", sigabbrev_np(sig) ? sigabbrev_np(sig) : "?");
}

static int
open_app(struct session *s, struct cx_err *e)
{
	CX_JSON json_t *app = NULL;

	if (s->r->dir && chdir(s->r->dir) < 0) {
		(void)cx_err_sys(e, "change to folder %s", s->r->dir);
		e->cls = CX_BAD;
		return -1;
	}
	if (cx_app_name(s->app, e) < 0 || cx_spool_open(&s->spool, e) < 0)
		return -1;
	app = cx_store_app(&s->spool, s->app, e);
	if (!app && e->cls == CX_NO)
		return cx_err_hint(e, "make it with: cx apps create %s (or: cx deploy --create)", s->app);
	return app ? record_sweep(&s->spool, s->app, e) : -1;
}

/* The status of a cx-manifest that failed and said why, else 0 or -1. */
static int
prepare(struct session *s, struct cx_err *e)
{
	json_t *services;
	int status = 0;

	s->doc = document_get(!s->r->dir, &status, e);
	if (!s->doc)
		return status ? status : -1;
	s->env = cx_store_env(&s->spool, s->app, NULL, e);
	if (!s->env)
		return -1;
	services = document_services(s->doc, s->env, &status, e);
	if (!services)
		return status ? status : -1;
	s->plan.root = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->plan.root < 0) {
		json_decref(services);
		return cx_err_sys(e, "open the app's folder");
	}
	s->plan.development = s->r->development;
	s->plan.env = s->env;
	s->plan.talk = &s->talk;
	s->plan.cancel = s->r->interrupt;
	return plan_make(&s->plan, services, e);
}

/* The digest of all that decides the images; with the IDs of those that are only named. */
static int
take_digest(struct session *s, struct cx_err *e)
{
	CX_JSON json_t *ids = json_object();

	for (size_t i = 0; i < s->plan.services_n; i++) {
		const struct service *sv = &s->plan.services[i];
		CX_FREE char *id = sv->image ? image_id(s->builder.en, sv->image, e) : NULL;

		if (sv->image && !id && e->cls != CX_NO)
			return -1;
		if (id)
			cx_json_set(ids, sv->name, id);
	}
	return plan_digest(&s->plan, document_text(s->doc), ids, s->digest, e);
}

static int
print_document(const struct session *s, struct cx_err *e)
{
	CX_JSON json_t *doc = json_copy(s->doc);
	json_t *build = json_object();

	cx_json_set(build, "id", cx_json_str(s->record, "id"));
	(void)json_object_set(build, "images", json_object_get(s->record, "images"));
	(void)json_object_set_new(doc, "build", build);
	if (s->r->development)
		(void)json_object_set_new(doc, "development", json_true());
	else
		(void)json_object_del(doc, "development");
	if (cx_json_print(stdout, doc, e) < 0)
		return -1;
	return cx_out_close(e);
}

static char *
repository(const struct session *s, const char *service)
{
	return cx_fmt("%s/%s/%s", cx_json_strd(s->spool.rack, "name", "local"), s->app, service);
}

static int
begin(struct session *s, struct cx_err *e)
{
	CX_JSON json_t *repos = json_object();
	CX_FREE char *log = NULL;

	for (size_t i = 0; i < s->plan.services_n; i++) {
		CX_FREE char *repo = repository(s, s->plan.services[i].name);

		cx_json_set(repos, s->plan.services[i].name, repo);
	}
	s->record = record_begin(&s->spool, s->app, document_text(s->doc), repos, s->r->development, e);
	if (!s->record)
		return -1;
	s->talk.build = cx_json_str(s->record, "id");
	log = cx_fmt("apps/%s/builds/%s/log", s->app, s->talk.build);
	s->talk.log = openat(s->spool.dir, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (s->talk.log < 0)
		return cx_err_sys(e, "create %s", log);
	talk_say(&s->talk, NULL, "start", "%zu service%s", s->plan.services_n, s->plan.services_n == 1 ? "" : "s");
	return 0;
}

/* What the source archive holds: what .dockerignore leaves, and what the build itself read. */
static struct ignore *
source_rules(struct session *s, struct cx_err *e)
{
	struct ignore *ig = plan_ignore(s->plan.root, NULL, e);

	if (!ig)
		return NULL;
	ignore_drop(ig, ".git");
	ignore_keep(ig, document_file(s->doc));
	for (size_t i = 0; i < s->plan.builds_n; i++) {
		const struct build *b = s->plan.builds[i];
		CX_FREE char *path = cx_fmt("%s/%s", b->path, b->dockerfile), *clean = NULL;

		clean = strcmp(b->path, ".") == 0 ? cx_strdup(b->dockerfile) : cx_strdup(path);
		ignore_keep(ig, clean);
	}
	return ig;
}

static int
use_image(struct session *s, const struct service *sv, struct cx_err *e)
{
	CX_FREE char *repo = repository(s, sv->name), *id = image_id(s->builder.en, sv->image, e);

	talk_say(&s->talk, sv->name, "start", "image %s", sv->image);
	if (!id) {
		if (e->cls != CX_NO || image_pull(s->builder.en, sv->image, sv->name, &s->talk, s->r->interrupt, e) < 0)
			return -1;
	}
	if (image_tag(s->builder.en, sv->image, repo, s->talk.build, e) < 0)
		return -1;
	talk_say(&s->talk, sv->name, "done", "image %s%s", sv->image, id ? "" : ", pulled");
	return 0;
}

static int
make_build(struct session *s, const struct service *sv, struct cx_err *e)
{
	struct build *b = sv->build;
	CX_JSON json_t *tags = json_array();
	const json_t *images = json_object_get(s->record, "images"), *v;
	const char *first = json_string_value(json_array_get(b->services, 0));
	size_t i;

	if (b->built) {
		talk_say(&s->talk, sv->name, "done", "the same image as %s", first);
		return 0;
	}
	json_array_foreach (b->services, i, v)
		(void)json_array_append(tags, json_object_get(images, json_string_value(v)));
	talk_say(&s->talk, sv->name, "start", "%s%s%s of %s", b->dockerfile, b->target ? ", stage " : "",
		b->target ? b->target : "", strcmp(b->path, ".") == 0 ? "the app's folder" : b->path);
	if (builder_build(&s->builder, b, tags, &s->talk, e) < 0)
		return -1;
	b->built = 1;
	talk_say(&s->talk, sv->name, "done", "%s", json_string_value(json_array_get(tags, 0)));
	return 0;
}

static int
make_service(struct session *s, const struct service *sv, struct cx_err *e)
{
	int rc = sv->image ? use_image(s, sv, e) : make_build(s, sv, e);

	if (rc < 0 && interrupted(s, e) < 0)
		talk_fail(&s->talk, sv->name, NULL, e->text, NULL, NULL);
	else if (rc < 0 && !s->talk.failed)
		talk_fail(&s->talk, sv->name, NULL, e->text, e->hint[0] ? e->hint : NULL, NULL);
	return rc < 0 ? -1 : interrupted(s, e);
}

static int
make_images(struct session *s, struct source *source, struct cx_err *e)
{
	int rc;

	for (size_t i = 0; i < s->plan.services_n; i++)
		if (make_service(s, &s->plan.services[i], e) < 0)
			return -1;
	rc = source_wait(source, s->r->interrupt, e);
	if (rc > 0)
		talk_say(&s->talk, "source", "warn", "too large to keep: cx diff will not know this build");
	return rc < 0 ? -1 : 0;
}

static int
make_all(struct session *s, struct cx_err *e)
{
	struct source source = {0};
	struct ignore *ig = source_rules(s, e);
	CX_FREE char *path = cx_fmt("apps/%s/builds/%s", s->app, s->talk.build);
	CX_CLOSE int dir = openat(s->spool.dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = ig ? 0 : -1;

	if (rc == 0 && dir < 0)
		rc = cx_err_sys(e, "open folder %s", path);
	if (rc == 0)
		rc = source_start(&source, s->plan.root, dir, ig, e);
	if (rc == 0) {
		rc = make_images(s, &source, e);
		source_stop(&source, dir);
	}
	ignore_free(ig);
	return rc < 0 && interrupted(s, e) < 0 ? -1 : rc;
}

/* Names of a build that failed after all; the cache stays. */
static void
drop_images(struct session *s)
{
	json_t *images = json_object_get(s->record, "images"), *v;
	const char *name;

	json_object_foreach (images, name, v) {
		CX_FREE char *path = cx_fmt("/images/%s?noprune=1", json_string_value(v));
		struct cx_err ignore;

		json_decref(cx_engine_call(s->builder.en, "DELETE", path, NULL, &ignore));
	}
	(void)json_object_clear(images);
}

static int
build_new(struct session *s, struct cx_err *e)
{
	struct cx_err ignore;
	int rc = begin(s, e);

	if (!s->record)
		return -1;
	if (rc == 0)
		rc = make_all(s, e);
	if (rc < 0) {
		drop_images(s);
		(void)record_end(&s->spool, s->record, "failed", e->text, NULL, &ignore);
		if (!s->talk.failed)
			talk_fail(&s->talk, NULL, NULL, e->text, e->hint[0] ? e->hint : NULL, NULL);
		e->hint[0] = '\0'; /* shown already */
		return -1;
	}
	if (record_end(&s->spool, s->record, "complete", NULL, plan_changed(&s->plan) ? NULL : s->digest, e) < 0)
		return -1;
	talk_say(&s->talk, NULL, "done", "complete");
	return 0;
}

static int
build_or_reuse(struct session *s, struct cx_err *e)
{
	if (take_digest(s, e) < 0)
		return -1;
	if (!s->r->no_cache && record_reuse(&s->spool, s->app, s->digest, s->builder.en, &s->record, e) < 0)
		return -1;
	if (s->record) {
		talk_say(&s->talk, cx_json_str(s->record, "id"), "skip", "nothing changed");
		return 0;
	}
	return builder_find(&s->builder, e) < 0 ? -1 : build_new(s, e);
}

static void
close_session(struct session *s)
{
	cx_own_close(&s->plan.root);
	plan_free(&s->plan);
	cx_own_close(&s->talk.log);
	cx_display_free(s->talk.display);
	cx_engine_close(s->builder.en);
	cx_spool_close(&s->spool);
	json_decref(s->doc);
	json_decref(s->env);
	json_decref(s->record);
}

static int
work(struct session *s, struct cx_err *e)
{
	int rc = open_app(s, e);

	if (rc == 0)
		rc = prepare(s, e);
	if (rc != 0)
		return interrupted(s, e) < 0 ? -1 : rc;
	s->builder.en = cx_engine_open(NULL, s->spool.rack, e);
	if (!s->builder.en)
		return -1;
	rc = build_or_reuse(s, e);
	if (rc < 0)
		return interrupted(s, e) < 0 ? -1 : rc;
	return print_document(s, e);
}

int
run(const struct run *r, struct cx_err *e)
{
	struct session s = {.r = r, .talk = {.log = -1}, .plan = {.root = -1}, .spool = {.dir = -1}};
	int rc;

	s.talk.app = s.app;
	s.talk.display = cx_display_new();
	s.builder.no_cache = r->no_cache;
	s.builder.cancel = r->interrupt;
	rc = work(&s, e);
	close_session(&s);
	return rc;
}
