/* Apps: app.json, its lock, and what commands want of an app. Builds and releases are in history.c. */
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/near.h>
#include <cx/own.h>
#include <cx/store.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define COUNT_MAX 1000

/* The lock that this process took last; a descriptor that no longer is that file's means none. */
static struct {
	int fd;
	char app[64];
} held = {.fd = -1};

static json_t *
load(struct cx_spool *s, const char *app, const char *file, struct cx_err *e)
{
	CX_FREE char *path = cx_fmt("apps/%s/%s", app, file);

	return cx_json_load(s->dir, path, e);
}

static int
no_app(struct cx_spool *s, const char *app, struct cx_err *e)
{
	struct cx_err ignore;
	CX_JSON json_t *names = cx_spool_list(s->dir, "apps", &ignore);
	unsigned best = cx_near_limit(app) + 1;
	const char *near = NULL;
	json_t *v;
	size_t i;

	json_array_foreach (names, i, v) {
		unsigned n = cx_near_distance(app, json_string_value(v));

		if (n < best) {
			best = n;
			near = json_string_value(v);
		}
	}
	(void)cx_err_set(e, CX_NO, "there is no app %s on rack %s", app, cx_json_strd(s->rack, "name", "local"));
	if (near)
		return cx_err_hint(e, "did you mean %s? cx apps lists all", near);
	return cx_err_hint(e, "cx apps lists them; make this one with: cx apps create %s", app);
}

static json_t *
load_app(struct cx_spool *s, const char *app, struct cx_err *e)
{
	json_t *a;

	if (cx_name_check("app", app, e) < 0)
		return NULL;
	a = load(s, app, "app.json", e);
	if (!a && e->cls == CX_NO)
		(void)no_app(s, app, e);
	return a;
}

static const char *
status_of(const json_t *app, const json_t *state)
{
	const char *wanted = cx_json_str(app, "attempt");

	if (strcmp(cx_json_strd(app, "status", ""), "deleting") == 0)
		return "deleting";
	if (wanted && strcmp(cx_json_strd(state, "attempt", ""), wanted) != 0)
		return "promoting";
	return strcmp(cx_json_strd(state, "result", ""), "promoting") == 0 ? "promoting" : "running";
}

json_t *
cx_store_app(struct cx_spool *s, const char *app, struct cx_err *e)
{
	static const char *const keys[] = {"active", "promoting", "result", "reason", "services", "resources"};
	CX_JSON json_t *a = load_app(s, app, e), *state = NULL;
	struct cx_err se;

	if (!a)
		return NULL;
	state = load(s, app, "state.json", &se);
	if (!state && se.cls != CX_NO) {
		*e = se;
		return NULL;
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *v = json_object_get(state, keys[i]);

		(void)json_object_set_new(a, keys[i], v ? json_incref(v) : i < 4 ? json_null() : json_array());
	}
	cx_json_set(a, "status", status_of(a, state));
	return cx_steal(&a);
}

json_t *
cx_store_apps(struct cx_spool *s, struct cx_err *e)
{
	CX_JSON json_t *names = cx_spool_list(s->dir, "apps", e), *all = json_array();
	json_t *v;
	size_t i;

	if (!names)
		return NULL;
	json_array_foreach (names, i, v) {
		json_t *a = cx_name_valid(json_string_value(v)) ? cx_store_app(s, json_string_value(v), e) : NULL;

		/* Deleted since the folder was read, or no app at all: not an error of the list. */
		if (!a && cx_name_valid(json_string_value(v)) && e->cls != CX_NO)
			return NULL;
		if (a)
			(void)json_array_append_new(all, a);
	}
	return cx_steal(&all);
}

/* Leftovers of creations that were killed; only the holder of apps/.lock makes such names. */
static int
sweep_apps(struct cx_spool *s, struct cx_err *e)
{
	CX_JSON json_t *names = cx_spool_list(s->dir, "apps/.new", e);
	json_t *v;
	size_t i;

	json_array_foreach (names, i, v) {
		CX_FREE char *path = cx_fmt("apps/.new/%s", json_string_value(v));

		if (cx_spool_remove(s->dir, path, e) < 0)
			return -1;
	}
	return names ? 0 : -1;
}

static int
fill_app(int dirfd, const char *dir, const char *app, struct cx_err *e)
{
	CX_JSON json_t *a = json_object();
	CX_FREE char *builds = cx_fmt("%s/builds", dir), *releases = cx_fmt("%s/releases", dir);
	CX_FREE char *requests = cx_fmt("%s/requests", dir), *file = cx_fmt("%s/app.json", dir);
	char now[32];

	cx_time_now(now);
	cx_json_seti(a, "v", 1);
	cx_json_set(a, "name", app);
	cx_json_set(a, "created", now);
	cx_json_set(a, "status", "running");
	cx_json_set(a, "release", NULL);
	cx_json_set(a, "attempt", NULL);
	(void)json_object_set_new(a, "scale", json_object());
	if (cx_spool_mkdir(dirfd, builds, 0755, e) < 0 || cx_spool_mkdir(dirfd, releases, 0755, e) < 0)
		return -1;
	if (cx_spool_mkdir(dirfd, requests, 0755, e) < 0)
		return -1;
	return cx_spool_publish_json(dirfd, file, a, 0644, e);
}

static int
exists(struct cx_spool *s, const char *app, struct cx_err *e)
{
	CX_JSON json_t *a = load(s, app, "app.json", e);

	if (a && strcmp(cx_json_strd(a, "status", ""), "deleting") == 0) {
		(void)cx_err_set(e, CX_NO, "app %s is being deleted", app);
		return cx_err_hint(e, "wait until it is gone from: cx apps");
	}
	return cx_err_set(e, CX_NO, "there is an app %s already", app);
}

static int
sync_dir(int dirfd, const char *name, struct cx_err *e)
{
	CX_CLOSE int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? cx_err_sys(e, "sync folder %s", name) : 0;
}

int
cx_store_app_create(struct cx_spool *s, const char *app, struct cx_err *e)
{
	CX_FREE char *tmp = cx_fmt("apps/.new/%s", app), *to = cx_fmt("apps/%s", app);
	CX_CLOSE int lock = -1;

	if (cx_name_check("app", app, e) < 0 || cx_spool_mkdir(s->dir, "apps/.new", 0700, e) < 0)
		return -1;
	lock = cx_lock(s->dir, "apps/.lock", 10, "apps create", e);
	if (lock < 0 || sweep_apps(s, e) < 0)
		return -1;
	if (cx_spool_mkdir(s->dir, tmp, 0755, e) < 0 || fill_app(s->dir, tmp, app, e) < 0) {
		struct cx_err ignore;

		(void)cx_spool_remove(s->dir, tmp, &ignore);
		return -1;
	}
	if (renameat2(s->dir, tmp, s->dir, to, RENAME_NOREPLACE) < 0) {
		int there = errno == EEXIST || errno == ENOTEMPTY;

		(void)cx_err_sys(e, "create %s", to);
		(void)sweep_apps(s, &(struct cx_err){0});
		return there ? exists(s, app, e) : -1;
	}
	return sync_dir(s->dir, "apps", e);
}

static int
holds(struct cx_spool *s, const char *app)
{
	CX_FREE char *path = cx_fmt("apps/%s/.lock", app);
	struct stat a, b;

	return held.fd >= 0 && strcmp(held.app, app) == 0 && fstat(held.fd, &a) == 0 &&
	       fstatat(s->dir, path, &b, 0) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

/* -2: this process holds it already. */
static int
take_lock(struct cx_spool *s, const char *app, const char *why, struct cx_err *e)
{
	CX_FREE char *path = cx_fmt("apps/%s/.lock", app), *file = cx_fmt("apps/%s/app.json", app);
	int fd;

	if (cx_name_check("app", app, e) < 0)
		return -1;
	if (holds(s, app))
		return -2;
	if (faccessat(s->dir, file, F_OK, 0) < 0 && errno == ENOENT)
		return no_app(s, app, e);
	fd = cx_lock(s->dir, path, 10, why, e);
	if (fd < 0)
		return -1;
	held.fd = fd;
	(void)snprintf(held.app, sizeof(held.app), "%s", app);
	/* The folder may have been removed, and even made again, while we waited for the old one's lock. */
	if (!holds(s, app)) {
		close(fd);
		held.fd = -1;
		return no_app(s, app, e);
	}
	return fd;
}

int
cx_store_lock(struct cx_spool *s, const char *app, const char *why, struct cx_err *e)
{
	CX_CLOSE int fd = take_lock(s, app, why, e);
	CX_JSON json_t *a = NULL;

	if (fd == -2)
		return fcntl(held.fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -1;
	/* While we waited, the app may have gone. */
	a = load_app(s, app, e);
	if (!a)
		return -1;
	if (strcmp(cx_json_strd(a, "status", ""), "deleting") == 0)
		return cx_err_set(e, CX_NO, "app %s is being deleted", app);
	return cx_steal_fd(&fd);
}

static int
put_app(struct cx_spool *s, const char *app, const json_t *a, struct cx_err *e)
{
	CX_FREE char *path = cx_fmt("apps/%s/app.json", app);

	return cx_spool_publish_json(s->dir, path, a, 0644, e);
}

int
cx_store_app_delete(struct cx_spool *s, const char *app, struct cx_err *e)
{
	CX_CLOSE int lock = take_lock(s, app, "apps delete", e);
	CX_JSON json_t *a = lock == -1 ? NULL : load_app(s, app, e);

	if (!a)
		return -1;
	cx_json_set(a, "status", "deleting");
	return put_app(s, app, a, e);
}

int
cx_store_scale(struct cx_spool *s, const char *app, const json_t *counts, struct cx_err *e)
{
	CX_CLOSE int lock = cx_store_lock(s, app, "scale", e);
	CX_JSON json_t *a = lock < 0 ? NULL : load_app(s, app, e);
	json_t *scale, *v;
	const char *name;

	if (!a)
		return -1;
	scale = json_object_get(a, "scale");
	if (!json_is_object(scale)) {
		(void)json_object_set_new(a, "scale", json_object());
		scale = json_object_get(a, "scale");
	}
	json_object_foreach ((json_t *)counts, name, v) {
		if (cx_name_check("service", name, e) < 0)
			return -1;
		if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > COUNT_MAX)
			return cx_err_set(e, CX_BAD, "the count of %s must be 0 to %d", name, COUNT_MAX);
		(void)json_object_set_new(scale, name, json_pack("{s:O}", "count", v));
	}
	return put_app(s, app, a, e);
}

int
cx_store_promote(struct cx_spool *s, const char *app, const char *release, char attempt[12], struct cx_err *e)
{
	CX_CLOSE int lock = cx_store_lock(s, app, "promote", e);
	CX_JSON json_t *a = lock < 0 ? NULL : load_app(s, app, e), *r = NULL;

	if (!a)
		return -1;
	r = cx_store_release(s, app, release, e);
	if (!r)
		return -1;
	if (!cx_json_str(r, "build")) {
		(void)cx_err_set(e, CX_NO, "release %s of %s has no build", release, app);
		return cx_err_hint(e, "make one with: cx deploy -a %s", app);
	}
	cx_id_make('T', attempt);
	cx_json_set(a, "release", release);
	cx_json_set(a, "attempt", attempt);
	return put_app(s, app, a, e);
}
