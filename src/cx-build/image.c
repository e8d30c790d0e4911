#include "image.h"
#include "hint.h"
#include "reply.h"
#include <cx/err.h>
#include <cx/own.h>
#include <string.h>

/* A name goes into a path of the API; the engine checks its grammar. */
static int
check_name(const char *name, struct cx_err *e)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@";

	if (*name && *name != '/' && strlen(name) < 512 && strspn(name, good) == strlen(name) && !strstr(name, ".."))
		return 0;
	(void)cx_err_set(e, CX_BAD, "\"%.200s\" is not the name of an image", name);
	return cx_err_hint(e, "a name is [REGISTRY/]NAME[:TAG] or NAME@sha256:DIGEST");
}

char *
image_id(struct cx_engine *en, const char *name, struct cx_err *e)
{
	CX_FREE char *path = NULL;
	CX_JSON json_t *j = NULL;
	const char *id;

	if (check_name(name, e) < 0)
		return NULL;
	path = cx_fmt("/images/%s/json", name);
	j = cx_engine_call(en, "GET", path, NULL, e);
	id = cx_json_str(j, "Id");
	if (j && !id)
		(void)cx_err_set(e, CX_SYS, "the container engine tells no ID of image %s", name);
	return id ? cx_strdup(id) : NULL;
}

/* "repo:5000/name:tag" and "name@sha256:..." into repository and tag, "latest" by default. */
static void
split_name(const char *name, char **repo, const char **tag)
{
	const char *at = strchr(name, '@'), *slash = strrchr(name, '/'), *colon = strrchr(slash ? slash : name, ':');
	const char *end = at ? at : colon;

	*repo = end ? cx_strndup(name, (size_t)(end - name)) : cx_strdup(name);
	*tag = end ? end + 1 : "latest";
}

int
image_pull(struct cx_engine *en, const char *name, const char *id, struct talk *t, const int *cancel, struct cx_err *e)
{
	CX_FREE char *repo = NULL;
	CX_BUF struct cx_buf path = {0};
	struct reply *r = reply_new(t, id);
	struct cx_http_req req = {.method = "POST", .write = reply_feed, .arg = r, .cancel = cancel};
	const char *tag, *hint;
	int rc;

	split_name(name, &repo, &tag);
	cx_buf_adds(&path, "/images/create?fromImage=");
	cx_query(&path, repo);
	cx_buf_adds(&path, "&tag=");
	cx_query(&path, tag);
	rc = cx_engine_stream(en, cx_buf_str(&path), &req, e);
	if (rc == 0) {
		rc = reply_end(r, e);
	} else if (req.status >= 400) {
		(void)cx_err_prefix(e, "pull %s", name);
		hint = hint_find(e->text);
		if (hint)
			(void)cx_err_hint(e, "%s", hint);
	}
	cx_buf_free(&req.reply);
	reply_free(r);
	return rc;
}

int
image_tag(struct cx_engine *en, const char *name, const char *repo, const char *tag, struct cx_err *e)
{
	CX_BUF struct cx_buf path = {0};
	CX_JSON json_t *j = NULL;

	cx_buf_addf(&path, "/images/%s/tag?repo=", name);
	cx_query(&path, repo);
	cx_buf_adds(&path, "&tag=");
	cx_query(&path, tag);
	j = cx_engine_call(en, "POST", cx_buf_str(&path), NULL, e);
	return j ? 0 : -1;
}
