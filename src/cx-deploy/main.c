/* cx deploy: the pipeline run for you, or its last stage: a release made of a build, promoted, and followed. */
#include "stage.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/provider.h>
#include <cx/verb.h>
#include <string.h>

static const char usage[] = "usage: cx-deploy [-a APP] [--create] [DIR]\n";

/* Asked of the list, so that a missing app is ours to explain. 1 when there is one. */
static int
app_exists(const char *app, struct cx_err *e)
{
	CX_JSON json_t *j = cx_provider_ask((const char *[]){"app", "list", NULL}, NULL, e);
	json_t *a;
	size_t i;

	json_array_foreach (json_object_get(j, "apps"), i, a)
		if (strcmp(cx_json_strd(a, "name", ""), app) == 0)
			return 1;
	return j ? 0 : -1;
}

static int
need_app(int create, struct cx_err *e)
{
	CX_JSON json_t *j = NULL;
	char app[64];
	int there;

	if (cx_app_name(app, e) < 0)
		return -1;
	there = app_exists(app, e);
	if (there != 0)
		return there < 0 ? -1 : 0;
	if (!create) {
		(void)cx_err_set(e, CX_NO, "there is no app %s", app);
		return cx_err_hint(e, "make it and deploy with: cx deploy --create; another app is named with -a APP");
	}
	j = cx_provider_ask((const char *[]){"app", "create", app, NULL}, NULL, e);
	return j ? 0 : -1;
}

static char *
make_release(const json_t *doc, struct cx_err *e)
{
	const char *build = cx_json_str(json_object_get(doc, "build"), "id");
	CX_JSON json_t *j = NULL;
	const char *id;

	if (!build) {
		(void)cx_err_set(e, CX_BAD, "the document has no build.id");
		(void)cx_err_hint(e, "cx-build adds it: cx-manifest | cx-build | cx-deploy");
		return NULL;
	}
	j = cx_provider_ask((const char *[]){"release", "create", "--build", build, NULL}, NULL, e);
	id = cx_json_str(json_object_get(j, "release"), "id");
	if (j && !id)
		(void)cx_err_set(e, CX_SYS, "the provider did not say which release it made");
	return id ? cx_strdup(id) : NULL;
}

static int
put_urls(FILE *to, const char *release, struct cx_err *e)
{
	CX_JSON json_t *j = cx_provider_ask((const char *[]){"service", "list", NULL}, NULL, e);
	const json_t *s;
	size_t i;

	if (!j)
		return -1;
	(void)fprintf(to, "%s is active\n", release);
	json_array_foreach (json_object_get(j, "services"), i, s)
		if (cx_json_str(s, "url"))
			(void)fprintf(to, "  %s  %s\n", cx_json_strd(s, "name", "?"), cx_json_str(s, "url"));
	return 0;
}

/* People at a terminal get the URLs; a pipe or file gets the document. */
static int
print(const json_t *doc, const char *release, int st, struct cx_err *e)
{
	int people = isatty(1) && !cx_json_wanted();

	if (st == 0 && !cx_json_wanted() && put_urls(people ? stdout : stderr, release, e) < 0)
		return -1;
	return people ? 0 : cx_json_print(stdout, doc, e);
}

static int
deploy(int argc, char **argv, struct cx_err *e)
{
	int create = 0, st;
	const struct cx_option options[] = {{"create", 0, &create, NULL}, {0}};
	CX_JSON json_t *doc = NULL, *result = NULL;
	CX_FREE char *release = NULL;
	struct cx_err ignore;

	if (cx_options(argc, argv, options, 0, 1) < 0)
		return CX_USAGE;
	st = stage_document(argv[optind], &doc, e);
	if (st == 0)
		st = need_app(create, e);
	if (st == 0 && !json_object_get(doc, "build"))
		st = stage_run((const char *[]){"cx-build", NULL}, &doc, e);
	if (st != 0)
		return st;
	release = make_release(doc, e);
	if (!release)
		return -1;
	st = cx_provider_promote(release, &result, e);
	/* Without a result the end is not known: detached, or the rack does not run. */
	if (!result)
		return st;
	(void)json_object_set(doc, "release", result);
	return print(doc, release, st, st == 0 ? e : &ignore) < 0 ? -1 : st;
}

int
main(int argc, char **argv)
{
	static const struct cx_verb verbs[] = {{"", deploy}, {NULL, NULL}};

	return cx_verb_main("cx-deploy", usage, verbs, argc, argv);
}
