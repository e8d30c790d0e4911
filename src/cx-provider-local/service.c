#include "local.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/near.h>
#include <cx/own.h>
#include <errno.h>
#include <string.h>

/* What was scaled and is not acted upon yet shows as what is wanted. */
static void
apply_scale(json_t *app)
{
	const json_t *scale = json_object_get(app, "scale");
	json_t *s, *n;
	size_t i;

	json_array_foreach (json_object_get(app, "services"), i, s) {
		n = json_object_get(json_object_get(scale, cx_json_strd(s, "name", "")), "count");
		if (n)
			(void)json_object_set(s, "count", n);
	}
}

int
service_list(struct local *l, int argc, char **argv, struct cx_err *e)
{
	CX_JSON json_t *a = NULL;

	if (cx_options(argc, argv, NULL, 0, 0) < 0)
		return CX_USAGE;
	a = cx_store_app(&l->spool, l->app, e);
	if (!a)
		return -1;
	apply_scale(a);
	return print_as("services", json_incref(json_object_get(a, "services")), e);
}

int
resource_list(struct local *l, int argc, char **argv, struct cx_err *e)
{
	CX_JSON json_t *a = NULL;

	if (cx_options(argc, argv, NULL, 0, 0) < 0)
		return CX_USAGE;
	a = cx_store_app(&l->spool, l->app, e);
	return a ? print_as("resources", json_incref(json_object_get(a, "resources")), e) : -1;
}

static int
check_service(const json_t *app, const char *name, struct cx_err *e)
{
	unsigned best = cx_near_limit(name) + 1;
	const char *near = NULL;
	json_t *s;
	size_t i;

	if (cx_name_check("service", name, e) < 0)
		return -1;
	json_array_foreach (json_object_get(app, "services"), i, s) {
		const char *other = cx_json_strd(s, "name", "");
		unsigned n = cx_near_distance(name, other);

		if (n == 0)
			return 0;
		near = n < best ? other : near;
		best = n < best ? n : best;
	}
	(void)cx_err_set(e, CX_NO, "the active release of %s has no service %s", cx_json_strd(app, "name", "?"), name);
	if (near)
		return cx_err_hint(e, "did you mean %s?", near);
	return cx_err_hint(e, "cx services lists them");
}

static int
read_count(const char *word, json_t *counts, char **name, struct cx_err *e)
{
	const char *eq = strchr(word, '=');
	char *end = NULL;
	long n;

	errno = 0;
	n = eq ? strtol(eq + 1, &end, 10) : 0;
	if (!eq || eq == word || eq[1] < '0' || eq[1] > '9' || *end || errno) {
		(void)cx_err_set(e, CX_BAD, "\"%.80s\" is not SERVICE=COUNT", word);
		return cx_err_hint(e, "for example: cx scale web=2");
	}
	*name = cx_strndup(word, (size_t)(eq - word));
	(void)json_object_set_new(counts, *name, json_integer(n));
	return 0;
}

int
service_scale(struct local *l, int argc, char **argv, struct cx_err *e)
{
	CX_JSON json_t *counts = json_object(), *a = NULL;

	if (cx_options(argc, argv, NULL, 1, 100) < 0)
		return CX_USAGE;
	a = cx_store_app(&l->spool, l->app, e);
	if (!a)
		return -1;
	for (int i = optind; i < argc; i++) {
		CX_FREE char *name = NULL;

		if (read_count(argv[i], counts, &name, e) < 0 || check_service(a, name, e) < 0)
			return -1;
	}
	if (cx_store_scale(&l->spool, l->app, counts, e) < 0)
		return -1;
	return service_list(l, 1, argv, e);
}
