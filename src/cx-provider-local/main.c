/* cx-provider-local: what a Local Rack can do, as verbs (cx-provider(7)). */
#include "local.h"
#include <cx/err.h>
#include <cx/follow.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <string.h>

#define ARGS_MAX 256

static const char me[] = "cx-provider-local";
static const char usage[] = "usage: cx-provider-local app create | get | delete [NAME]\n"
			    "       cx-provider-local app list\n"
			    "       cx-provider-local build create | list\n"
			    "       cx-provider-local build get BUILD\n"
			    "       cx-provider-local build log [--follow] BUILD\n"
			    "       cx-provider-local release create [--build BUILD] [--from RELEASE]\n"
			    "       cx-provider-local release list\n"
			    "       cx-provider-local release get RELEASE\n"
			    "       cx-provider-local release promote [RELEASE]\n"
			    "       cx-provider-local release events [--follow] [--attempt ATTEMPT] RELEASE\n"
			    "       cx-provider-local env get [RELEASE]\n"
			    "       cx-provider-local env set\n"
			    "       cx-provider-local service list\n"
			    "       cx-provider-local service scale SERVICE=COUNT ...\n"
			    "       cx-provider-local resource list\n"
			    "       cx-provider-local process list | get | run | exec | stop | logs [ARGUMENT ...]\n"
			    "       cx-provider-local log [ARGUMENT ...]\n"
			    "       cx-provider-local rack install | uninstall | get | status | start | stop | restart "
			    "| trust | untrust | logs\n"
			    "           [ARGUMENT ...]\n";

static const struct {
	const char *noun, *verb;
	verb_fn *run;
} verbs[] = {
	{"app", "create", app_create},
	{"app", "list", app_list},
	{"app", "get", app_get},
	{"app", "delete", app_delete},
	{"build", "create", build_create},
	{"build", "list", build_list},
	{"build", "get", build_get},
	{"build", "log", build_log},
	{"release", "create", release_create},
	{"release", "list", release_list},
	{"release", "get", release_get},
	{"release", "promote", release_promote},
	{"release", "events", release_events},
	{"env", "get", env_get},
	{"env", "set", env_set},
	{"service", "list", service_list},
	{"service", "scale", service_scale},
	{"resource", "list", resource_list},
};

/* Nouns that belong to other programs, which get the words as they are: the ones of a remote command are among them. */
static const struct {
	const char *noun, *program;
	int keep; /* the noun stays */
} others[] = {{"process", "cx-local-engine", 1}, {"log", "cx-local-engine", 1}, {"rack", "cx-local-rack", 0}};

int
print_as(const char *name, json_t *value, struct cx_err *e)
{
	CX_JSON json_t *j = json_object();

	cx_json_seti(j, "v", 1);
	(void)json_object_set_new(j, name, value);
	return cx_json_print(stdout, j, e);
}

static int
put_line(void *arg, const char *p, size_t n, struct cx_err *e)
{
	(void)arg;
	if (fwrite(p, 1, n, stdout) != n || putchar('\n') == EOF || fflush(stdout) != 0)
		return cx_err_sys(e, "write to standard output");
	return 0;
}

int
print_lines(struct local *l, const char *folder, const char *file, int follow,
	int (*idle)(void *arg, double quiet, struct cx_err *e), void *arg, struct cx_err *e)
{
	struct cx_follow f = {.dir = l->spool.dir,
		.folder = folder,
		.file = file,
		.line = put_line,
		.idle = follow ? idle : NULL,
		.arg = arg};

	return cx_follow(&f, e);
}

/* Replaces this process when the noun is another program's; 0 when it is not. */
static int
hand_over(int argc, char **argv, struct cx_err *e)
{
	const char *args[ARGS_MAX];
	int n = 1;

	for (size_t i = 0; argc > 1 && i < sizeof(others) / sizeof(others[0]); i++) {
		if (strcmp(argv[1], others[i].noun) != 0)
			continue;
		if (argc >= ARGS_MAX)
			return cx_err_set(e, CX_BAD, "too many arguments");
		args[0] = others[i].program;
		for (int k = others[i].keep ? 1 : 2; k < argc; k++)
			args[n++] = argv[k];
		args[n] = NULL;
		return cx_exec(args, e);
	}
	return 0;
}

static verb_fn *
find(int argc, char **argv)
{
	for (size_t i = 0; argc > 2 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(argv[1], verbs[i].noun) == 0 && strcmp(argv[2], verbs[i].verb) == 0)
			return verbs[i].run;
	return NULL;
}

static int
run(int argc, char **argv, struct cx_err *e)
{
	struct local l = {.spool.dir = -1};
	verb_fn *f;
	int r;

	if (hand_over(argc, argv, e) < 0 || cx_globals(&argc, argv, 0, e) < 0)
		return -1;
	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		return fputs(usage, stdout) < 0 ? cx_err_sys(e, "write") : 0;
	f = find(argc, argv);
	if (!f)
		return CX_USAGE;
	if (cx_app_name(l.app, e) < 0 || cx_spool_open(&l.spool, e) < 0)
		return -1;
	argv[2] = argv[0];
	r = f(&l, argc - 2, argv + 2, e);
	cx_spool_close(&l.spool);
	return r;
}

int
main(int argc, char **argv)
{
	struct cx_err e;
	int r = run(argc, argv, &e);

	if (r == CX_USAGE) {
		fputs(usage, stderr);
		return CX_BAD;
	}
	if (r < 0 || cx_out_close(&e) < 0)
		return cx_err_report(&e, me);
	return r;
}
