/* Builds and releases of an app: folders that appear whole, by a rename, under the app's lock. */
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/store.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#define ENV_MAX ((size_t)4 << 20)

/* app must be a name, id an ID: both become a path. */
static json_t *
load_record(struct cx_spool *s, const char *app, const char *kind, const char *id, struct cx_err *e)
{
	CX_FREE char *path = cx_fmt("apps/%s/%ss/%s/%s.json", app, kind, id, kind);
	json_t *j;

	if (!cx_id_valid(id, kind[0] == 'b' ? 'B' : 'R')) {
		(void)cx_err_set(e, CX_BAD, "\"%.40s\" is not the ID of a %s", id, kind);
		(void)cx_err_hint(e, "an ID is %c and ten capitals: cx %ss -a %s lists them",
			kind[0] == 'b' ? 'B' : 'R', kind, app);
		return NULL;
	}
	j = cx_json_load(s->dir, path, e);
	if (!j && e->cls == CX_NO) {
		(void)cx_err_set(e, CX_NO, "app %s has no %s %s", app, kind, id);
		(void)cx_err_hint(e, "cx %ss -a %s lists them", kind, app);
	}
	return j;
}

static json_t *
record(struct cx_spool *s, const char *app, const char *kind, const char *id, struct cx_err *e)
{
	CX_JSON json_t *a = cx_store_app(s, app, e);

	return a ? load_record(s, app, kind, id, e) : NULL;
}

static int
newest_first(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	int n = strcmp(cx_json_strd(y, "created", ""), cx_json_strd(x, "created", ""));

	return n ? n : strcmp(cx_json_strd(y, "id", ""), cx_json_strd(x, "id", ""));
}

static json_t *
sorted(const json_t *list)
{
	size_t n = json_array_size(list), i;
	CX_FREE json_t **v = cx_alloc(n * sizeof(json_t *));
	json_t *all = json_array();

	for (i = 0; i < n; i++)
		v[i] = json_array_get(list, i);
	if (n)
		qsort(v, n, sizeof(json_t *), newest_first);
	for (i = 0; i < n; i++)
		(void)json_array_append(all, v[i]);
	return all;
}

static json_t *
records(struct cx_spool *s, const char *app, const char *kind, struct cx_err *e)
{
	CX_JSON json_t *a = cx_store_app(s, app, e), *names = NULL, *all = json_array();
	CX_FREE char *dir = cx_fmt("apps/%s/%ss", app, kind);
	json_t *v;
	size_t i;

	names = a ? cx_spool_list(s->dir, dir, e) : NULL;
	if (!names)
		return NULL;
	json_array_foreach (names, i, v) {
		json_t *j = load_record(s, app, kind, json_string_value(v), e);

		/* Pruned since the folder was read, or a stranger's file. */
		if (!j && e->cls == CX_SYS)
			return NULL;
		if (j)
			(void)json_array_append_new(all, j);
	}
	return sorted(all);
}

json_t *
cx_store_build(struct cx_spool *s, const char *app, const char *id, struct cx_err *e)
{
	return record(s, app, "build", id, e);
}

json_t *
cx_store_builds(struct cx_spool *s, const char *app, struct cx_err *e)
{
	return records(s, app, "build", e);
}

json_t *
cx_store_release(struct cx_spool *s, const char *app, const char *id, struct cx_err *e)
{
	return record(s, app, "release", id, e);
}

json_t *
cx_store_releases(struct cx_spool *s, const char *app, struct cx_err *e)
{
	return records(s, app, "release", e);
}

int
cx_store_newest(struct cx_spool *s, const char *app, char id[12], struct cx_err *e)
{
	CX_JSON json_t *all = cx_store_releases(s, app, e);

	if (!all)
		return -1;
	if (json_array_size(all) == 0)
		return 0;
	(void)snprintf(id, 12, "%s", cx_json_strd(json_array_get(all, 0), "id", ""));
	return 1;
}

/* What a killed process left; only the lock's holder makes such folders. */
static int
sweep(struct cx_spool *s, const char *dir, struct cx_err *e)
{
	CX_FREE char *path = cx_fmt("%s/.new", dir);

	return cx_spool_remove(s->dir, path, e);
}

/* dir/.new, which is filled, becomes dir/ID at once. */
static int
appear(struct cx_spool *s, const char *dir, const char *id, struct cx_err *e)
{
	CX_FREE char *from = cx_fmt("%s/.new", dir), *to = cx_fmt("%s/%s", dir, id);
	CX_CLOSE int fd = openat(s->dir, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return cx_err_sys(e, "open folder %s", dir);
	if (renameat(s->dir, from, s->dir, to) < 0)
		return cx_err_sys(e, "make %s", to);
	return fsync(fd) < 0 ? cx_err_sys(e, "sync folder %s", dir) : 0;
}

/* Now, but behind the newest of the others, so that a clock that was set back does not change what is newest. */
static void
time_behind(const json_t *newest, char buf[32])
{
	const char *last = cx_json_strd(newest, "created", "");
	struct tm tm = {0};
	const char *rest;
	char s[24];
	time_t t;
	int ms;

	cx_time_now(buf);
	if (strcmp(buf, last) > 0)
		return;
	rest = strptime(last, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!rest)
		return;
	ms = (*rest == '.' ? atoi(rest + 1) : 0) + 1;
	t = timegm(&tm) + ms / 1000;
	(void)gmtime_r(&t, &tm);
	(void)strftime(s, sizeof(s), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(buf, 32, "%.20s.%03dZ", s, ms % 1000);
}

int
cx_store_build_create(struct cx_spool *s, const char *app, const char *manifest_text, char id[12], struct cx_err *e)
{
	CX_CLOSE int lock = cx_store_lock(s, app, "build", e);
	CX_FREE char *dir = cx_fmt("apps/%s/builds", app), *tmp = cx_fmt("%s/.new", dir);
	CX_FREE char *file = cx_fmt("%s/build.json", tmp);
	CX_JSON json_t *b = NULL, *all = lock < 0 ? NULL : cx_store_builds(s, app, e);
	char now[32];

	if (!all || sweep(s, dir, e) < 0)
		return -1;
	cx_id_make('B', id);
	time_behind(json_array_get(all, 0), now);
	b = json_pack("{s:i,s:s,s:s,s:s,s:s,s:s?,s:n}", "v", 1, "id", id, "app", app, "status", "running", "created",
		now, "manifest", manifest_text, "ended");
	if (!b)
		return cx_err_set(e, CX_BAD, "the manifest is not UTF-8");
	cx_json_seti(b, "pid", (long long)getpid());
	if (cx_spool_mkdir(s->dir, tmp, 0755, e) < 0 || cx_spool_publish_json(s->dir, file, b, 0644, e) < 0)
		return -1;
	return appear(s, dir, id, e);
}

int
cx_store_build_put(struct cx_spool *s, const char *app, const char *id, const json_t *build, struct cx_err *e)
{
	CX_FREE char *path = cx_fmt("apps/%s/builds/%s/build.json", app, id);

	if (cx_name_check("app", app, e) < 0)
		return -1;
	if (!cx_id_valid(id, 'B'))
		return cx_err_set(e, CX_BAD, "\"%.40s\" is not the ID of a build", id);
	return cx_spool_publish_json(s->dir, path, build, 0644, e);
}

int
cx_store_env_check(const char *name, const json_t *value, struct cx_err *e)
{
	static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	static const char next[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	if (!*name || !strchr(first, name[0]) || strspn(name, next) != strlen(name)) {
		(void)cx_err_set(e, CX_BAD, "\"%.80s\" is not a name for a variable", name);
		return cx_err_hint(e, "a name is letters, digits and _, and does not begin with a digit");
	}
	if (!json_is_string(value))
		return cx_err_set(e, CX_BAD, "the value of %.80s is not a string", name);
	if (!cx_utf8_valid(json_string_value(value), json_string_length(value)))
		return cx_err_set(e, CX_BAD, "the value of %.80s has a NUL byte or is not UTF-8", name);
	return 0;
}

/* Runs cx-seal OP APP/RELEASE; the secret goes through pipes only. */
static int
seal(struct cx_spool *s, const char *op, const char *app, const char *id, const char *p, size_t n, struct cx_buf *out,
	struct cx_err *e)
{
	CX_FREE char *context = cx_fmt("%s/%s", app, id), *spool = cx_fmt("CX_SPOOL=%s", s->path);
	const char *argv[] = {"cx-seal", op, context, NULL}, *env[] = {spool, NULL};
	int st = cx_run(argv, env, p, n, out, 2 * ENV_MAX, e);

	if (st < 0)
		return -1;
	if (st == 0)
		return 0;
	(void)cx_err_set(
		e, st == CX_SYS ? CX_SYS : CX_BAD, "cannot %s the environment of release %s of %s", op, id, app);
	return cx_err_hint(e, "what cx-seal said stands above");
}

static int
write_env(struct cx_spool *s, const char *app, const char *id, const char *dir, const json_t *env, struct cx_err *e)
{
	CX_FREE char *file = cx_fmt("%s/env", dir), *text = NULL;
	CX_BUF struct cx_buf sealed = {0};
	const char *name;
	json_t *v;
	size_t n;
	int r;

	json_object_foreach ((json_t *)env, name, v) {
		if (cx_store_env_check(name, v, e) < 0)
			return -1;
	}
	if (json_object_size(env) == 0)
		return 0;
	text = json_dumps(env, JSON_COMPACT | JSON_SORT_KEYS);
	n = text ? strlen(text) : 0;
	if (n == 0 || n > ENV_MAX)
		return cx_err_set(e, CX_BAD, "the environment is larger than %zu bytes", ENV_MAX);
	r = seal(s, "seal", app, id, text, n, &sealed, e);
	explicit_bzero(text, n);
	return r < 0 ? -1 : cx_spool_publish(s->dir, file, sealed.p, sealed.n, 0600, e);
}

json_t *
cx_store_env(struct cx_spool *s, const char *app, const char *release, struct cx_err *e)
{
	CX_JSON json_t *r = NULL;
	CX_FREE char *path = NULL;
	CX_CLOSE int fd = -1;
	CX_BUF struct cx_buf sealed = {0}, plain = {0};
	json_t *env = NULL;
	char newest[12];

	if (!release) {
		int n = cx_store_newest(s, app, newest, e);

		if (n <= 0)
			return n < 0 ? NULL : json_object();
		release = newest;
	}
	r = cx_store_release(s, app, release, e);
	if (!r)
		return NULL;
	path = cx_fmt("apps/%s/releases/%s/env", app, release);
	if (faccessat(s->dir, path, F_OK, AT_EACCESS) < 0 && errno == ENOENT)
		return json_object();
	fd = openat(s->dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		(void)cx_err_sys(e, "open %s", path);
	else if (cx_buf_read(&sealed, fd, 2 * ENV_MAX, path, e) == 0 &&
		 seal(s, "open", app, release, cx_buf_str(&sealed), sealed.n, &plain, e) == 0)
		env = cx_json_parse(cx_buf_str(&plain), plain.n, path, e);
	if (plain.p)
		explicit_bzero(plain.p, plain.n);
	return env;
}

static json_t *
pick_parent(struct cx_spool *s, const char *app, const char *from, const json_t *all, struct cx_err *e)
{
	json_t *r;

	if (!from)
		return (r = json_array_get(all, 0)) ? json_incref(r) : json_null();
	return cx_store_release(s, app, from, e);
}

/* build: the build's record, or NULL when the release takes the parent's build. */
static json_t *
new_release(const char *app, const char *id, const json_t *parent, const json_t *build, const char *now)
{
	const json_t *source = build ? build : parent;
	json_t *r = json_object();

	cx_json_seti(r, "v", 1);
	cx_json_set(r, "id", id);
	cx_json_set(r, "app", app);
	cx_json_set(r, "parent", cx_json_str(parent, "id"));
	cx_json_set(r, "build", build ? cx_json_str(build, "id") : cx_json_str(parent, "build"));
	cx_json_set(r, "manifest", cx_json_str(source, "manifest"));
	cx_json_set(r, "created", now);
	cx_json_set(r, "status", "created");
	cx_json_set(r, "promoted", NULL);
	cx_json_set(r, "reason", NULL);
	return r;
}

static json_t *
complete_build(struct cx_spool *s, const char *app, const char *id, struct cx_err *e)
{
	json_t *b = cx_store_build(s, app, id, e);
	const char *status = cx_json_strd(b, "status", "?");

	if (!b || strcmp(status, "complete") == 0)
		return b;
	(void)cx_err_set(e, CX_NO, "build %s of %s is %s, so it cannot be released", id, app, status);
	(void)cx_err_hint(e, "its log: cx builds logs %s -a %s", id, app);
	json_decref(b);
	return NULL;
}

int
cx_store_release_create(struct cx_spool *s, const char *app, const char *from, const char *build, const json_t *env,
	char id[12], struct cx_err *e)
{
	CX_CLOSE int lock = cx_store_lock(s, app, "release create", e);
	CX_FREE char *dir = cx_fmt("apps/%s/releases", app), *tmp = cx_fmt("%s/.new", dir);
	CX_FREE char *file = cx_fmt("%s/release.json", tmp);
	CX_JSON json_t *all = lock < 0 ? NULL : cx_store_releases(s, app, e);
	CX_JSON json_t *parent = NULL, *b = NULL, *inherited = NULL, *r = NULL;
	char now[32];

	if (!all || sweep(s, dir, e) < 0)
		return -1;
	parent = pick_parent(s, app, from, all, e);
	b = build && parent ? complete_build(s, app, build, e) : NULL;
	if (!parent || (build && !b))
		return -1;
	if (!env && json_is_object(parent)) {
		inherited = cx_store_env(s, app, cx_json_str(parent, "id"), e);
		if (!inherited)
			return -1;
		env = inherited;
	}
	cx_id_make('R', id);
	time_behind(json_array_get(all, 0), now);
	r = new_release(app, id, parent, b, now);
	if (cx_spool_mkdir(s->dir, tmp, 0755, e) < 0 || (env && write_env(s, app, id, tmp, env, e) < 0))
		return -1;
	if (cx_spool_publish_json(s->dir, file, r, 0644, e) < 0)
		return -1;
	return appear(s, dir, id, e);
}
