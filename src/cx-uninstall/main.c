/* cx uninstall: has a provider remove a rack with all that it runs, and shows the steps. */
#include <cx/err.h>
#include <cx/provider.h>
#include <cx/verb.h>
#include <stddef.h>

static const char usage[] = "usage: cx-uninstall NAME [--force]\n";

static int
uninstall(int argc, char **argv, struct cx_err *e)
{
	int force = 0, r;
	const struct cx_option options[] = {{"force", 0, &force, NULL}, {NULL, 0, NULL, NULL}};

	r = cx_options(argc, argv, options, 1, 1);
	if (r != 0)
		return r;
	return cx_provider_watch(
		(const char *[]){"rack", "uninstall", argv[optind], force ? "--force" : NULL, NULL}, NULL, e);
}

int
main(int argc, char **argv)
{
	static const struct cx_verb verbs[] = {{"", uninstall}, {NULL, NULL}};

	return cx_verb_main("cx-uninstall", usage, verbs, argc, argv);
}
