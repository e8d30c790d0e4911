#include <cx/err.h>
#include <cx/json.h>
#include <cx/proc.h>
#include <cx/provider.h>
#include <cx/table.h>
#include <cx/verb.h>

static const char usage[] = "usage: cx-ps [-a APP] [--json]\n"
			    "       cx-ps info [-a APP] [--json] PROCESS\n"
			    "       cx-ps stop [-a APP] [--json] [--timeout SECONDS] PROCESS ...\n";

static const struct cx_column columns[] = {{"ID", "id", 0}, {"SERVICE", "service", 0}, {"RELEASE", "release", 0},
	{"STATUS", "status", 0}, {"STARTED", "started", 1}, {"COMMAND", "command", 0}, {NULL, NULL, 0}};

static int
list(int argc, char **argv, struct cx_err *e)
{
	CX_JSON json_t *doc = NULL;

	if (cx_options(argc, argv, NULL, 0, 0) != 0)
		return CX_USAGE;
	doc = cx_provider_ask((const char *[]){"process", "list", NULL}, NULL, e);
	return doc ? cx_table_print("processes", json_object_get(doc, "processes"), columns, e) : -1;
}

static void
print_field(const char *name, const json_t *v)
{
	if (json_is_integer(v))
		printf("%-8s  %lld\n", name, (long long)json_integer_value(v));
	else if (json_is_string(v))
		printf("%-8s  %s\n", name, json_string_value(v));
}

static int
info(int argc, char **argv, struct cx_err *e)
{
	static const char *const fields[][2] = {{"Id", "id"}, {"App", "app"}, {"Service", "service"},
		{"Release", "release"}, {"Type", "type"}, {"Status", "status"}, {"Started", "started"},
		{"Ended", "ended"}, {"Exit", "exit"}, {"Reason", "reason"}, {"Address", "address"}, {"Image", "image"},
		{"Name", "name"}, {"Command", "command"}};
	CX_JSON json_t *doc = NULL;

	if (cx_options(argc, argv, NULL, 1, 1) != 0)
		return CX_USAGE;
	doc = cx_provider_ask((const char *[]){"process", "get", argv[optind], NULL}, NULL, e);
	if (!doc)
		return -1;
	if (cx_json_wanted())
		return cx_json_print(stdout, doc, e);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		print_field(fields[i][0], json_object_get(json_object_get(doc, "process"), fields[i][1]));
	return 0;
}

/* cx ps stop is cx stop. */
static int
stop(int argc, char **argv, struct cx_err *e)
{
	if (argc < 2)
		return CX_USAGE;
	argv[0] = (char *)"cx-stop";
	return cx_exec((const char *const *)argv, e);
}

int
main(int argc, char **argv)
{
	static const struct cx_verb verbs[] = {{"list", list}, {"info", info}, {"stop", stop}, {NULL, NULL}};

	return cx_verb_main("cx-ps", usage, verbs, argc, argv);
}
