/* cx uninstall: has a provider remove a rack with all that it runs, and shows the steps. */
#include <cx/err.h>
#include <cx/proc.h>
#include <cx/provider.h>
#include <stdio.h>
#include <string.h>

static const char usage_text[] = "usage: cx-uninstall NAME [--force]\n";

int
main(int argc, char **argv)
{
	struct cx_err e;
	const char *name = NULL, *force = NULL;
	int bad = 0, r;

	if (cx_globals(&argc, argv, 0, &e) < 0)
		return cx_err_report(&e, "cx-uninstall");
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			(void)fputs(usage_text, stdout);
			return cx_out_close(&e) < 0 ? cx_err_report(&e, "cx-uninstall") : 0;
		}
		if (strcmp(argv[i], "--force") == 0)
			force = argv[i];
		else if (!name && argv[i][0] != '-')
			name = argv[i];
		else
			bad = 1;
	}
	if (!name || bad) {
		(void)fputs(usage_text, stderr);
		return CX_BAD;
	}
	r = cx_provider_watch((const char *[]){"rack", "uninstall", name, force, NULL}, NULL, &e);
	if (r < 0 || cx_out_close(&e) < 0)
		return cx_err_report(&e, "cx-uninstall");
	return r;
}
