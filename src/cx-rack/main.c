/* cx rack: what the rack is, and its daemons: start, stop, status, logs, trust. */
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/provider.h>
#include <cx/table.h>
#include <cx/verb.h>
#include <string.h>

#define ARGS_MAX 10

static const char usage[] = "usage: cx-rack [info | start | stop | restart | status | trust | untrust]\n"
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
info(int argc, char **argv, struct cx_err *e)
{
	CX_JSON json_t *all = argc == 1 ? cx_provider_ask((const char *[]){"rack", "get", NULL}, NULL, e) : NULL;
	const json_t *rack = json_object_get(all, "rack");
	static const char *const keys[] = {"name", "status", "domain", "address", "subnet", "engine", "spool"};

	(void)argv;
	if (argc != 1)
		return CX_USAGE;
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
status(int argc, char **argv, struct cx_err *e)
{
	static const struct cx_column columns[] = {{"DAEMON", "name", 0}, {"STATE", "state", 0}, {"PID", "pid", 0},
		{"RESTARTS", "restarts", 0}, {"STARTED", "since", 1}, {NULL, NULL, 0}};
	CX_JSON json_t *all = argc == 1 ? cx_provider_ask((const char *[]){"rack", "status", NULL}, NULL, e) : NULL;

	(void)argv;
	if (argc != 1)
		return CX_USAGE;
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
	for (int i = 1; i < argc; i++)
		args[i + 1] = argv[i];
	return cx_provider_exec(args, e);
}

static int
act(int argc, const char *verb, struct cx_err *e)
{
	if (argc != 1)
		return CX_USAGE;
	return cx_provider_watch((const char *[]){"rack", verb, NULL}, NULL, e);
}

static int
start(int argc, char **argv, struct cx_err *e)
{
	(void)argv;
	return act(argc, "start", e);
}

static int
stop(int argc, char **argv, struct cx_err *e)
{
	(void)argv;
	return act(argc, "stop", e);
}

static int
restart(int argc, char **argv, struct cx_err *e)
{
	(void)argv;
	return act(argc, "restart", e);
}

static int
trust(int argc, char **argv, struct cx_err *e)
{
	(void)argv;
	return act(argc, "trust", e);
}

static int
untrust(int argc, char **argv, struct cx_err *e)
{
	(void)argv;
	return act(argc, "untrust", e);
}

int
main(int argc, char **argv)
{
	static const struct cx_verb verbs[] = {{"info", info}, {"start", start}, {"stop", stop}, {"restart", restart},
		{"status", status}, {"trust", trust}, {"untrust", untrust}, {"logs", logs}, {NULL, NULL}};

	return cx_verb_main("cx-rack", usage, verbs, argc, argv);
}
