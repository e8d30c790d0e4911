/* cx install: has a provider install a rack, and shows the steps. */
#include <cx/err.h>
#include <cx/proc.h>
#include <cx/provider.h>
#include <cx/spool.h>
#include <stdlib.h>
#include <string.h>

#define ARGS_MAX 40

static const char usage_text[] = "usage: cx-install local [--name NAME] [--domain DOMAIN] [--address ADDRESS]\n"
				 "           [--https-port PORT] [--http-port PORT] [--dns-port PORT]\n"
				 "           [--subnet CIDR] [--engine URL] [--no-trust] [--no-resolver] [--no-boot]\n";

static int
run(int argc, char **argv, struct cx_err *e)
{
	const char *args[ARGS_MAX + 3] = {"rack", "install"};

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
	struct cx_err e;
	int r = -1;

	if (cx_globals(&argc, argv, 0, &e) < 0)
		return cx_err_report(&e, "cx-install");
	if (argc > 1 && strcmp(argv[1], "--help") == 0) {
		(void)fputs(usage_text, stdout);
		r = 0;
	} else if (argc < 2) {
		(void)fputs(usage_text, stderr);
		return CX_BAD;
	} else {
		r = run(argc, argv, &e);
	}
	if (r < 0 || cx_out_close(&e) < 0)
		return cx_err_report(&e, "cx-install");
	return r;
}
