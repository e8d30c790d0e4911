#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/table.h>
#include <string.h>
#include <time.h>

#define COLUMNS_MAX 12

double
cx_time_parse(const char *s)
{
	struct tm tm = {0};
	const char *rest = s ? strptime(s, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	double fraction = 0;

	if (!rest)
		return -1;
	if (*rest == '.')
		fraction = strtod(rest, NULL);
	return (double)timegm(&tm) + fraction;
}

void
cx_time_ago(const char *rfc3339, char buf[32])
{
	static const struct {
		double seconds;
		const char *unit;
	} units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
	double then = cx_time_parse(rfc3339), d = (double)time(NULL) - then;

	(void)snprintf(buf, 32, "%s", then < 0 ? "-" : "now");
	for (size_t i = 0; then >= 0 && i < sizeof(units) / sizeof(units[0]); i++) {
		long n = (long)(d / units[i].seconds);

		if (n < 1)
			continue;
		(void)snprintf(buf, 32, "%ld %s%s ago", n, units[i].unit, n == 1 ? "" : "s");
		return;
	}
}

/* Columns on a terminal, not bytes: continuation bytes of UTF-8 take none. */
static int
width(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static char *
cell(const json_t *row, const struct cx_column *c)
{
	const json_t *v = json_object_get(row, c->key);
	char buf[32];

	if (c->ago) {
		cx_time_ago(json_string_value(v), buf);
		return cx_strdup(buf);
	}
	if (json_is_integer(v))
		return cx_fmt("%lld", (long long)json_integer_value(v));
	return cx_strdup(json_string_value(v) ? json_string_value(v) : "");
}

static void
put_row(char **cells, const int *widths, size_t n)
{
	size_t last = n;

	while (last > 0 && cells[last - 1][0] == '\0')
		last--;
	for (size_t i = 0; i < last; i++) {
		for (const char *p = cells[i]; *p; p++)
			putchar((unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p);
		if (i + 1 < last)
			printf("%*s", widths[i] - width(cells[i]) + 2, "");
	}
	putchar('\n');
}

static void
put_table(const json_t *rows, const struct cx_column *columns, size_t n)
{
	size_t count = json_array_size(rows) + 1;
	char **cells = cx_alloc(count * n * sizeof(*cells));
	int widths[COLUMNS_MAX] = {0};

	for (size_t r = 0; r < count; r++) {
		for (size_t c = 0; c < n; c++) {
			char *s = r == 0 ? cx_strdup(columns[c].head) : cell(json_array_get(rows, r - 1), &columns[c]);

			cells[r * n + c] = s;
			widths[c] = width(s) > widths[c] ? width(s) : widths[c];
		}
	}
	for (size_t r = 0; r < count; r++)
		put_row(cells + r * n, widths, n);
	for (size_t i = 0; i < count * n; i++)
		free(cells[i]);
	free(cells);
}

int
cx_table_print(const char *name, const json_t *rows, const struct cx_column *columns, struct cx_err *e)
{
	size_t n = 0;

	if (cx_json_wanted()) {
		CX_JSON json_t *j = json_object();

		cx_json_seti(j, "v", 1);
		(void)json_object_set(j, name, (json_t *)rows);
		return cx_json_print(stdout, j, e);
	}
	while (n < COLUMNS_MAX && columns[n].head)
		n++;
	put_table(rows, columns, n);
	return 0;
}

void
cx_table_record(const json_t *record, const struct cx_column *columns)
{
	int widest = 0;

	for (size_t i = 0; columns[i].head; i++)
		widest = width(columns[i].head) > widest ? width(columns[i].head) : widest;
	for (size_t i = 0; columns[i].head; i++) {
		CX_FREE char *value = cell(record, &columns[i]);
		char *cells[2] = {(char *)columns[i].head, value};

		if (*value && strcmp(value, "-") != 0)
			put_row(cells, &widest, 2);
	}
}
