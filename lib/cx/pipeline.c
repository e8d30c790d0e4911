#include "pipeline.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/json.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define QUIET_MS 2000

int
cx_pipeline_check(const json_t *doc, const char *what, struct cx_err *e)
{
	if (json_is_object(json_object_get(doc, "manifest")) && cx_json_int(doc, "v", 0) == 1)
		return 0;
	(void)cx_err_set(e, CX_BAD, "%s is not a pipeline document: it has no manifest, or another version", what);
	return cx_err_hint(e, "cx-manifest convox.yml prints one");
}

/* A pipe that somebody holds open without writing looks like a hang. */
static void
say_what_we_wait_for(void)
{
	struct pollfd p = {.fd = 0, .events = POLLIN};

	if (poll(&p, 1, QUIET_MS) == 0 && !cx_json_wanted())
		(void)fputs("waiting for a pipeline document on standard input; "
			    "give a folder (such as .) to build that instead\n",
			stderr);
}

/* Called as `cx COMMAND`, and not by a program that was. */
static int
by_front(void)
{
	const char *front = getenv("CX_FRONT");

	return front && strcmp(front, program_invocation_short_name) == 0;
}

int
cx_pipeline_read(json_t **doc, struct cx_err *e)
{
	CX_BUF struct cx_buf b = {0};
	struct stat st;
	int pipe;

	if (fstat(0, &st) < 0)
		return 0;
	pipe = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode);
	if (!pipe && !S_ISREG(st.st_mode))
		return 0;
	say_what_we_wait_for();
	if (cx_buf_read(&b, 0, CX_JSON_MAX, "standard input", e) < 0)
		return -1;
	if (strspn(cx_buf_str(&b), " \t\r\n") == b.n) {
		if (!pipe || by_front())
			return 0;
		(void)cx_err_set(e, CX_BAD, "standard input is a pipe with nothing in it: the stage before failed");
		return cx_err_hint(e, "to build what lies here without a document, name the folder: .");
	}
	*doc = cx_json_parse(b.p, b.n, "standard input", e);
	return *doc && cx_pipeline_check(*doc, "standard input", e) == 0 ? 1 : -1;
}
