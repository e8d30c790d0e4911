#include "process.h"
#include <cx/err.h>
#include <cx/own.h>
#include <string.h>

static int
by_name(const void *a, const void *b)
{
	json_t *const *x = a, *const *y = b;
	int d = strcmp(cx_json_strd(*x, "service", ""), cx_json_strd(*y, "service", ""));

	return d ? d : strcmp(cx_json_strd(*x, "started", ""), cx_json_strd(*y, "started", ""));
}

static json_t *
sorted(const json_t *list)
{
	size_t n = json_array_size(list);
	json_t **v = cx_alloc((n + 1) * sizeof(json_t *)), *out = json_array();

	for (size_t i = 0; i < n; i++)
		v[i] = json_array_get(list, i);
	qsort(v, n, sizeof(json_t *), by_name);
	for (size_t i = 0; i < n; i++)
		(void)json_array_append(out, v[i]);
	free(v);
	return out;
}

int
verb_list(struct local *l, int argc, char **argv, struct cx_err *e)
{
	CX_JSON json_t *all = NULL, *list = json_array(), *doc = json_object();
	json_t *item;
	size_t i;

	(void)argv;
	if (argc > 1)
		return usage_error(e, "process list takes no operands");
	all = process_containers(l, e);
	if (!all)
		return -1;
	json_array_foreach (all, i, item) {
		json_t *p;

		if (strcmp(process_label(item, "convox.type"), "resource") == 0)
			continue;
		p = process_describe(l, cx_json_strd(item, "Id", ""), e);
		if (p)
			(void)json_array_append_new(list, p);
		else if (e->cls != CX_NO) /* it went away meanwhile */
			return -1;
	}
	cx_json_seti(doc, "v", 1);
	(void)json_object_set_new(doc, "processes", sorted(list));
	return cx_json_print(stdout, doc, e);
}

int
verb_get(struct local *l, int argc, char **argv, struct cx_err *e)
{
	CX_JSON json_t *found = NULL, *p = NULL, *doc = json_object();

	if (argc != 2)
		return usage_error(e, "process get takes one process");
	found = process_find(l, argv[1], 0, e);
	if (!found)
		return -1;
	p = process_describe(l, cx_json_strd(json_array_get(found, 0), "Id", ""), e);
	if (!p)
		return -1;
	cx_json_seti(doc, "v", 1);
	(void)json_object_set(doc, "process", p);
	return cx_json_print(stdout, doc, e);
}
