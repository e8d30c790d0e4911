/* What cx-manifest finds in the result goes into the report: nothing that racks do not honour yet is hidden. */
#include "verify.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <string.h>
#include <unistd.h>

static void
add_finding(struct init *in, const char *line, size_t n)
{
	struct cx_err e;
	CX_JSON json_t *j = cx_json_parse(line, n, "cx-manifest", &e);
	const json_t *error = json_object_get(j, "error"), *warning = json_object_get(j, "warning");
	const json_t *f = error ? error : warning;

	if (!f)
		return;
	say(in, DROPPED, "convox.yml", NULL, "line %lld: %s", cx_json_int(f, "line", 0), cx_json_strd(f, "text", ""));
	if (cx_json_str(f, "hint"))
		say_hint(in, "%s", cx_json_str(f, "hint"));
}

int
verify(struct init *in, const char *text, struct cx_err *e)
{
	const char *argv[] = {"cx-manifest", "--strict", "check", "-", NULL}, *env[] = {"CX_JSON=1", NULL};
	struct cx_child c = {.in = CX_PIPE, .out = -1, .err = CX_PIPE};
	CX_BUF struct cx_buf found = {0};
	int rc = 0, st;

	if (cx_spawn(&c, argv, env, e) < 0)
		return -1;
	/* It reads all before it speaks. */
	if (cx_write_all(c.in, text, strlen(text), e) < 0)
		rc = -1;
	close(c.in);
	c.in = -1;
	if (cx_buf_read(&found, c.err, (size_t)1 << 20, "cx-manifest", e) < 0)
		rc = -1;
	st = cx_wait(&c);
	if (rc < 0 || (st != 0 && st != CX_BAD))
		return cx_err_set(e, CX_SYS, "cx-manifest could not check the result");
	for (const char *p = cx_buf_str(&found); *p;) {
		size_t n = strcspn(p, "\n");

		add_finding(in, p, n);
		p += n + (p[n] != '\0');
	}
	return 0;
}
