/* What praxis and its successors declare beside services: queues, tables, keys, caches, buckets, workflows, budget. */
#include "service.h"
#include "top.h"
#include "value.h"
#include <cx/diag.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <string.h>

static json_t *
by_rows(struct manifest *m, const struct cx_node *n, const char *path, const struct key *row)
{
	json_t *o = json_object();

	key_read_map(m, n, path, row->rows, o);
	return o;
}

static json_t *
by_any(struct manifest *m, const struct cx_node *n, const char *path, const struct key *row)
{
	(void)row;
	if (n->kind == CX_SCALAR && !cx_node_null(n))
		cx_diag_add(m->d, n->line, n->column, path, "this must be a map or a list");
	return value_any(m, n);
}

void
queues_top(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	static const struct key rows[] = {{.name = "timeout", .read = value_duration}, {0}};
	struct key with = *row;

	with.rows = rows;
	top_names(m, v, path, out, &with, "queue", by_rows);
}

void
tables_top(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	static const struct key rows[] = {{.name = "indexes", .read = value_texts}, {0}};
	struct key with = *row;

	with.rows = rows;
	top_names(m, v, path, out, &with, "table", by_rows);
}

void
keys_top(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	static const struct key rows[] = {{.name = "roll", .read = value_duration}, {0}};
	struct key with = *row;

	with.rows = rows;
	top_names(m, v, path, out, &with, "key", by_rows);
}

void
caches_top(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	static const struct key rows[] = {{.name = "expire", .read = value_duration}, {0}};
	struct key with = *row;

	with.rows = rows;
	top_names(m, v, path, out, &with, "cache", by_rows);
}

void
buckets_top(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	top_names(m, v, path, out, row, "bucket", by_any);
}

/* A word, or {word: target}. */
static void
step(struct manifest *m, const struct cx_node *v, const char *path, json_t *list)
{
	static const char *const words[] = {
		"test", "create", "build", "promote", "deploy", "copy", "delete", "run", NULL};
	const struct cx_node *word = v->kind == CX_MAP && v->n == 1 ? v->pairs[0].key : v;
	const char *target = NULL;
	const char *const *w = words;

	if (word->kind == CX_SCALAR)
		while (*w && strcmp(*w, word->value) != 0)
			w++;
	if (word->kind != CX_SCALAR || !*w) {
		cx_diag_add(m->d, v->line, v->column, path, "this is not a step");
		cx_diag_hint(
			m->d, "test, create, build, promote, deploy, copy, delete or run; with RACK/APP behind it");
		return;
	}
	if (v->kind == CX_MAP && !cx_node_null(v->pairs[0].value) &&
		!value_get_text(m, v->pairs[0].value, path, &target))
		return;
	(void)json_array_append_new(list, json_pack("{s:s,s:s?}", "step", *w, "target", target));
}

static void
steps(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *list = json_array();

	(void)json_object_set_new(out, row->name, list);
	if (!value_is_list(m, v, path, "steps"))
		return;
	for (size_t i = 0; i < v->n; i++)
		step(m, v->items[i], path, list);
}

static void
merge_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *o = json_object();

	(void)json_object_set_new(out, row->name, o);
	if (!value_is_map(m, v, path, "branches"))
		return;
	for (size_t i = 0; i < v->n; i++) {
		const struct cx_node *k = v->pairs[i].key;
		CX_FREE char *full = k->kind == CX_SCALAR ? key_path(path, k->value) : NULL;

		if (full && !cx_node_null(v->pairs[i].value))
			steps(m, v->pairs[i].value, full, o, &(struct key){.name = k->value});
	}
}

void
workflows_top(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	static const struct key change[] = {{.name = "create", .read = steps}, {.name = "update", .read = steps},
		{.name = "close", .read = steps}, {0}};
	static const struct key rows[] = {
		{.name = "change", .read = value_map, .rows = change}, {.name = "merge", .read = merge_read}, {0}};
	json_t *o = json_object();

	(void)json_object_set_new(out, row->name, o);
	key_read_map(m, v, path, rows, o);
}

void
budget_top(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	static const struct key rows[] = {{.name = "monthlyCapUsd", .read = value_int, .max = 1000000000},
		{.name = "alertThresholdPercent", .read = value_int, .max = 100},
		{.name = "atCapAction", .read = value_text}, {.name = "atCapWebhookUrl", .read = value_text},
		{.name = "neverAutoShutdown", .read = value_texts},
		{.name = "notifyBeforeMinutes", .read = value_int, .max = 100000},
		{.name = "pricingAdjustment", .read = value_text}, {.name = "recoveryMode", .read = value_text},
		{.name = "shutdownGracePeriod", .read = value_duration}, {.name = "shutdownOrder", .read = value_text},
		{0}};
	json_t *o = json_object();

	(void)json_object_set_new(out, row->name, o);
	key_read_map(m, v, path, rows, o);
}
