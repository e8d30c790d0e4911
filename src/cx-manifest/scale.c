#include "service.h"
#include "value.h"
#include <cx/diag.h>
#include <cx/yaml.h>
#include <string.h>

#define COUNT_MAX 1000
#define MEMORY_MAX 1048576 /* MB */
#define CPU_MAX 262144

static const char count_hint[] = "a count is NUMBER, MIN-MAX or MIN+, for example 2 or 2-10";

/* "3", "2-10", "2+" */
static void
range_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *c)
{
	const char *s, *dash;
	size_t n;
	long min, max;

	if (!value_get_text(m, v, path, &s))
		return;
	n = strspn(s, "0123456789");
	min = max = value_number(s, n, COUNT_MAX);
	dash = s + n;
	if (*dash == '-')
		max = value_number(dash + 1, strlen(dash + 1), COUNT_MAX);
	else if (strcmp(dash, "+") == 0)
		max = COUNT_MAX;
	else if (*dash)
		max = -1;
	if (min < 0 || max < 0) {
		cx_diag_add(m->d, v->line, v->column, path, "\"%.60s\" is not a count from 0 to %d", s, COUNT_MAX);
		cx_diag_hint(m->d, "%s", count_hint);
		return;
	}
	(void)json_object_set_new(c, "min", json_integer(min));
	(void)json_object_set_new(c, "max", json_integer(max));
}

static const struct key count_rows[] = {{.name = "min", .read = value_int, .max = COUNT_MAX},
	{.name = "max", .read = value_int, .max = COUNT_MAX}, {0}};

/* What was given of least and most: the other follows, and they must agree. */
static void
settle(struct manifest *m, const struct cx_node *v, const char *path, json_t *c)
{
	json_t *min = json_object_get(c, "min"), *max = json_object_get(c, "max");

	if (!min && max)
		(void)json_object_set_new(
			c, "min", json_integer(json_integer_value(max) == 0 && json_is_integer(max) ? 0 : 1));
	if (!max)
		(void)json_object_set(c, "max", min);
	min = json_object_get(c, "min");
	max = json_object_get(c, "max");
	if (!json_is_integer(min) || !json_is_integer(max) || json_integer_value(min) == json_integer_value(max))
		return;
	if (json_integer_value(min) > json_integer_value(max))
		cx_diag_add(m->d, v->line, v->column, path, "the least count, %lld, is more than the most, %lld",
			(long long)json_integer_value(min), (long long)json_integer_value(max));
	else
		cx_diag_warn(m->d, v, path, "a Local Rack does not scale by itself: it runs the least count");
}

static void
count_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *c = json_object();

	if (v->kind == CX_SCALAR && value_literal(m, v, c, "min"))
		(void)json_object_set(c, "max", json_object_get(c, "min"));
	else if (v->kind == CX_SCALAR)
		range_read(m, v, path, c);
	else
		key_read_map(m, v, path, count_rows, c);
	if (json_object_size(c)) {
		settle(m, v, path, c);
		/* Keys keep their order whichever was given. */
		(void)json_object_set_new(out, row->name,
			json_pack("{s:O,s:O}", "min", json_object_get(c, "min"), "max", json_object_get(c, "max")));
	}
	json_decref(c);
}

void
scale_memory_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *n;

	if (value_literal(m, v, out, row->name) || !value_get_int(m, v, path, 0, MEMORY_MAX, &n))
		return;
	(void)json_object_set_new(out, row->name, n);
	/* The engine takes no less. */
	if (json_integer_value(n) > 0 && json_integer_value(n) < 6)
		cx_diag_add(m->d, v->line, v->column, path, "a process cannot run in less than 6 MB");
}

static const struct key custom_rows[] = {{.name = "cpu", .read = value_int, .min = 1, .max = 100},
	{.name = "memory", .read = value_int, .min = 1, .max = 100},
	{.name = "requests", .read = value_int, .min = 1, .max = 1000000}, {.name = "custom", .read = value_any_map},
	{.name = "external", .read = value_any_maps}, {0}};

static const struct key cooldown_rows[] = {{.name = "up", .read = value_int, .max = 86400},
	{.name = "down", .read = value_int, .max = 86400}, {.name = "out", .read = value_int, .max = 86400},
	{.name = "in", .read = value_int, .max = 86400}, {0}};

static void
cooldown_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	json_t *o = json_object();

	(void)json_object_set_new(out, row->name, o);
	if (v->kind != CX_SCALAR)
		key_read_map(m, v, path, cooldown_rows, o);
	else {
		value_int(m, v, path, o, &cooldown_rows[0]);
		if (json_object_get(o, "up"))
			(void)json_object_set(o, "down", json_object_get(o, "up"));
	}
	/* Two successors, two words for the same. */
	for (size_t i = 0; i < 2; i++) {
		static const char *const words[2][2] = {{"out", "up"}, {"in", "down"}};
		json_t *other = json_object_get(o, words[i][0]);

		if (other && !json_object_get(o, words[i][1]))
			(void)json_object_set(o, words[i][1], other);
		(void)json_object_del(o, words[i][0]);
	}
}

static const struct key gpu_rows[] = {
	{.name = "count", .read = value_int, .max = 64}, {.name = "vendor", .read = value_text}, {0}};

static void
gpu_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	static const struct key one = {.name = "count", .read = value_int, .max = 64};
	json_t *o = json_pack("{s:i,s:s}", "count", 0, "vendor", "nvidia");

	if (v->kind == CX_SCALAR)
		value_int(m, v, path, o, &one);
	else
		key_read_map(m, v, path, gpu_rows, o);
	if (json_is_integer(json_object_get(o, "count")) && json_integer_value(json_object_get(o, "count")) == 0) {
		(void)json_object_set_new(out, row->name, json_false());
		json_decref(o);
	} else
		(void)json_object_set_new(out, row->name, o);
}

static const struct key limit_rows[] = {{.name = "cpu", .read = value_int, .max = CPU_MAX},
	{.name = "memory", .read = value_int, .max = MEMORY_MAX}, {0}};

static const struct key scale_rows[] = {{.name = "count", .read = count_read},
	{.name = "memory", .read = scale_memory_read}, {.name = "cpu", .read = value_int, .max = CPU_MAX},
	{.name = "min", .read = value_int, .max = COUNT_MAX}, {.name = "max", .read = value_int, .max = COUNT_MAX},
	{.name = "targets", .read = value_map, .note = key_not_local, .rows = custom_rows},
	{.name = "cooldown", .read = cooldown_read, .note = key_not_local},
	{.name = "gpu", .read = gpu_read, .note = key_not_local},
	{.name = "limit", .read = value_map, .note = key_not_local, .rows = limit_rows},
	{.name = "autoscale", .read = value_any_map, .note = key_not_local},
	{.name = "keda", .read = value_any_map, .note = key_not_local},
	{.name = "vpa", .read = value_any_map, .note = key_not_local}, {0}};

void
scale_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	static const struct key count = {.name = "count", .read = count_read};
	json_t *s = json_object_get(out, row->name), *c;

	if (v->kind == CX_SCALAR) {
		count_read(m, v, path, s, &count);
		return;
	}
	key_read_map(m, v, path, scale_rows, s);
	if (!json_object_get(s, "min") && !json_object_get(s, "max"))
		return;
	c = json_object();
	for (size_t i = 0; i < 2; i++) {
		const char *word = i ? "max" : "min";
		json_t *n = json_object_get(s, word);

		if (n)
			(void)json_object_set(c, word, n);
		(void)json_object_del(s, word);
	}
	if (value_of(v, "count"))
		cx_diag_add(m->d, v->line, v->column, path, "has count, and min or max: one says it all");
	else {
		settle(m, v, path, c);
		(void)json_object_set_new(s, "count",
			json_pack("{s:O,s:O}", "min", json_object_get(c, "min"), "max", json_object_get(c, "max")));
	}
	json_decref(c);
}
