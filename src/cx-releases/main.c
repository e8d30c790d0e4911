/* cx releases: list releases, replay what happened to them. */
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/provider.h>
#include <cx/table.h>
#include <cx/verb.h>
#include <string.h>

static const char usage[] = "usage: cx-releases [list] [-a APP]\n"
			    "       cx-releases info [-a APP] RELEASE\n"
			    "       cx-releases logs [-a APP] [-f] RELEASE\n"
			    "       cx-releases manifest [-a APP] [RELEASE]\n";

static int
list(int argc, char **argv, struct cx_err *e)
{
	static const struct cx_column columns[] = {{"ID", "id", 0}, {"", "mark", 0}, {"STATUS", "status", 0},
		{"BUILD", "build", 0}, {"CREATED", "created", 1}, {"REASON", "reason", 0}, {0}};
	CX_JSON json_t *j = NULL;
	json_t *r;
	size_t i;

	if (cx_options(argc, argv, NULL, 0, 0) < 0)
		return CX_USAGE;
	j = cx_provider_ask((const char *[]){"release", "list", NULL}, NULL, e);
	if (!j)
		return -1;
	if (cx_json_wanted())
		return cx_json_print(stdout, j, e);
	json_array_foreach (json_object_get(j, "releases"), i, r) {
		cx_json_set(r, "mark", cx_json_true(r, "active") ? "*" : "");
	}
	return cx_table_print("releases", json_object_get(j, "releases"), columns, e);
}

static int
info(int argc, char **argv, struct cx_err *e)
{
	static const struct cx_column columns[] = {{"Id", "id", 0}, {"App", "app", 0}, {"Status", "status", 0},
		{"Build", "build", 0}, {"Parent", "parent", 0}, {"Created", "created", 1}, {"Promoted", "promoted", 1},
		{"Reason", "reason", 0}, {0}};
	CX_JSON json_t *j = NULL;

	if (cx_options(argc, argv, NULL, 1, 1) < 0)
		return CX_USAGE;
	j = cx_provider_ask((const char *[]){"release", "get", argv[optind], NULL}, NULL, e);
	if (!j)
		return -1;
	if (cx_json_wanted())
		return cx_json_print(stdout, j, e);
	cx_table_record(json_object_get(j, "release"), columns);
	return 0;
}

static int
logs(int argc, char **argv, struct cx_err *e)
{
	int follow = 0;
	const struct cx_option options[] = {{"follow", 'f', &follow, NULL}, {0}};
	const char *args[] = {"release", "events", NULL, NULL, NULL};

	if (cx_options(argc, argv, options, 1, 1) < 0)
		return CX_USAGE;
	args[2] = argv[optind];
	args[3] = follow ? "--follow" : NULL;
	return cx_json_wanted() ? cx_provider_exec(args, e) : cx_provider_watch(args, NULL, e);
}

/* The newest release, or NULL with e set. */
static const char *
newest(json_t **all, struct cx_err *e)
{
	const char *id;

	*all = cx_provider_ask((const char *[]){"release", "list", NULL}, NULL, e);
	id = cx_json_str(json_array_get(json_object_get(*all, "releases"), 0), "id");
	if (*all && !id) {
		(void)cx_err_set(e, CX_NO, "the app has no release");
		(void)cx_err_hint(e, "make one with: cx deploy");
	}
	return id;
}

static int
manifest(int argc, char **argv, struct cx_err *e)
{
	CX_JSON json_t *all = NULL, *j = NULL;
	const char *id, *text;

	if (cx_options(argc, argv, NULL, 0, 1) < 0)
		return CX_USAGE;
	id = argv[optind] ? argv[optind] : newest(&all, e);
	j = id ? cx_provider_ask((const char *[]){"release", "get", id, NULL}, NULL, e) : NULL;
	if (!j)
		return -1;
	text = cx_json_str(json_object_get(j, "release"), "manifest");
	if (!text)
		return cx_err_set(e, CX_NO, "release %s has no build, so it has no manifest", id);
	return fputs(text, stdout) < 0 ? cx_err_sys(e, "write") : 0;
}

int
main(int argc, char **argv)
{
	static const struct cx_verb verbs[] = {
		{"list", list}, {"info", info}, {"logs", logs}, {"manifest", manifest}, {NULL, NULL}};

	return cx_verb_main("cx-releases", usage, verbs, argc, argv);
}
