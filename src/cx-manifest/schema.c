#include "schema.h"
#include "path.h"
#include <cx/buf.h>
#include <cx/json.h>
#include <cx/near.h>
#include <cx/own.h>
#include <string.h>

#define DEPTH_MAX 12

static const json_t *
follow(const json_t *root, const json_t *s)
{
	static const char prefix[] = "#/definitions/";
	const char *ref = cx_json_str(s, "$ref");

	if (!ref || strncmp(ref, prefix, sizeof(prefix) - 1) != 0)
		return NULL;
	return json_object_get(json_object_get(root, "definitions"), ref + sizeof(prefix) - 1);
}

int
schema_each(const json_t *root, const json_t *s, int depth, int (*each)(const json_t *s, void *arg), void *arg)
{
	static const char *const lists[] = {"allOf", "anyOf", "oneOf"};
	const json_t *list, *one;
	size_t k;
	int rc = json_is_object(s) && depth < DEPTH_MAX ? each(s, arg) : 0;

	if (rc || depth >= DEPTH_MAX)
		return rc;
	one = follow(root, s);
	rc = one ? schema_each(root, one, depth + 1, each, arg) : 0;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && !rc; i++) {
		list = json_object_get(s, lists[i]);
		json_array_foreach (list, k, one)
			if ((rc = schema_each(root, one, depth + 1, each, arg)) != 0)
				break;
	}
	return rc;
}

struct find {
	const char *name; /* NULL: an item */
	const json_t *found, *named; /* the key of that name; what any name leads to */
	const char *near;
	unsigned best;
};

static void
find_near(struct find *f, const json_t *keys)
{
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)keys, key, v) {
		unsigned n = cx_near_distance(f->name, key);

		if (n < f->best) {
			f->best = n;
			f->near = key;
		}
	}
}

static int
find_in(const json_t *s, void *arg)
{
	struct find *f = arg;
	const json_t *keys = json_object_get(s, "properties"), *more;
	const char *pattern;
	json_t *v;

	if (!f->name) {
		f->found = json_object_get(s, "items");
		return f->found != NULL;
	}
	f->found = json_object_get(keys, f->name);
	if (f->found)
		return 1;
	find_near(f, keys);
	json_object_foreach (json_object_get(s, "patternProperties"), pattern, v)
		if (json_is_object(v) && !f->named)
			f->named = v;
	more = json_object_get(s, "additionalProperties");
	if (json_is_object(more) && !f->named)
		f->named = more;
	return 0;
}

const json_t *
schema_step(const json_t *root, const json_t *s, const struct step *step, const char **near)
{
	CX_FREE char *name = step->name ? cx_strndup(step->name, step->n) : NULL;
	struct find f = {.name = name, .best = name ? cx_near_limit(name) + 1 : 0};

	(void)schema_each(root, s, 0, find_in, &f);
	*near = f.near;
	return f.found ? f.found : f.named;
}

const json_t *
schema_word(const json_t *root, const json_t *s, const char *word)
{
	const json_t *v = json_object_get(s, word);

	for (int i = 0; s && !v && i < DEPTH_MAX; i++) {
		s = follow(root, s);
		v = json_object_get(s, word);
	}
	return v;
}

static void
say_range(const json_t *s, const char *what, struct cx_buf *b)
{
	const json_t *min = json_object_get(s, "minimum"), *max = json_object_get(s, "maximum");

	cx_buf_adds(b, what);
	if (min && max)
		cx_buf_addf(b, " from %g to %g", json_number_value(min), json_number_value(max));
	else if (min)
		cx_buf_addf(b, " of at least %g", json_number_value(min));
}

static void
say_values(const json_t *values, struct cx_buf *b)
{
	size_t i;
	const json_t *v;

	json_array_foreach (values, i, v) {
		CX_FREE char *text = json_is_string(v) ? cx_strdup(json_string_value(v)) : cx_json_text(v);

		cx_buf_addf(b, "%s%s", !i ? "" : i + 1 == json_array_size(values) ? " or " : ", ", text);
	}
}

static void
say_type(const json_t *s, const char *type, struct cx_buf *b)
{
	if (strcmp(type, "integer") == 0)
		say_range(s, "a whole number", b);
	else if (strcmp(type, "number") == 0)
		say_range(s, "a number", b);
	else if (strcmp(type, "boolean") == 0)
		cx_buf_adds(b, "true or false");
	else if (strcmp(type, "array") == 0)
		cx_buf_adds(b, "a list");
	else if (strcmp(type, "object") == 0)
		cx_buf_adds(b, json_object_get(s, "properties") ? "a map of keys" : "a map of names");
	else if (strcmp(type, "string") == 0)
		cx_buf_adds(b, "a text");
}

static void
add_form(json_t *forms, struct cx_buf *b)
{
	size_t i;
	const json_t *f;

	json_array_foreach (forms, i, f)
		if (strcmp(json_string_value(f), cx_buf_str(b)) == 0)
			b->n = 0;
	if (b->n)
		(void)json_array_append_new(forms, json_string(b->p));
	b->n = 0;
}

static int
form_of(const json_t *s, void *arg)
{
	CX_BUF struct cx_buf b = {0};
	const json_t *type = json_object_get(s, "type"), *t;
	json_t *forms = arg;
	size_t i;

	if (json_object_get(s, "enum")) {
		say_values(json_object_get(s, "enum"), &b);
		add_form(forms, &b);
		return 0;
	}
	if (json_is_string(type)) {
		say_type(s, json_string_value(type), &b);
		add_form(forms, &b);
	}
	json_array_foreach (type, i, t) {
		say_type(s, json_is_string(t) ? json_string_value(t) : "", &b);
		add_form(forms, &b);
	}
	return 0;
}

json_t *
schema_forms(const json_t *root, const json_t *s)
{
	json_t *forms = json_array();

	(void)schema_each(root, s, 0, form_of, forms);
	return forms;
}

struct keys {
	const json_t *root;
	json_t *list;
};

static int
keys_of(const json_t *s, void *arg)
{
	struct keys *k = arg;
	const char *name;
	json_t *v, *row;
	size_t i;

	json_object_foreach (json_object_get(s, "properties"), name, v) {
		const json_t *text = schema_word(k->root, v, "description");
		int known = 0;

		json_array_foreach (k->list, i, row)
			known |= strcmp(cx_json_strd(row, "name", ""), name) == 0;
		if (!known)
			(void)json_array_append_new(
				k->list, json_pack("{s:s,s:s}", "name", name, "description",
						 json_is_string(text) ? json_string_value(text) : ""));
	}
	return 0;
}

json_t *
schema_keys(const json_t *root, const json_t *s)
{
	struct keys k = {root, json_array()};

	(void)schema_each(root, s, 0, keys_of, &k);
	return k.list;
}
