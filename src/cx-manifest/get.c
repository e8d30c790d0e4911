#include "get.h"
#include "path.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/near.h>
#include <cx/own.h>
#include <string.h>

static const json_t *
step_into(const json_t *m, const struct step *s)
{
	CX_FREE char *name = s->name ? cx_strndup(s->name, s->n) : NULL;

	if (!name)
		return json_array_get(m, s->index);
	if (json_is_array(m) && strspn(name, "0123456789") == s->n && s->n < 10)
		return json_array_get(m, (size_t)strtoul(name, NULL, 10));
	return json_object_get(m, name);
}

static const char *
near_key(const json_t *m, const struct step *s)
{
	CX_FREE char *name = cx_strndup(s->name ? s->name : "", s->name ? s->n : 0);
	unsigned best = cx_near_limit(name) + 1;
	const char *key, *near = NULL;
	json_t *v;

	json_object_foreach ((json_t *)m, key, v) {
		unsigned n = cx_near_distance(name, key);

		if (n < best) {
			best = n;
			near = key;
		}
	}
	return near;
}

const json_t *
get_path(const json_t *m, const char *path, struct cx_err *e)
{
	const char *p = path;
	struct step s;

	if (!path_valid(path)) {
		(void)cx_err_set(e, CX_BAD, "\"%.200s\" is not a path", path);
		(void)cx_err_hint(e, "for example services.web.port.port, services.web.volumes[0] or params[\"a.b\"]");
		return NULL;
	}
	while (path_next(&p, &s) > 0) {
		const json_t *v = step_into(m, &s);
		const char *near = v ? NULL : near_key(m, &s);

		if (!v) {
			(void)cx_err_set(e, CX_NO, "the manifest has no %.200s", path);
			(void)cx_err_hint(
				e, near ? "did you mean %s?" : "cx-manifest | jq .manifest shows what it has", near);
			return NULL;
		}
		m = v;
	}
	return m;
}
