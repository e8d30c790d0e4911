/* cx services: the app's services and their URLs. */
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/provider.h>
#include <cx/table.h>
#include <cx/verb.h>
#include <string.h>

static const char usage[] = "usage: cx-services [list] [-a APP]\n"
			    "       cx-services url [-a APP] NAME\n";

static json_t *
ask(struct cx_err *e)
{
	return cx_provider_ask((const char *[]){"service", "list", NULL}, NULL, e);
}

static int
list(int argc, char **argv, struct cx_err *e)
{
	static const struct cx_column columns[] = {{"NAME", "name", 0}, {"URL", "url", 0}, {"STATUS", "status", 0},
		{"COUNT", "shown", 0}, {"RELEASE", "release", 0}, {"REASON", "reason", 0}, {0}};
	CX_JSON json_t *j = NULL;
	json_t *s;
	size_t i;

	if (cx_options(argc, argv, NULL, 0, 0) < 0)
		return CX_USAGE;
	j = ask(e);
	if (!j)
		return -1;
	if (cx_json_wanted())
		return cx_json_print(stdout, j, e);
	json_array_foreach (json_object_get(j, "services"), i, s) {
		CX_FREE char *n = cx_fmt("%lld/%lld", cx_json_int(s, "running", 0), cx_json_int(s, "count", 0));

		cx_json_set(s, "shown", n);
	}
	return cx_table_print("services", json_object_get(j, "services"), columns, e);
}

static int
url(int argc, char **argv, struct cx_err *e)
{
	CX_JSON json_t *j = NULL;
	const json_t *s;
	size_t i;

	if (cx_options(argc, argv, NULL, 1, 1) < 0)
		return CX_USAGE;
	j = ask(e);
	if (!j)
		return -1;
	json_array_foreach (json_object_get(j, "services"), i, s) {
		if (strcmp(cx_json_strd(s, "name", ""), argv[optind]) != 0)
			continue;
		if (!cx_json_str(s, "url"))
			return cx_err_set(e, CX_NO, "service %s has no port, so it has no URL", argv[optind]);
		return puts(cx_json_str(s, "url")) < 0 ? cx_err_sys(e, "write") : 0;
	}
	(void)cx_err_set(e, CX_NO, "the app has no service %s that was ever active", argv[optind]);
	return cx_err_hint(e, "cx services lists them");
}

int
main(int argc, char **argv)
{
	static const struct cx_verb verbs[] = {{"list", list}, {"url", url}, {NULL, NULL}};

	return cx_verb_main("cx-services", usage, verbs, argc, argv);
}
