/* cx-build(1): a manifest and a source tree become images, one a service. */
#include "image.h"
#include "plan.h"
#include "run.h"
#include <cx/err.h>
#include <cx/proc.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const char usage[] = "usage: cx-build [-a APP] [--development] [--no-cache] [DIR]\n";

static volatile sig_atomic_t caught;

static void
on_signal(int sig)
{
	caught = sig;
}

/* The first signal ends the build in order, a second one at once. */
static void
catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	(void)sigaction(SIGINT, &sa, NULL);
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGHUP, &sa, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

static int
wrong_usage(void)
{
	(void)fputs(usage, stderr);
	return CX_BAD;
}

int
main(int argc, char **argv)
{
	struct run r = {.interrupt = (const int *)&caught};
	struct cx_err e = {0};
	int status;

	if (cx_globals(&argc, argv, 0, &e) < 0)
		return cx_err_report(&e, "cx-build");
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			(void)fputs(usage, stdout);
			return cx_out_close(&e) < 0 ? cx_err_report(&e, "cx-build") : 0;
		}
		if (strcmp(argv[i], "--development") == 0)
			r.development = 1;
		else if (strcmp(argv[i], "--no-cache") == 0)
			r.no_cache = 1;
		else if (strcmp(argv[i], "--") == 0 && i + 2 >= argc)
			continue;
		else if (argv[i][0] == '-' && argv[i][1])
			return wrong_usage();
		else if (r.dir)
			return wrong_usage();
		else
			r.dir = argv[i];
	}
	catch_signals();
	status = run(&r, &e);
	if (status >= 0)
		return status;
	(void)cx_err_report(&e, "cx-build");
	return caught ? 128 + caught : (int)e.cls;
}
