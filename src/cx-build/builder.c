/* One build: the context goes up as it is read, the reply comes back as events. */
#include "image.h"
#include "reply.h"
#include "tar.h"
#include <cx/err.h>
#include <cx/own.h>
#include <stdlib.h>
#include <string.h>

/* What both directions of the request share. */
struct job {
	struct tar *tar;
	struct reply *reply;
	long long total;
	struct cx_err err; /* of the upload */
};

static ssize_t
on_upload(void *arg, char *p, size_t n)
{
	struct job *j = arg;
	ssize_t r = tar_read(j->tar, p, n, &j->err);

	reply_upload(j->reply, tar_done(j->tar), j->total);
	return r;
}

static int
on_reply(void *arg, const char *p, size_t n)
{
	struct job *j = arg;

	return reply_feed(j->reply, p, n);
}

static int
is_podman(const json_t *version)
{
	const json_t *v;
	size_t i;

	json_array_foreach (json_object_get(version, "Components"), i, v)
		if (strstr(cx_json_strd(v, "Name", ""), "Podman"))
			return 1;
	return 0;
}

int
builder_find(struct builder *b, struct cx_err *e)
{
	const char *wish = getenv("CX_BUILDER");
	CX_JSON json_t *version = cx_engine_call(b->en, "GET", "/version", NULL, e), *bridge = NULL;
	int podman = is_podman(version);

	if (!version)
		return -1;
	if (wish && *wish && strcmp(wish, "classic") != 0 && strcmp(wish, "buildkit") != 0)
		return cx_err_set(e, CX_BAD, "CX_BUILDER is \"%.80s\", where classic or buildkit was expected", wish);
	b->version = podman || (wish && strcmp(wish, "classic") == 0) ? 1 : 2;
	if (podman)
		return 0;
	/* An engine that was started with --bridge=none has no network for builds, and BuildKit takes no other's name.
	 */
	bridge = cx_engine_call(b->en, "GET", "/networks/bridge", NULL, e);
	if (!bridge && e->cls != CX_NO)
		return -1;
	b->network = bridge ? NULL : "host";
	return 0;
}

static void
add_param(struct cx_buf *path, const char *key, const char *value)
{
	cx_buf_addf(path, "&%s=", key);
	cx_query(path, value);
}

static char *
build_path(const struct builder *b, const struct build *what, const json_t *tags)
{
	struct cx_buf path = {0};
	const json_t *v;
	size_t i;

	cx_buf_addf(&path, "/build?version=%d&rm=1&forcerm=1", b->version);
	json_array_foreach (tags, i, v)
		add_param(&path, "t", json_string_value(v));
	add_param(&path, "dockerfile", what->dockerfile);
	add_param(&path, "buildargs", what->args);
	if (what->target)
		add_param(&path, "target", what->target);
	if (b->network)
		add_param(&path, "networkmode", b->network);
	if (b->no_cache)
		cx_buf_adds(&path, "&nocache=1");
	return cx_buf_take(&path);
}

/* An engine that takes nothing of a context, and says nothing, for so long hangs. */
static long
stall_seconds(void)
{
	const char *wish = getenv("CX_BUILD_STALL");
	long n = wish ? strtol(wish, NULL, 10) : 0;

	return n > 0 && n < 86400 ? n : 60;
}

static int
once(struct builder *b, struct build *what, const json_t *tags, struct talk *t, int *stalled, struct cx_err *e)
{
	static const char *const headers[] = {"Content-Type: application/x-tar", NULL};
	CX_FREE char *path = build_path(b, what, tags);
	struct job j = {.total = what->ctx.bytes};
	struct cx_http_req req = {.method = "POST",
		.headers = headers,
		.read = on_upload,
		.write = on_reply,
		.arg = &j,
		.stall_s = stall_seconds(),
		.cancel = b->cancel};
	int rc;

	j.tar = tar_new(&what->ctx, 0, e);
	if (!j.tar)
		return -1;
	j.reply = reply_new(t, json_string_value(json_array_get(what->services, 0)));
	rc = cx_engine_stream(b->en, path, &req, e);
	*stalled = req.stalled;
	if (rc < 0 && j.err.cls)
		*e = j.err;
	else if (rc < 0 && reply_broken(j.reply))
		rc = reply_end(j.reply, e);
	else if (rc == 0)
		rc = reply_end(j.reply, e);
	cx_buf_free(&req.reply);
	reply_free(j.reply);
	tar_free(j.tar);
	return rc;
}

/* An engine without BuildKit refuses the version, in words that differ. */
static int
lacks_buildkit(const struct builder *b, const struct cx_err *e)
{
	return b->version == 2 && cx_engine_status(b->en) >= 400 &&
	       (strcasestr(e->text, "buildkit") || strcasestr(e->text, "invalid version") ||
		       strcasestr(e->text, "unsupported"));
}

int
builder_build(struct builder *b, struct build *what, const json_t *tags, struct talk *t, struct cx_err *e)
{
	const char *id = json_string_value(json_array_get(what->services, 0));
	int stalled = 0, rc = once(b, what, tags, t, &stalled, e);

	/* BuildKit of Docker 20.10 can lock itself up when builds are cancelled; the classic builder has nothing of it.
	 */
	if (rc < 0 && stalled && b->version == 2)
		talk_say(t, id, "warn", "the engine's BuildKit hangs (restart the engine); its classic builder builds");
	else if (rc < 0 && lacks_buildkit(b, e))
		talk_say(t, id, "progress", "the engine has no BuildKit; its classic builder builds");
	else
		return rc;
	b->version = 1;
	return once(b, what, tags, t, &stalled, e);
}
