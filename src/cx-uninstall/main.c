/* cx uninstall: has a provider remove a rack with all that it runs, and shows the steps. */
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/event.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <string.h>

static const char usage_text[] = "usage: cx-uninstall NAME [--force]\n";

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

static const char *
provider(void)
{
	const char *p = getenv("CX_PROVIDER");

	return p && *p ? p : "local";
}

int
main(int argc, char **argv)
{
	struct cx_err e;
	const char *name = NULL, *force = NULL;
	CX_FREE char *prog = cx_fmt("cx-provider-%s", provider());
	int r;

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
			name = argv[argc = 0];
	}
	if (!name || argc == 0) {
		(void)fputs(usage_text, stderr);
		return CX_BAD;
	}
	r = follow((const char *[]){prog, "rack", "uninstall", name, force, NULL}, &e);
	if (r < 0 || cx_out_close(&e) < 0)
		return cx_err_report(&e, "cx-uninstall");
	return r;
}
