/* cx: find cx-SUB, exec it. Nothing else happens here, so that it costs next to nothing. */
#include "list.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <string.h>

static const char usage[] = "usage: cx [-a app] [--rack name] [--json] [-C dir] command [argument ...]\n"
			    "       cx help [command]\n"
			    "       cx --version\n";

static int
help(const char *topic, struct cx_err *e)
{
	CX_FREE char *page = NULL;
	const char *man[] = {"man", NULL, NULL}, *mandoc[] = {"mandoc", "-a", NULL, NULL};

	if (!topic) {
		if (!cx_json_wanted())
			(void)fputs(usage, stdout);
		return list_print(e) < 0 ? -1 : 0;
	}
	page = list_manual(topic);
	if (!page) {
		(void)cx_err_set(e, CX_BAD, "there is no manual page of \"%s\"", topic);
		return cx_err_hint(e, "cx help lists the commands");
	}
	man[1] = mandoc[2] = page;
	(void)cx_exec(man, e);
	return cx_exec(mandoc, e);
}

static int
no_such(const char *sub, struct cx_err *e)
{
	CX_FREE char *near = list_nearest(sub);

	(void)cx_err_set(e, CX_BAD, "\"%s\" is not a command of cx", sub);
	if (near)
		return cx_err_hint(e, "did you mean: cx %s", near);
	return cx_err_hint(e, "cx help lists the commands");
}

static int
run(int argc, char **argv, struct cx_err *e)
{
	CX_FREE char *prog = NULL;
	const char *sub = argv[1];
	struct cx_err ignore;
	char path[4096];

	if (argc < 2 || strcmp(sub, "--help") == 0 || strcmp(sub, "-h") == 0)
		return help(NULL, e);
	if (strcmp(sub, "help") == 0)
		return help(argv[2], e);
	if (strcmp(sub, "--version") == 0 || strcmp(sub, "version") == 0)
		return printf("cx %s\n", CX_VERSION) < 0 ? cx_err_sys(e, "write") : 0;
	if (sub[0] == '-') {
		(void)cx_err_set(e, CX_BAD, "\"%s\" is not an option of cx", sub);
		return cx_err_hint(e, "options of a command stand behind its name; cx help shows both");
	}
	if (strchr(sub, '/'))
		return no_such(sub, e);
	prog = cx_fmt("cx-%s", sub);
	if (cx_find(prog, path, sizeof(path), &ignore) < 0)
		return no_such(sub, e);
	argv[1] = prog;
	/* Tells a stage that it was not called as one of a pipeline (cx/pipeline.h). */
	(void)setenv("CX_FRONT", prog, 1);
	(void)cx_exec((const char *const *)argv + 1, e);
	return -1;
}

int
main(int argc, char **argv)
{
	struct cx_err e;

	/* Global options before the command only; those behind it are the command's to read. */
	if (cx_globals(&argc, argv, 1, &e) < 0 || run(argc, argv, &e) < 0 || cx_out_close(&e) < 0)
		return cx_err_report(&e, "cx");
	return 0;
}
