#include "fmt.h"
#include "input.h"
#include "layout.h"
#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/spool.h>
#include <cx/yaml.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What is wrong as YAML, as every other verb says it. 0 or CX_BAD. */
static int
check_yaml(const char *file, const struct cx_buf *text)
{
	struct cx_diags *d = cx_alloc(sizeof(*d));
	struct cx_tree t;
	int st;

	d->file = strcmp(file, "-") == 0 ? "convox.yml" : file;
	(void)cx_tree_parse(&t, text->p, text->n, d);
	st = cx_diag_report(d, "cx-manifest", text->p, text->n, 0);
	cx_tree_free(&t);
	free(d);
	return st;
}

/* Replaces the file itself where a link leads, with its mode and owner. */
static int
replace(const char *file, const struct cx_buf *text, struct cx_err *e)
{
	CX_FREE char *real = realpath(file, NULL);
	struct stat st;

	if (!real || stat(real, &st) < 0)
		return cx_err_sys(e, "find %s", file);
	if (cx_spool_publish(AT_FDCWD, real, text->p, text->n, st.st_mode & 07777, e) < 0)
		return -1;
	if ((st.st_uid != geteuid() || st.st_gid != getegid()) && chown(real, st.st_uid, st.st_gid) < 0)
		return cx_err_sys(e, "give %s back to its owner", file);
	return 0;
}

static void
say_changed(const char *file, int changed)
{
	CX_JSON json_t *j = json_pack("{s:i,s:s,s:b}", "v", 1, "file", file, "changed", changed);
	struct cx_err e;

	if (cx_json_wanted())
		(void)cx_json_print(stdout, j, &e);
	else if (changed)
		(void)puts(file);
}

int
fmt_file(const char *file, enum fmt_how how, struct cx_err *e)
{
	CX_BUF struct cx_buf text = {0}, out = {0};
	int st, changed;

	if (input_text(file, &text, e) < 0)
		return -1;
	st = check_yaml(file, &text);
	if (st)
		return st;
	if (layout_text(text.p, text.n, &out, e) < 0) {
		(void)cx_err_at(e, file, 0, 0);
		return -1;
	}
	cx_buf_add(&out, "", 0);
	changed = strcmp(text.p, out.p) != 0;
	if (how == FMT_PRINT)
		return fwrite(out.p, 1, out.n, stdout) == out.n ? 0 : cx_err_sys(e, "write");
	if (how == FMT_WRITE && changed && replace(file, &out, e) < 0)
		return -1;
	say_changed(file, changed);
	return how == FMT_CHECK && changed ? CX_NO : 0;
}
