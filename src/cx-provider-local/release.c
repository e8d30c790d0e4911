#include "local.h"
#include <cx/err.h>
#include <cx/own.h>
#include <string.h>

/* A release as others see it: which one is active comes from state.json, not from what its own file says. */
static void
mark(json_t *release, const json_t *app)
{
	const char *id = cx_json_strd(release, "id", ""), *active = cx_json_strd(app, "active", "");
	int is_active = strcmp(id, active) == 0;

	(void)json_object_set_new(release, "active", json_boolean(is_active));
	if (is_active && strcmp(cx_json_strd(release, "status", ""), "promoting") != 0)
		cx_json_set(release, "status", "active");
	else if (!is_active && strcmp(cx_json_strd(release, "status", ""), "active") == 0)
		cx_json_set(release, "status", "superseded");
}

int
release_create(struct local *l, int argc, char **argv, struct cx_err *e)
{
	const char *build = NULL, *from = NULL;
	const struct cx_option options[] = {{"build", 0, NULL, &build}, {"from", 0, NULL, &from}, {0}};
	char id[12];

	if (cx_options(argc, argv, options, 0, 0) < 0)
		return CX_USAGE;
	if (cx_store_release_create(&l->spool, l->app, from, build, NULL, id, e) < 0)
		return -1;
	return print_as("release", cx_store_release(&l->spool, l->app, id, e), e);
}

int
release_list(struct local *l, int argc, char **argv, struct cx_err *e)
{
	CX_JSON json_t *app = NULL;
	json_t *all, *r;
	size_t i;

	if (cx_options(argc, argv, NULL, 0, 0) < 0)
		return CX_USAGE;
	app = cx_store_app(&l->spool, l->app, e);
	all = app ? cx_store_releases(&l->spool, l->app, e) : NULL;
	json_array_foreach (all, i, r) {
		mark(r, app);
		(void)json_object_del(r, "manifest");
	}
	return all ? print_as("releases", all, e) : -1;
}

int
release_get(struct local *l, int argc, char **argv, struct cx_err *e)
{
	CX_JSON json_t *app = NULL;
	json_t *r;

	if (cx_options(argc, argv, NULL, 1, 1) < 0)
		return CX_USAGE;
	app = cx_store_app(&l->spool, l->app, e);
	r = app ? cx_store_release(&l->spool, l->app, argv[optind], e) : NULL;
	if (!r)
		return -1;
	mark(r, app);
	return print_as("release", r, e);
}

int
release_promote(struct local *l, int argc, char **argv, struct cx_err *e)
{
	CX_JSON json_t *j = NULL;
	CX_CLOSE int lock = -1;
	char newest[12], attempt[12];
	const char *id;
	int n = 1;

	if (cx_options(argc, argv, NULL, 0, 1) < 0)
		return CX_USAGE;
	id = argv[optind] ? argv[optind] : newest;
	lock = cx_store_lock(&l->spool, l->app, "promote", e);
	if (lock >= 0 && id == newest)
		n = cx_store_newest(&l->spool, l->app, newest, e);
	if (lock < 0 || n < 0)
		return -1;
	if (n == 0) {
		(void)cx_err_set(e, CX_NO, "%s has no release", l->app);
		return cx_err_hint(e, "make one with: cx deploy -a %s", l->app);
	}
	if (cx_store_promote(&l->spool, l->app, id, attempt, e) < 0)
		return -1;
	j = json_pack("{s:i,s:s,s:s}", "v", 1, "release", id, "attempt", attempt);
	return cx_json_print(stdout, j, e);
}
