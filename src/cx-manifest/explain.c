#include "explain.h"
#include "emit.h"
#include "path.h"
#include "schema.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/json.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <fcntl.h>
#include <string.h>

#define WIDTH 80
#define COLUMN 16

/* text from `at` on, broken at blanks so that lines end before WIDTH, later lines indented by `indent`. */
static void
put_wrapped(const char *text, size_t at, size_t indent)
{
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, " \n");

		if (p > text && at + 1 + n > WIDTH) {
			(void)printf("\n%*s", (int)indent, "");
			at = indent;
		} else if (p > text) {
			(void)putchar(' ');
			at++;
		}
		(void)printf("%.*s", (int)n, p);
		at += n;
		p += n;
		p += strspn(p, " \n");
	}
	(void)putchar('\n');
}

static void
put_row(const char *name, const char *text)
{
	int n = printf("  %-*s ", COLUMN - 3, name);

	if (n > COLUMN)
		n = printf("\n%*s", COLUMN, "") - 1;
	put_wrapped(text, (size_t)n, COLUMN);
}

static void
put_keys(const json_t *keys)
{
	size_t i;
	const json_t *k;

	json_array_foreach (keys, i, k) {
		const char *text = cx_json_strd(k, "description", ""), *end = strstr(text, ". ");
		CX_FREE char *first = end ? cx_strndup(text, (size_t)(end - text) + 1) : cx_strdup(text);

		put_row(cx_json_strd(k, "name", ""), first);
	}
}

/* An example stands as one would write it, below its key. */
static void
put_example(const char *key, const json_t *example)
{
	CX_JSON json_t *map = json_object();
	CX_BUF struct cx_buf b = {0};
	char *save = NULL;

	(void)json_object_set(map, key, (json_t *)example);
	emit_yaml(map, &b);
	for (char *l = strtok_r(b.p, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		(void)printf("    %s\n", l);
}

static void
put_page(const json_t *page, const char *key)
{
	CX_BUF struct cx_buf forms = {0};
	const json_t *list = json_object_get(page, "forms"), *value = json_object_get(page, "default"), *v;
	const char *rack;
	size_t i;

	(void)printf("%s\n", cx_json_strd(page, "path", ""));
	if (cx_json_str(page, "description")) {
		(void)printf("\n  ");
		put_wrapped(cx_json_str(page, "description"), 2, 2);
	}
	json_array_foreach (list, i, v)
		cx_buf_addf(&forms, "%s%s", i ? "; or " : "", json_string_value(v));
	(void)putchar('\n');
	if (forms.n)
		put_row("forms", forms.p);
	if (value) {
		CX_FREE char *text = json_is_string(value) ? cx_strdup(json_string_value(value))
				     : json_is_null(value) ? cx_strdup("none")
							   : cx_json_text(value);

		put_row("default", text);
	}
	json_object_foreach (json_object_get(page, "racks"), rack, v)
		put_row(rack, json_is_string(v) ? json_string_value(v) : "");
	if (json_array_size(json_object_get(page, "keys"))) {
		(void)printf("\nkeys\n");
		put_keys(json_object_get(page, "keys"));
	}
	if (json_array_size(json_object_get(page, "examples")))
		(void)printf("\nfor example\n");
	json_array_foreach (json_object_get(page, "examples"), i, v)
		put_example(key, v);
}

/* What the schema says of a key, as one object. */
static json_t *
make_page(const json_t *root, const json_t *s, const char *path)
{
	static const char *const words[][2] = {
		{"description", "description"}, {"default", "default"}, {"examples", "examples"}, {"x-cx", "racks"}};
	json_t *page = json_pack("{s:i,s:s}", "v", 1, "path", path);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const json_t *v = schema_word(root, s, words[i][0]);

		if (v)
			(void)json_object_set(page, words[i][1], (json_t *)v);
	}
	(void)json_object_set_new(page, "forms", schema_forms(root, s));
	(void)json_object_set_new(page, "keys", schema_keys(root, s));
	return page;
}

static int
no_such_key(const char *path, const struct step *s, const char *near, struct cx_err *e)
{
	int before = s->name ? (int)(s->name - path) : 0;

	(void)cx_err_set(e, CX_NO, "convox.yml has no key %.200s", path);
	if (near)
		return cx_err_hint(e, "did you mean %.*s%s?", before, path, near);
	return cx_err_hint(e, "cx-manifest explain alone lists the keys at the top");
}

static int
explain_path(const json_t *root, const char *path, struct cx_err *e)
{
	CX_JSON json_t *page = NULL;
	CX_FREE char *key = NULL;
	const json_t *s = root;
	const char *p = path, *near;
	struct step step;

	if (!path_valid(path))
		return cx_err_set(e, CX_BAD, "\"%.200s\" is not a path such as services.web.scale", path);
	while (path_next(&p, &step) > 0) {
		s = schema_step(root, s, &step, &near);
		if (!s)
			return no_such_key(path, &step, near, e);
		if (step.name) {
			free(key);
			key = cx_strndup(step.name, step.n);
		}
	}
	page = make_page(root, s, path);
	if (cx_json_wanted())
		return cx_json_print(stdout, page, e);
	put_page(page, key ? key : path);
	return 0;
}

static int
explain_top(const json_t *root, struct cx_err *e)
{
	CX_JSON json_t *page = json_pack("{s:i,s:o}", "v", 1, "keys", schema_keys(root, root));

	if (cx_json_wanted())
		return cx_json_print(stdout, page, e);
	put_keys(json_object_get(page, "keys"));
	return 0;
}

int
explain(const char *path, struct cx_err *e)
{
	CX_JSON json_t *root = NULL;
	char file[4096];

	if (cx_share("schema/convox.json", file, sizeof(file), e) < 0)
		return -1;
	root = cx_json_load(AT_FDCWD, file, e);
	if (!root)
		return -1;
	return path ? explain_path(root, path, e) : explain_top(root, e);
}
