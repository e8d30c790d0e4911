/* cx apps: list, create, delete apps. */
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/provider.h>
#include <cx/spool.h>
#include <cx/table.h>
#include <cx/verb.h>
#include <string.h>

static const char usage[] = "usage: cx-apps [list]\n"
			    "       cx-apps create [NAME]\n"
			    "       cx-apps delete [--force] NAME\n"
			    "       cx-apps info [NAME]\n";

static int
list(int argc, char **argv, struct cx_err *e)
{
	static const struct cx_column columns[] = {
		{"NAME", "name", 0}, {"STATUS", "status", 0}, {"RELEASE", "active", 0}, {"CREATED", "created", 1}, {0}};
	CX_JSON json_t *j = NULL;

	if (cx_options(argc, argv, NULL, 0, 0) < 0)
		return CX_USAGE;
	j = cx_provider_ask((const char *[]){"app", "list", NULL}, NULL, e);
	return j ? cx_table_print("apps", json_object_get(j, "apps"), columns, e) : -1;
}

/* The app that an operand names, else the one of -a, CX_APP or the folder. */
static const char *
named(char **argv, char buf[64], struct cx_err *e)
{
	if (!argv[optind])
		return cx_app_name(buf, e) < 0 ? NULL : buf;
	return cx_name_check("app", argv[optind], e) < 0 ? NULL : argv[optind];
}

static int
create(int argc, char **argv, struct cx_err *e)
{
	CX_JSON json_t *j = NULL;
	const char *app;
	char buf[64];

	if (cx_options(argc, argv, NULL, 0, 1) < 0)
		return CX_USAGE;
	app = named(argv, buf, e);
	j = app ? cx_provider_ask((const char *[]){"app", "create", app, NULL}, NULL, e) : NULL;
	if (!j)
		return -1;
	if (cx_json_wanted())
		return cx_json_print(stdout, j, e);
	(void)fprintf(stderr, "created %s\n", app);
	return 0;
}

static int
info(int argc, char **argv, struct cx_err *e)
{
	static const struct cx_column columns[] = {{"Name", "name", 0}, {"Status", "status", 0},
		{"Release", "active", 0}, {"Promoting", "promoting", 0}, {"Result", "result", 0},
		{"Reason", "reason", 0}, {"Created", "created", 1}, {0}};
	CX_JSON json_t *j = NULL;
	const char *app;
	char buf[64];

	if (cx_options(argc, argv, NULL, 0, 1) < 0)
		return CX_USAGE;
	app = named(argv, buf, e);
	j = app ? cx_provider_ask((const char *[]){"app", "get", app, NULL}, NULL, e) : NULL;
	if (!j)
		return -1;
	if (cx_json_wanted())
		return cx_json_print(stdout, j, e);
	cx_table_record(json_object_get(j, "app"), columns);
	return 0;
}

static int
confirm(const char *app, struct cx_err *e)
{
	CX_FREE char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	if (!isatty(0) || !isatty(2)) {
		(void)cx_err_set(e, CX_BAD, "%s is not deleted: there is no terminal to ask on", app);
		return cx_err_hint(e, "to delete it without a question: cx apps delete --force %s", app);
	}
	(void)fprintf(stderr,
		"This removes %s: its processes, releases, environment and data.\nType its name to go on: ", app);
	n = getline(&line, &cap, stdin);
	if (n > 0 && line[n - 1] == '\n')
		line[n - 1] = '\0';
	if (n > 0 && strcmp(line, app) == 0)
		return 0;
	return cx_err_set(e, CX_NO, "%s is not deleted: what was typed is not its name", app);
}

static int delete (int argc, char **argv, struct cx_err *e)
{
	int force = 0;
	const struct cx_option options[] = {{"force", 'f', &force, NULL}, {0}};
	CX_JSON json_t *found = NULL, *j = NULL;
	const char *app;

	if (cx_options(argc, argv, options, 1, 1) < 0)
		return CX_USAGE;
	app = argv[optind];
	found = cx_provider_ask((const char *[]){"app", "get", app, NULL}, NULL, e);
	if (!found || (!force && confirm(app, e) < 0))
		return -1;
	j = cx_provider_ask((const char *[]){"app", "delete", app, NULL}, NULL, e);
	if (!j)
		return -1;
	if (cx_json_wanted())
		return cx_json_print(stdout, j, e);
	(void)fprintf(stderr, "deleted %s\n", app);
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct cx_verb verbs[] = {
		{"list", list}, {"create", create}, {"delete", delete}, {"rm", delete}, {"info", info}, {NULL, NULL}};

	return cx_verb_main("cx-apps", usage, verbs, argc, argv);
}
