#include "local.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

/* {"manifest":TEXT} on stdin. What runs the build then writes build.json and log in the folder. */
int
build_create(struct local *l, int argc, char **argv, struct cx_err *e)
{
	CX_JSON json_t *in = NULL, *b = NULL;
	char id[12];

	if (cx_options(argc, argv, NULL, 0, 0) < 0)
		return CX_USAGE;
	in = cx_json_read(0, "standard input", e);
	if (!in)
		return -1;
	if (!cx_json_str(in, "manifest"))
		return cx_err_set(e, CX_BAD, "the document on standard input has no \"manifest\" text");
	if (cx_store_build_create(&l->spool, l->app, cx_json_str(in, "manifest"), id, e) < 0)
		return -1;
	b = cx_store_build(&l->spool, l->app, id, e);
	if (!b)
		return -1;
	/* Not this process, which ends now, but the one that will build. */
	cx_json_set(b, "pid", NULL);
	if (json_is_integer(json_object_get(in, "pid")))
		(void)json_object_set(b, "pid", json_object_get(in, "pid"));
	if (cx_store_build_put(&l->spool, l->app, id, b, e) < 0)
		return -1;
	return print_as("build", json_incref(b), e);
}

/* When the process began, in ticks since the boot (proc(5), stat, field 22); -1 when there is none. */
static long long
start_of(long long pid)
{
	CX_FREE char *path = cx_fmt("/proc/%lld/stat", pid);
	CX_FCLOSE FILE *f = fopen(path, "re");
	char line[1024];
	char *p = f && fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;

	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoll(p, NULL, 10) : -1;
}

/* The number of a process comes again; together with its start it does not. */
static int
is_alive(const json_t *build)
{
	long long pid = cx_json_int(build, "pid", 0), began = cx_json_int(build, "pid_start", 0);

	if (pid <= 0)
		return 1;
	return began > 0 ? start_of(pid) == began : kill((pid_t)pid, 0) == 0 || errno == EPERM;
}

/* A build whose process is gone will never end: shown as what it is, until the next build cleans it up. */
static void
mark_dead(json_t *build)
{
	if (strcmp(cx_json_strd(build, "status", ""), "running") != 0 || is_alive(build))
		return;
	cx_json_set(build, "status", "failed");
	cx_json_set(build, "reason", "the process that built it is gone");
}

int
build_list(struct local *l, int argc, char **argv, struct cx_err *e)
{
	json_t *all, *b;
	size_t i;

	if (cx_options(argc, argv, NULL, 0, 0) < 0)
		return CX_USAGE;
	all = cx_store_builds(&l->spool, l->app, e);
	json_array_foreach (all, i, b) {
		mark_dead(b);
		(void)json_object_del(b, "manifest");
	}
	return all ? print_as("builds", all, e) : -1;
}

int
build_get(struct local *l, int argc, char **argv, struct cx_err *e)
{
	json_t *b;

	if (cx_options(argc, argv, NULL, 1, 1) < 0)
		return CX_USAGE;
	b = cx_store_build(&l->spool, l->app, argv[optind], e);
	if (b)
		mark_dead(b);
	return b ? print_as("build", b, e) : -1;
}

struct build_end {
	struct local *l;
	const char *id;
};

static int
is_over(void *arg, double quiet, struct cx_err *e)
{
	const struct build_end *x = arg;
	CX_JSON json_t *b = cx_store_build(&x->l->spool, x->l->app, x->id, e);

	(void)quiet;
	if (!b)
		return -1;
	return strcmp(cx_json_strd(b, "status", ""), "running") != 0 || !is_alive(b);
}

int
build_log(struct local *l, int argc, char **argv, struct cx_err *e)
{
	int follow = 0;
	const struct cx_option options[] = {{"follow", 'f', &follow, NULL}, {0}};
	struct build_end x = {.l = l};
	CX_JSON json_t *b = NULL;
	CX_FREE char *folder = NULL;

	if (cx_options(argc, argv, options, 1, 1) < 0)
		return CX_USAGE;
	x.id = argv[optind];
	b = cx_store_build(&l->spool, l->app, x.id, e);
	if (!b)
		return -1;
	folder = cx_fmt("apps/%s/builds/%s", l->app, x.id);
	return print_lines(l, folder, "log", follow, is_over, &x, e);
}
