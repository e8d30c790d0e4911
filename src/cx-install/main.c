/* cx install: has a provider install a rack, and shows the steps. */
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/event.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <string.h>

#define ARGS_MAX 40

static const char usage_text[] = "usage: cx-install local [--name NAME] [--domain DOMAIN] [--address ADDRESS]\n"
				 "           [--https-port PORT] [--http-port PORT] [--dns-port PORT]\n"
				 "           [--subnet CIDR] [--engine URL] [--no-trust] [--no-resolver] [--no-boot]\n";

/* Draws what the provider tells, one event a line; returns its exit status. */
static int
follow(const char *const argv[], struct cx_err *e)
{
	struct cx_child c = {.in = -1, .out = CX_PIPE, .err = 2};
	struct cx_display *d;
	CX_FCLOSE FILE *f = NULL;
	CX_FREE char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	if (cx_spawn(&c, argv, NULL, e) < 0)
		return -1;
	f = fdopen(cx_steal_fd(&c.out), "r");
	if (!f)
		return cx_err_sys(e, "read %s", argv[0]);
	d = cx_display_new();
	while ((n = getline(&line, &cap, f)) > 0) {
		struct cx_err bad;
		CX_JSON json_t *ev = cx_json_parse(line, (size_t)n, argv[0], &bad);

		if (ev)
			cx_display_event(d, ev);
	}
	cx_display_free(d);
	return cx_wait(&c);
}

static int
run(int argc, char **argv, struct cx_err *e)
{
	CX_FREE char *provider = cx_fmt("cx-provider-%s", argv[1]);
	const char *args[ARGS_MAX + 4] = {provider, "rack", "install"};
	int n = 3;

	if (strchr(argv[1], '/') || argv[1][0] == '-')
		return cx_err_set(e, CX_BAD, "\"%s\" is not a provider", argv[1]), cx_err_hint(e, "cx install local");
	if (argc > ARGS_MAX)
		return cx_err_set(e, CX_BAD, "too many arguments");
	for (int i = 2; i < argc; i++)
		args[n++] = argv[i];
	args[n] = NULL;
	return follow(args, e);
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
