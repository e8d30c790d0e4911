#include "local.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <string.h>

int
env_get(struct local *l, int argc, char **argv, struct cx_err *e)
{
	CX_JSON json_t *env = NULL, *j = NULL;
	char newest[12];
	const char *id;
	int n = 1;

	if (cx_options(argc, argv, NULL, 0, 1) < 0)
		return CX_USAGE;
	id = argv[optind];
	if (!id) {
		n = cx_store_newest(&l->spool, l->app, newest, e);
		id = n > 0 ? newest : NULL;
	}
	env = n < 0 ? NULL : cx_store_env(&l->spool, l->app, id, e);
	if (!env)
		return -1;
	j = json_pack("{s:i,s:s?,s:O}", "v", 1, "release", id, "env", env);
	return cx_json_print(stdout, j, e);
}

/* Applies {"replace":bool,"set":{K:V},"unset":[K]} to env; true when that changed something. */
static int
apply(json_t *env, const json_t *in, struct cx_err *e)
{
	CX_JSON json_t *old = json_copy(env);
	json_t *v, *unset = json_object_get(in, "unset");
	const char *name;
	size_t i;

	if (cx_json_true(in, "replace"))
		(void)json_object_clear(env);
	json_array_foreach (unset, i, v) {
		if (!json_is_string(v))
			return cx_err_set(e, CX_BAD, "\"unset\" must be an array of strings");
		(void)json_object_del(env, json_string_value(v));
	}
	json_object_foreach (json_object_get(in, "set"), name, v) {
		if (cx_store_env_check(name, v, e) < 0)
			return -1;
		(void)json_object_set(env, name, v);
	}
	return !json_equal(old, env);
}

/* "base": the release that the change was made from; a newer one means that somebody else's would be undone. */
static int
check_base(struct local *l, const json_t *in, struct cx_err *e)
{
	const json_t *base = json_object_get(in, "base");
	char newest[12] = "";

	if (!base)
		return 0;
	if (cx_store_newest(&l->spool, l->app, newest, e) < 0)
		return -1;
	if (strcmp(newest, json_string_value(base) ? json_string_value(base) : "") == 0)
		return 0;
	(void)cx_err_set(e, CX_NO, "release %s of %s was made meanwhile; nothing is changed", newest, l->app);
	return cx_err_hint(e, "begin again with the new environment");
}

/* Reads, changes and writes under one lock, so that of two changes at once none is lost. */
int
env_set(struct local *l, int argc, char **argv, struct cx_err *e)
{
	CX_JSON json_t *in = NULL, *env = NULL;
	CX_CLOSE int lock = -1;
	json_t *out;
	char id[12] = "";
	int changed;

	if (cx_options(argc, argv, NULL, 0, 0) < 0)
		return CX_USAGE;
	in = cx_json_read(0, "standard input", e);
	if (!in)
		return -1;
	lock = cx_store_lock(&l->spool, l->app, "env set", e);
	env = lock < 0 || check_base(l, in, e) < 0 ? NULL : cx_store_env(&l->spool, l->app, NULL, e);
	changed = env ? apply(env, in, e) : -1;
	if (changed < 0)
		return -1;
	if (changed && cx_store_release_create(&l->spool, l->app, NULL, NULL, env, id, e) < 0)
		return -1;
	if (!changed && cx_store_newest(&l->spool, l->app, id, e) < 0)
		return -1;
	out = json_pack("{s:i,s:s?,s:b}", "v", 1, "release", *id ? id : NULL, "changed", changed);
	changed = cx_json_print(stdout, out, e);
	json_decref(out);
	return changed;
}
