#include "record.h"
#include "image.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/store.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

/* When the process began, in ticks since the boot (proc(5), /proc/PID/stat field 22); 0 when it is gone. */
static long long
process_start(long long pid)
{
	char path[64], text[1024];
	CX_CLOSE int fd = -1;
	const char *p;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%lld/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	p = strrchr(text, ')'); /* the name may hold anything */
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoll(p, NULL, 10) : 0;
}

static int
alive(const json_t *record)
{
	long long pid = cx_json_int(record, "pid", 0), start = cx_json_int(record, "pid_start", 0);

	if (pid <= 0 || (kill((pid_t)pid, 0) < 0 && errno == ESRCH))
		return 0;
	return !start || process_start(pid) == start;
}

int
record_end(struct cx_spool *s, json_t *record, const char *status, const char *reason, const char *digest,
	struct cx_err *e)
{
	char now[32];

	cx_time_now(now);
	cx_json_set(record, "status", status);
	cx_json_set(record, "ended", now);
	cx_json_set(record, "reason", reason);
	cx_json_set(record, "digest", digest);
	return cx_store_build_put(s, cx_json_strd(record, "app", ""), cx_json_strd(record, "id", ""), record, e);
}

int
record_sweep(struct cx_spool *s, const char *app, struct cx_err *e)
{
	CX_JSON json_t *all = cx_store_builds(s, app, e);
	json_t *b;
	size_t i;

	if (!all)
		return -1;
	json_array_foreach (all, i, b) {
		if (strcmp(cx_json_strd(b, "status", ""), "running") != 0 || alive(b))
			continue;
		if (record_end(s, b, "failed", "the process that built it was killed", NULL, e) < 0)
			return -1;
	}
	return 0;
}

/* 1: the engine has all images of the build, 0: not, -1: error. */
static int
has_images(struct cx_engine *en, const json_t *build, struct cx_err *e)
{
	const json_t *images = json_object_get(build, "images"), *v;
	const char *k;

	json_object_foreach ((json_t *)images, k, v) {
		CX_FREE char *id = image_id(en, json_string_value(v) ? json_string_value(v) : "", e);

		if (!id)
			return e->cls == CX_SYS ? -1 : 0;
	}
	return 1;
}

int
record_reuse(
	struct cx_spool *s, const char *app, const char *digest, struct cx_engine *en, json_t **found, struct cx_err *e)
{
	CX_JSON json_t *all = cx_store_builds(s, app, e);
	json_t *b;
	size_t i;

	*found = NULL;
	if (!all)
		return -1;
	json_array_foreach (all, i, b) {
		int r;

		if (strcmp(cx_json_strd(b, "status", ""), "complete") != 0 ||
			strcmp(cx_json_strd(b, "digest", ""), digest) != 0)
			continue;
		r = has_images(en, b, e);
		if (r < 0)
			return -1;
		if (r > 0) {
			*found = json_incref(b);
			return 0;
		}
	}
	return 0;
}

json_t *
record_begin(struct cx_spool *s, const char *app, const char *manifest, const json_t *repos, int development,
	struct cx_err *e)
{
	CX_JSON json_t *record = NULL;
	json_t *images = json_object();
	const char *name;
	const json_t *v;
	char id[12];

	if (cx_store_build_create(s, app, manifest, id, e) == 0)
		record = cx_store_build(s, app, id, e);
	if (!record) {
		json_decref(images);
		return NULL;
	}
	json_object_foreach ((json_t *)repos, name, v) {
		CX_FREE char *image = cx_fmt("%s:%s", json_string_value(v), id);

		cx_json_set(images, name, image);
	}
	(void)json_object_set_new(record, "images", images);
	(void)json_object_set_new(record, "development", json_boolean(development));
	cx_json_seti(record, "pid", (long long)getpid());
	cx_json_seti(record, "pid_start", process_start((long long)getpid()));
	cx_json_set(record, "digest", NULL);
	cx_json_set(record, "reason", NULL);
	if (cx_store_build_put(s, app, id, record, e) < 0)
		return NULL;
	return cx_steal(&record);
}
