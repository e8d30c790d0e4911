/* cx scale: how many processes of each service. */
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/provider.h>
#include <cx/table.h>
#include <cx/verb.h>
#include <string.h>

#define SERVICES_MAX 20

static const char usage[] = "usage: cx-scale [-a APP]\n"
			    "       cx-scale [-a APP] SERVICE=COUNT ...\n"
			    "       cx-scale [-a APP] --count COUNT SERVICE\n";

static int
print(json_t *j, struct cx_err *e)
{
	static const struct cx_column columns[] = {
		{"NAME", "name", 0}, {"COUNT", "count", 0}, {"RUNNING", "running", 0}, {"STATUS", "status", 0}, {0}};

	if (!j)
		return -1;
	if (cx_json_wanted())
		return cx_json_print(stdout, j, e);
	return cx_table_print("services", json_object_get(j, "services"), columns, e);
}

static int
scale(int argc, char **argv, struct cx_err *e)
{
	const char *count = NULL, *args[SERVICES_MAX + 3] = {"service", "list"};
	const struct cx_option options[] = {{"count", 0, NULL, &count}, {0}};
	CX_FREE char *word = NULL;
	CX_JSON json_t *j = NULL;
	int n = 2;

	if (cx_options(argc, argv, options, 0, SERVICES_MAX) < 0 || (count && argc - optind != 1))
		return CX_USAGE;
	if (optind < argc)
		args[1] = "scale";
	if (count) {
		word = cx_fmt("%s=%s", argv[optind], count);
		argv[optind] = word;
	}
	for (int i = optind; i < argc; i++)
		args[n++] = argv[i];
	j = cx_provider_ask(args, NULL, e);
	return print(j, e);
}

int
main(int argc, char **argv)
{
	static const struct cx_verb verbs[] = {{"", scale}, {NULL, NULL}};

	return cx_verb_main("cx-scale", usage, verbs, argc, argv);
}
