#include "stage.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <string.h>
#include <sys/stat.h>

static int
check(const json_t *doc, const char *what, struct cx_err *e)
{
	if (json_is_object(json_object_get(doc, "manifest")) && cx_json_int(doc, "v", 0) == 1)
		return 0;
	(void)cx_err_set(e, CX_BAD, "%s is not a pipeline document: it has no manifest, or another version", what);
	return cx_err_hint(e, "cx-manifest convox.yml prints one");
}

int
stage_run(const char *const argv[], json_t **doc, struct cx_err *e)
{
	CX_FREE char *in = *doc ? cx_json_text(*doc) : NULL;
	CX_BUF struct cx_buf out = {0};
	json_t *new;
	int st = cx_run(argv, NULL, in, in ? strlen(in) : 0, &out, CX_JSON_MAX, e);

	if (st != 0)
		return st;
	new = cx_json_parse(cx_buf_str(&out), out.n, argv[0], e);
	if (!new)
		return -1;
	json_decref(*doc);
	*doc = new;
	return check(new, argv[0], e);
}

/* 1 when there was something on standard input. */
static int
read_document(json_t **doc, struct cx_err *e)
{
	CX_BUF struct cx_buf b = {0};
	struct stat st;

	if (fstat(0, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISREG(st.st_mode)))
		return 0;
	if (cx_buf_read(&b, 0, CX_JSON_MAX, "standard input", e) < 0)
		return -1;
	if (b.n == 0)
		return 0;
	*doc = cx_json_parse(b.p, b.n, "standard input", e);
	return *doc && check(*doc, "standard input", e) == 0 ? 1 : -1;
}

int
stage_document(const char *dir, json_t **doc, struct cx_err *e)
{
	int r = dir ? 0 : read_document(doc, e);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (dir && chdir(dir) < 0) {
		(void)cx_err_sys(e, "change to directory %s", dir);
		e->cls = CX_BAD;
		return -1;
	}
	return stage_run((const char *[]){"cx-manifest", NULL}, doc, e);
}
