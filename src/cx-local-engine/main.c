#include "local.h"
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/store.h>
#include <fcntl.h>
#include <string.h>

static const char usage[] =
	"usage: cx-local-engine process list [-a APP]\n"
	"       cx-local-engine process get [-a APP] PROCESS\n"
	"       cx-local-engine process run [-a APP] [--detach] [-r RELEASE] [--] SERVICE [COMMAND ...]\n"
	"       cx-local-engine process exec [-a APP] [--] PROCESS|SERVICE COMMAND ...\n"
	"       cx-local-engine process stop [-a APP] [--timeout SECONDS] PROCESS|SERVICE ...\n"
	"       cx-local-engine process logs [-a APP] [-f] [--since TIME] [--tail LINES] [--filter TEXT] "
	"PROCESS|SERVICE\n"
	"       cx-local-engine log [-a APP] [-f] [--since TIME] [--tail LINES] [--filter TEXT] [--service NAME]\n";

static const struct verb {
	const char *noun, *verb;
	int (*run)(struct local *l, int argc, char **argv, struct cx_err *e);
	int status; /* of its own failures; 0: the error's class */
} verbs[] = {
	{"process", "list", verb_list, 0},
	{"process", "get", verb_get, 0},
	{"process", "run", verb_run, 125},
	{"process", "exec", verb_exec, 125},
	{"process", "stop", verb_stop, 0},
	{"process", "logs", verb_log, 0},
	{"log", NULL, verb_log, 0},
};

int
usage_error(struct cx_err *e, const char *what)
{
	(void)cx_err_set(e, CX_BAD, "%s", what);
	return cx_err_hint(e, "cx-local-engine --help shows how it is used");
}

static const struct verb *
find_verb(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (argc > 1 && strcmp(argv[1], verbs[i].noun) == 0 &&
			(!verbs[i].verb || (argc > 2 && strcmp(argv[2], verbs[i].verb) == 0)))
			return &verbs[i];
	return NULL;
}

static int
run(struct local *l, const struct verb *v, int argc, char **argv, struct cx_err *e)
{
	int skip = v->verb ? 2 : 1;

	l->status = v->status;
	if (cx_app_name(l->app, e) < 0 || cx_spool_open(&l->spool, e) < 0)
		return -1;
	l->app_record = cx_store_app(&l->spool, l->app, e);
	if (!l->app_record)
		return -1;
	l->en = cx_engine_open(NULL, l->spool.rack, e);
	if (!l->en)
		return -1;
	return v->run(l, argc - skip, argv + skip, e);
}

/* A descriptor of ours must not become 0, 1 or 2, which belong to the command that is run. */
static int
open_standard(struct cx_err *e)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
			open("/dev/null", O_RDWR) != fd) /* NOLINT: not close-on-exec, as the real ones */
			return cx_err_sys(e, "open /dev/null");
	return 0;
}

int
main(int argc, char **argv)
{
	struct local l = {.spool.dir = -1};
	const struct verb *v;
	struct cx_err e;
	int st;

	if (open_standard(&e) < 0 || cx_globals(&argc, argv, 0, &e) < 0)
		return cx_err_report(&e, "cx-local-engine");
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return cx_out_close(&e) < 0 ? cx_err_report(&e, "cx-local-engine") : 0;
	}
	v = find_verb(argc, argv);
	if (!v) {
		fputs(usage, stderr);
		return CX_BAD;
	}
	st = run(&l, v, argc, argv, &e);
	if (st >= 0 && cx_out_close(&e) < 0)
		st = -1;
	if (st < 0) {
		st = cx_err_report(&e, "cx-local-engine");
		st = l.status ? l.status : st;
	}
	json_decref(l.app_record);
	cx_engine_close(l.en);
	cx_spool_close(&l.spool);
	return st;
}
