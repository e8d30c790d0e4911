#include "top.h"
#include "value.h"
#include <cx/buf.h>
#include <cx/diag.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <string.h>
#include <sys/stat.h>

#define ZONES "/usr/share/zoneinfo"

static void
schedule_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	CX_FREE char *bad = NULL;
	CX_BUF struct cx_buf b = {0};
	const char *s;

	if (value_literal(m, v, out, row->name) || !value_get_text(m, v, path, &s))
		return;
	bad = cron_check(s);
	if (bad) {
		cx_diag_add(m->d, v->line, v->column, path, "%s", bad);
		cx_diag_hint(m->d, "minute hour day month weekday, for example 30 4 * * mon-fri");
		return;
	}
	for (s += strspn(s, " \t\r\n"); *s; s += strspn(s, " \t\r\n")) {
		size_t n = strcspn(s, " \t\r\n");

		cx_buf_addf(&b, "%s%.*s", b.n ? " " : "", (int)n, s);
		s += n;
	}
	(void)json_object_set_new(out, row->name, json_string(b.p));
}

static void
timezone_read(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
	CX_FREE char *file = NULL;
	const char *s;
	struct stat st;
	int good;

	if (value_literal(m, v, out, row->name) || !value_get_text(m, v, path, &s))
		return;
	good = *s && *s != '/' && strspn(s, chars) == strlen(s) && strlen(s) < 64;
	/* A machine that has the zones knows their names. */
	file = good ? cx_fmt("%s/%s", ZONES, s) : NULL;
	if (good && strcmp(s, "UTC") != 0 && stat(ZONES "/UTC", &st) == 0)
		good = stat(file, &st) == 0 && S_ISREG(st.st_mode);
	if (good) {
		(void)json_object_set_new(out, row->name, json_string(s));
		return;
	}
	cx_diag_add(m->d, v->line, v->column, path, "\"%.60s\" is not a time zone", s);
	cx_diag_hint(m->d, "a name of the tz database, for example Europe/Berlin or UTC");
}

static void
service_read_name(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	const char *s;

	if (value_literal(m, v, out, row->name) || !value_get_text(m, v, path, &s))
		return;
	(void)json_object_set_new(out, row->name, json_string(s));
	if (json_object_get(m->services, s))
		return;
	cx_diag_add(m->d, v->line, v->column, path, "there is no service \"%.60s\"", s);
	cx_diag_hint(m->d, "name one of the services above");
}

static const char *const concurrency[] = {"allow", "forbid", "replace", NULL};
static const struct key rows[] = {{.name = "schedule", .read = schedule_read},
	{.name = "command", .read = value_command}, {.name = "service", .read = service_read_name},
	{.name = "concurrency", .read = value_word, .words = concurrency}, {.name = "timezone", .read = timezone_read},
	{.name = "parallelCount", .read = value_int, .min = 1, .max = 1000},
	{.name = "annotations", .read = value_pairs}, {.name = "policies", .read = value_texts},
	{.name = "concurrencyPolicy", .note = "the key is concurrency"}, {0}};

static json_t *
one(struct manifest *m, const struct cx_node *n, const char *path, const struct key *unused)
{
	static const char *const needed[] = {"schedule", "command", "service"};
	json_t *t = json_pack("{s:n,s:n,s:n,s:s,s:s,s:i}", "schedule", "command", "service", "concurrency", "allow",
		"timezone", "UTC", "parallelCount", 1);

	(void)unused;
	key_read_map(m, n, path, rows, t);
	for (size_t i = 0; i < 3 && (n->kind == CX_MAP || cx_node_null(n)); i++)
		if (!value_of(n, needed[i])) {
			cx_diag_add(m->d, n->line, n->column, path, "has no %s", needed[i]);
			cx_diag_hint(m->d, "a timer has a schedule, a command and a service");
		}
	return t;
}

void
timers_top(struct manifest *m, const struct cx_node *v, const char *path, json_t *out, const struct key *row)
{
	top_names(m, v, path, out, row, "timer", one);
}
