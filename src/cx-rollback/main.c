/* cx rollback: a new release with the build and the environment of an earlier one, promoted. */
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/provider.h>
#include <cx/verb.h>
#include <string.h>

static const char usage[] = "usage: cx-rollback [-a APP] [RELEASE]\n";

/* The release that was active before the one that is: of those that once were, the one promoted last. */
static const char *
before(const json_t *releases, struct cx_err *e)
{
	const json_t *best = NULL, *r;
	size_t i;

	json_array_foreach (releases, i, r) {
		if (cx_json_true(r, "active") || strcmp(cx_json_strd(r, "status", ""), "superseded") != 0)
			continue;
		if (!best || strcmp(cx_json_strd(r, "promoted", ""), cx_json_strd(best, "promoted", "")) > 0)
			best = r;
	}
	if (!best) {
		(void)cx_err_set(e, CX_NO, "no other release was active before");
		(void)cx_err_hint(e, "name the one to go back to: cx rollback RELEASE; cx releases lists them");
	}
	return cx_json_str(best, "id");
}

static int
rollback(int argc, char **argv, struct cx_err *e)
{
	CX_JSON json_t *all = NULL, *made = NULL;
	const char *to, *id;

	if (cx_options(argc, argv, NULL, 0, 1) < 0)
		return CX_USAGE;
	to = argv[optind];
	if (!to) {
		all = cx_provider_ask((const char *[]){"release", "list", NULL}, NULL, e);
		to = all ? before(json_object_get(all, "releases"), e) : NULL;
	}
	made = to ? cx_provider_ask((const char *[]){"release", "create", "--from", to, NULL}, NULL, e) : NULL;
	id = cx_json_str(json_object_get(made, "release"), "id");
	if (!made)
		return -1;
	if (!cx_json_wanted())
		(void)fprintf(stderr, "%s is a copy of %s\n", id ? id : "?", to);
	return cx_provider_promote_print(id, e);
}

int
main(int argc, char **argv)
{
	static const struct cx_verb verbs[] = {{"", rollback}, {NULL, NULL}};

	return cx_verb_main("cx-rollback", usage, verbs, argc, argv);
}
