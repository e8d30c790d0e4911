/* cx install: has a provider install a rack, and shows the steps. */
#include <cx/err.h>
#include <cx/provider.h>
#include <cx/spool.h>
#include <cx/verb.h>
#include <stdlib.h>

#define ARGS_MAX 24

static const char usage[] = "usage: cx-install local [--name NAME] [--domain DOMAIN] [--address ADDRESS]\n"
			    "           [--https-port PORT] [--http-port PORT] [--dns-port PORT]\n"
			    "           [--subnet CIDR] [--engine URL] [--no-trust] [--no-resolver] [--no-boot]\n";

static int
install(int argc, char **argv, struct cx_err *e)
{
	const char *args[ARGS_MAX + 3] = {"rack", "install"};

	if (argc < 2)
		return CX_USAGE;
	if (cx_name_check("provider", argv[1], e) < 0)
		return cx_err_hint(e, "for example: cx install local");
	if (argc > ARGS_MAX)
		return cx_err_set(e, CX_BAD, "too many arguments");
	for (int i = 2; i < argc; i++)
		args[i] = argv[i];
	if (setenv("CX_PROVIDER", argv[1], 1) < 0)
		return cx_err_sys(e, "set CX_PROVIDER");
	return cx_provider_watch(args, NULL, e);
}

int
main(int argc, char **argv)
{
	static const struct cx_verb verbs[] = {{"", install}, {NULL, NULL}};

	return cx_verb_main("cx-install", usage, verbs, argc, argv);
}
