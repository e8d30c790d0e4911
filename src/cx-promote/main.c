/* cx promote: make a release the active one, and follow how that goes. */
#include <cx/err.h>
#include <cx/proc.h>
#include <cx/provider.h>
#include <cx/verb.h>

static const char usage[] = "usage: cx-promote [-a APP] [RELEASE]\n";

static int
promote(int argc, char **argv, struct cx_err *e)
{
	if (cx_options(argc, argv, NULL, 0, 1) < 0)
		return CX_USAGE;
	return cx_provider_promote_print(argv[optind], e);
}

int
main(int argc, char **argv)
{
	static const struct cx_verb verbs[] = {{"", promote}, {NULL, NULL}};

	return cx_verb_main("cx-promote", usage, verbs, argc, argv);
}
