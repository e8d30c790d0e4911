#include "stage.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/pipeline.h>
#include <cx/proc.h>
#include <string.h>
#include <unistd.h>

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
	return cx_pipeline_check(new, argv[0], e);
}

int
stage_document(const char *dir, json_t **doc, struct cx_err *e)
{
	int r = dir ? 0 : cx_pipeline_read(doc, e);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (dir && chdir(dir) < 0) {
		(void)cx_err_sys(e, "change to directory %s", dir);
		e->cls = CX_BAD;
		return -1;
	}
	return stage_run((const char *[]){"cx-manifest", NULL}, doc, e);
}
