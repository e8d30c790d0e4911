/* cx rack: what the rack is, and its daemons: start, stop, status, logs, trust. */
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/event.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/table.h>
#include <string.h>

#define ARGS_MAX 10

static const char usage_text[] = "usage: cx-rack [start | stop | restart | status | trust | untrust]\n"
				 "       cx-rack logs [-f] [-n LINES] [DAEMON]\n";

static char *provider; /* the program */

/* Draws what the provider tells, one event a line; returns its exit status. */
static int
follow(const char *const argv[], struct cx_err *e)
{
	struct cx_child c = {.in = -1, .out = CX_PIPE, .err = 2};
	struct cx_display *d;
	CX_FCLOSE FILE *f = NULL;
	CX_FREE char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	if (cx_spawn(&c, argv, NULL, e) < 0)
		return -1;
	f = fdopen(cx_steal_fd(&c.out), "r");
	if (!f)
		return cx_err_sys(e, "read %s", argv[0]);
	d = cx_display_new();
	while ((n = getline(&line, &cap, f)) > 0) {
		struct cx_err bad;
		CX_JSON json_t *ev = cx_json_parse(line, (size_t)n, argv[0], &bad);

		if (ev)
			cx_display_event(d, ev);
	}
	cx_display_free(d);
	return cx_wait(&c);
}

/* What the provider says to `rack VERB`, as JSON; NULL with its exit status in *r. */
static json_t *
ask(const char *verb, int *r, struct cx_err *e)
{
	const char *argv[] = {provider, "rack", verb, NULL};
	CX_BUF struct cx_buf out = {0};

	*r = cx_run(argv, NULL, NULL, 0, &out, CX_JSON_MAX, e);
	return *r == 0 ? cx_json_parse(cx_buf_str(&out), out.n, provider, e) : NULL;
}

static void
line(const char *key, const char *value)
{
	if (value && *value)
		printf("%-10s %s\n", key, value);
}

static void
print_ports(const json_t *rack)
{
	const json_t *p = json_object_get(rack, "ports");
	CX_FREE char *s = cx_fmt("https %lld, http %lld, dns %lld", cx_json_int(p, "https", 0),
		cx_json_int(p, "http", 0), cx_json_int(p, "dns", 0));

	line("ports", s);
}

static int
info(struct cx_err *e)
{
	int r;
	CX_JSON json_t *all = ask("get", &r, e);
	const json_t *rack = json_object_get(all, "rack");
	static const char *const keys[] = {"name", "status", "domain", "address", "subnet", "engine", "spool"};

	if (!all)
		return r;
	if (cx_json_wanted())
		return cx_json_print(stdout, all, e);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		line(keys[i], cx_json_str(rack, keys[i]));
	print_ports(rack);
	return 0;
}

static int
status(struct cx_err *e)
{
	static const struct cx_column columns[] = {{"DAEMON", "name", 0}, {"STATUS", "status", 0}, {"PID", "pid", 0},
		{"RESTARTS", "restarts", 0}, {"STARTED", "since", 1}, {NULL, NULL, 0}};
	int r;
	CX_JSON json_t *all = ask("status", &r, e);

	if (!all)
		return r;
	if (cx_json_wanted()) {
		if (cx_json_print(stdout, all, e) < 0)
			return -1;
	} else if (cx_table_print("daemons", json_object_get(all, "daemons"), columns, e) < 0) {
		return -1;
	}
	if (cx_json_true(all, "running"))
		return 0;
	(void)cx_err_set(e, CX_NO, "the rack's daemons do not run");
	return cx_err_hint(e, "cx rack start");
}

static int
logs(int argc, char **argv, struct cx_err *e)
{
	const char *args[ARGS_MAX + 4] = {provider, "rack", "logs"};

	if (argc > ARGS_MAX)
		return cx_err_set(e, CX_BAD, "too many arguments");
	for (int i = 2; i < argc; i++)
		args[i + 1] = argv[i];
	return cx_exec(args, e);
}

static int
run(int argc, char **argv, struct cx_err *e)
{
	static const char *const verbs[] = {"start", "stop", "restart", "trust", "untrust"};

	if (argc < 2)
		return info(e);
	if (strcmp(argv[1], "logs") == 0)
		return logs(argc, argv, e);
	if (argc == 2 && strcmp(argv[1], "status") == 0)
		return status(e);
	for (size_t i = 0; argc == 2 && i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(argv[1], verbs[i]) == 0)
			return follow((const char *[]){provider, "rack", verbs[i], NULL}, e);
	(void)fputs(usage_text, stderr);
	return CX_BAD;
}

int
main(int argc, char **argv)
{
	const char *p = getenv("CX_PROVIDER");
	struct cx_err e;
	int r = 0;

	if (cx_globals(&argc, argv, 0, &e) < 0)
		return cx_err_report(&e, "cx-rack");
	provider = cx_fmt("cx-provider-%s", p && *p ? p : "local");
	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		(void)fputs(usage_text, stdout);
	else
		r = run(argc, argv, &e);
	free(provider);
	if (r < 0 || cx_out_close(&e) < 0)
		return cx_err_report(&e, "cx-rack");
	return r;
}
