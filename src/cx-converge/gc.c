/* What nobody needs any more: images and sources of old builds, leftovers of killed clients, deleted apps. Only what
 * bears our marks. */
#include "converge.h"
#include <cx/buf.h>
#include <cx/own.h>
#include <cx/store.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* Builds that must stay: of the active release, the wanted one, and the newest `keep` releases; and builds that run. */
static json_t *
kept_builds(struct conv *c, struct app *a, struct cx_err *e)
{
	CX_JSON json_t *releases = cx_store_releases(&c->spool, a->name, e),
		       *builds = cx_store_builds(&c->spool, a->name, e);
	size_t keep = (size_t)cx_json_int(c->spool.rack, "keep", 5), i;
	json_t *set = json_object(), *r;

	if (!releases || !builds) {
		json_decref(set);
		return NULL;
	}
	json_array_foreach (releases, i, r) {
		const char *id = cx_json_strd(r, "id", ""), *build = cx_json_str(r, "build");

		if (build && (i < keep || strcmp(id, state_str(a, "active")) == 0 ||
				     strcmp(id, cx_json_strd(a->app, "release", "")) == 0))
			(void)json_object_set_new(set, build, json_true());
	}
	/* A build newer than the newest release is about to be released. */
	json_array_foreach (builds, i, r)
		if (i < keep)
			(void)json_object_set_new(set, cx_json_strd(r, "id", ""), json_true());
	return set;
}

static json_t *
images(struct conv *c, const char *app, struct cx_err *e)
{
	CX_BUF struct cx_buf path = {0};
	CX_FREE char *filter = cx_fmt("{\"reference\":[\"%s/%s/*\"]}", c->rack, app);

	cx_buf_adds(&path, "/images/json?filters=");
	cx_query(&path, filter);
	return cx_engine_call(c->engine, "GET", path.p, NULL, e);
}

static void
remove_image(struct conv *c, const char *tag)
{
	CX_FREE char *path = cx_fmt("/images/%s?noprune=0", tag);
	struct cx_err e;
	CX_JSON json_t *j = cx_engine_call(c->engine, "DELETE", path, NULL, &e);

	if (!j && e.cls != CX_NO && cx_engine_status(c->engine) != 409)
		complain("remove an image", &e);
}

/* Removes tags RACK/APP/SERVICE:BUILD whose build is not in keep (NULL: all). */
static void
sweep_images(struct conv *c, const char *app, const json_t *keep)
{
	CX_FREE char *prefix = cx_fmt("%s/%s/", c->rack, app);
	struct cx_err e;
	CX_JSON json_t *list = images(c, app, &e);
	size_t i, k;
	json_t *image, *tag;

	json_array_foreach (list, i, image)
		json_array_foreach (json_object_get(image, "RepoTags"), k, tag) {
			const char *t = json_string_value(tag), *colon = t ? strrchr(t, ':') : NULL;

			if (!colon || strncmp(t, prefix, strlen(prefix)) != 0)
				continue;
			if (!keep || (cx_id_valid(colon + 1, 'B') && !json_object_get(keep, colon + 1)))
				remove_image(c, t);
		}
}

/* Of a build that has no images any more the record and the log stay, the archive of its source goes. */
static void
sweep_sources(struct conv *c, const char *app, const json_t *keep)
{
	CX_FREE char *dir = cx_fmt("apps/%s/builds", app);
	struct cx_err e;
	CX_JSON json_t *ids = cx_spool_list(c->spool.dir, dir, &e);
	size_t i;
	json_t *id;

	json_array_foreach (ids, i, id) {
		CX_FREE char *file = cx_fmt("%s/%s/source.tar.gz", dir, json_string_value(id));

		if (!json_object_get(keep, json_string_value(id)))
			(void)unlinkat(c->spool.dir, file, 0);
	}
}

void
gc_images(struct conv *c, struct app *a)
{
	struct cx_err e;
	CX_JSON json_t *keep = kept_builds(c, a, &e);

	if (!keep)
		return;
	sweep_images(c, a->name, keep);
	sweep_sources(c, a->name, keep);
}

/* The owner label is PID:STARTTIME (field 22 of /proc/PID/stat): gone, or another process by now. */
static int
owner_lives(const char *owner)
{
	char path[64], stat[1024];
	long pid = strtol(owner, NULL, 10);
	const char *start = strchr(owner, ':'), *p;
	size_t n;

	(void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	CX_FCLOSE FILE *f = fopen(path, "re");
	if (!f || !start)
		return 0;
	n = fread(stat, 1, sizeof(stat) - 1, f);
	stat[n] = '\0';
	p = strrchr(stat, ')');
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p && strtoull(p + 1, NULL, 10) == strtoull(start + 1, NULL, 10);
}

void
gc_processes(struct conv *c)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct box *b = &c->boxes[i];

		if (strcmp(b->type, "process") != 0 || !b->owner[0] || owner_lives(b->owner))
			continue;
		(void)fprintf(stderr, "%s: its owner is gone\n", b->name);
		box_remove(c, b->id);
	}
}

static void
sweep_volumes(struct conv *c, const char *app)
{
	CX_BUF struct cx_buf path = {0};
	CX_FREE char *filter = cx_fmt("{\"label\":[\"convox.rack=%s\",\"convox.app=%s\"]}", c->rack, app);
	struct cx_err e;
	size_t i;
	json_t *v;

	cx_buf_adds(&path, "/volumes?filters=");
	cx_query(&path, filter);
	CX_JSON json_t *list = cx_engine_call(c->engine, "GET", path.p, NULL, &e);
	json_array_foreach (json_object_get(list, "Volumes"), i, v) {
		CX_FREE char *one = cx_fmt("/volumes/%s", cx_json_strd(v, "Name", ""));
		CX_JSON json_t *j = cx_engine_call(c->engine, "DELETE", one, NULL, &e);

		if (!j && e.cls != CX_NO)
			complain("remove a volume", &e);
	}
}

int
gc_app(struct conv *c, struct app *a)
{
	CX_FREE char *route = cx_fmt("routes/%s.json", a->name), *dir = cx_fmt("apps/%s", a->name);
	CX_FREE char *trash = cx_fmt("apps/.gone.%s", a->name);
	int left = 0;
	struct cx_err e;

	(void)unlinkat(c->spool.dir, route, 0);
	for (size_t i = 0; i < c->n; i++) {
		if (strcmp(c->boxes[i].app, a->name) != 0)
			continue;
		left++;
		box_stop(c, &c->boxes[i]);
	}
	c->busy = 1;
	if (left)
		return 0;
	sweep_images(c, a->name, NULL);
	sweep_volumes(c, a->name);
	/* Out of sight in one step; what a kill leaves of the rest is removed at the next start. */
	if (cx_spool_remove(c->spool.dir, trash, &e) < 0 || renameat(c->spool.dir, dir, c->spool.dir, trash) < 0 ||
		cx_spool_remove(c->spool.dir, trash, &e) < 0) {
		complain("remove an app", &e);
		return 0;
	}
	return 1;
}

/* Temporaries of publishers that were killed: dot-files that are ten minutes old. */
static void
sweep_dir(struct conv *c, const char *dir, int depth)
{
	struct cx_err e;
	CX_FREE char *full = cx_fmt("%s/%s", c->spool.path, dir);
	CX_CLOSE int fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CX_JSON json_t *names = fd < 0 ? NULL : cx_spool_list(fd, ".", &e);
	size_t i;
	json_t *v;

	json_array_foreach (names, i, v) {
		CX_FREE char *sub = cx_fmt("%s/%s", dir, json_string_value(v));

		if (depth > 0)
			sweep_dir(c, sub, depth - 1);
	}
	if (fd >= 0)
		cx_spool_sweep(fd, 600);
}

void
gc_temporaries(struct conv *c)
{
	sweep_dir(c, "routes", 0);
	sweep_dir(c, "apps", 3);
}

/* A request stands until its process is down: the client waits for the file to go. */
static int
request_done(struct conv *c, const struct app *a, const json_t *r)
{
	const char *id = cx_json_strd(r, "process", "");

	if (strcmp(cx_json_strd(r, "op", ""), "stop") != 0 || strlen(id) < 8)
		return 1;
	for (size_t i = 0; i < c->n; i++) {
		struct box *b = &c->boxes[i];

		if (strcmp(b->app, a->name) != 0 || strncmp(b->id, id, strlen(id)) != 0 || b->state != RUNNING)
			continue;
		box_stop(c, b);
		return 0;
	}
	return 1;
}

void
requests_step(struct conv *c, struct app *a)
{
	CX_FREE char *dir = cx_fmt("apps/%s/requests", a->name);
	struct cx_err e;
	CX_JSON json_t *names = cx_spool_list(c->spool.dir, dir, &e);
	size_t i;
	json_t *v;

	json_array_foreach (names, i, v) {
		CX_FREE char *file = cx_fmt("%s/%s", dir, json_string_value(v));
		CX_JSON json_t *r = cx_json_load(c->spool.dir, file, &e);

		c->busy = 1;
		if (!r || request_done(c, a, r))
			(void)unlinkat(c->spool.dir, file, 0);
	}
}
