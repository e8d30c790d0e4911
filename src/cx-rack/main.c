/* cx rack: what the rack is, and its daemons: start, stop, status, logs, trust. */
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/provider.h>
#include <cx/table.h>
#include <string.h>

#define ARGS_MAX 10

static const char usage_text[] = "usage: cx-rack [start | stop | restart | status | trust | untrust]\n"
				 "       cx-rack logs [-f] [-n LINES] [DAEMON]\n";

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
	CX_JSON json_t *all = cx_provider_ask((const char *[]){"rack", "get", NULL}, NULL, e);
	const json_t *rack = json_object_get(all, "rack");
	static const char *const keys[] = {"name", "status", "domain", "address", "subnet", "engine", "spool"};

	if (!all)
		return -1;
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
	static const struct cx_column columns[] = {{"DAEMON", "name", 0}, {"STATE", "state", 0}, {"PID", "pid", 0},
		{"RESTARTS", "restarts", 0}, {"STARTED", "since", 1}, {NULL, NULL, 0}};
	CX_JSON json_t *all = cx_provider_ask((const char *[]){"rack", "status", NULL}, NULL, e);

	if (!all)
		return -1;
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
	const char *args[ARGS_MAX + 3] = {"rack", "logs"};

	if (argc > ARGS_MAX)
		return cx_err_set(e, CX_BAD, "too many arguments");
	for (int i = 2; i < argc; i++)
		args[i] = argv[i];
	return cx_provider_exec(args, e);
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
			return cx_provider_watch((const char *[]){"rack", verbs[i], NULL}, NULL, e);
	(void)fputs(usage_text, stderr);
	return CX_BAD;
}

int
main(int argc, char **argv)
{
	struct cx_err e;
	int r = 0;

	if (cx_globals(&argc, argv, 0, &e) < 0)
		return cx_err_report(&e, "cx-rack");
	if (argc > 1 && strcmp(argv[1], "--help") == 0)
		(void)fputs(usage_text, stdout);
	else
		r = run(argc, argv, &e);
	if (r < 0 || cx_out_close(&e) < 0)
		return cx_err_report(&e, "cx-rack");
	return r;
}
