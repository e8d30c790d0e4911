#include "local.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/follow.h>
#include <cx/own.h>
#include <string.h>

#define RACK_GRACE_S 3.0

static const char *
named(const struct local *l, char **argv)
{
	return argv[optind] ? argv[optind] : l->app;
}

int
app_create(struct local *l, int argc, char **argv, struct cx_err *e)
{
	if (cx_options(argc, argv, NULL, 0, 1) < 0)
		return CX_USAGE;
	if (cx_store_app_create(&l->spool, named(l, argv), e) < 0)
		return -1;
	return app_get(l, argc, argv, e);
}

int
app_list(struct local *l, int argc, char **argv, struct cx_err *e)
{
	json_t *all;

	if (cx_options(argc, argv, NULL, 0, 0) < 0)
		return CX_USAGE;
	all = cx_store_apps(&l->spool, e);
	return all ? print_as("apps", all, e) : -1;
}

int
app_get(struct local *l, int argc, char **argv, struct cx_err *e)
{
	json_t *a;

	if (cx_options(argc, argv, NULL, 0, 1) < 0)
		return CX_USAGE;
	a = cx_store_app(&l->spool, named(l, argv), e);
	return a ? print_as("app", a, e) : -1;
}

struct deletion {
	struct local *l;
	const char *app;
};

static int
is_gone(void *arg, double quiet, struct cx_err *e)
{
	struct deletion *d = arg;
	CX_FREE char *path = cx_fmt("apps/%s/app.json", d->app);

	if (faccessat(d->l->spool.dir, path, F_OK, 0) < 0)
		return 1;
	if (quiet < RACK_GRACE_S || cx_rack_runs(&d->l->spool))
		return 0;
	(void)cx_err_set(e, CX_SYS, "the rack is not running: %s is deleted once it runs", d->app);
	return cx_err_hint(e, "start it with: cx rack start");
}

/* Marks it, then waits until cx-converge(8) has stopped what runs and taken the folder away. */
int
app_delete(struct local *l, int argc, char **argv, struct cx_err *e)
{
	struct deletion d = {.l = l};

	if (cx_options(argc, argv, NULL, 1, 1) < 0)
		return CX_USAGE;
	d.app = argv[optind];
	if (cx_store_app_delete(&l->spool, d.app, e) < 0)
		return -1;
	if (print_lines(l, "apps", "none", 1, is_gone, &d, e) < 0)
		return -1;
	return print_as("deleted", json_string(d.app), e);
}
