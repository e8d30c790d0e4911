/*
 * Schedules: the five fields of cron(5), or the six of AWS (EventBridge
 * Scheduler, "Cron-based schedules"), where days of the week are 1 (Sunday) to 7.
 */
#include "top.h"
#include "value.h"
#include <cx/buf.h>
#include <string.h>

struct field {
	const char *what;
	int min, max;
	const char *names; /* three letters each, the first is `first` */
	int first;
};

static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
static const char days[] = "sunmontuewedthufrisat";
static const struct field five[] = {{"a minute", 0, 59, "", 0}, {"an hour", 0, 23, "", 0},
	{"a day of the month", 1, 31, "", 0}, {"a month", 1, 12, months, 1}, {"a day of the week", 0, 7, days, 0}};
static const struct field six[] = {{"a minute", 0, 59, "", 0}, {"an hour", 0, 23, "", 0},
	{"a day of the month", 1, 31, "", 0}, {"a month", 1, 12, months, 1}, {"a day of the week", 1, 7, days, 1},
	{"a year", 1970, 2199, "", 0}};

/* A number or a name at s, n bytes: its value, or -1. */
static long
value(const struct field *f, const char *s, size_t n)
{
	long v = value_number(s, n, f->max);

	for (int i = 0; n == 3 && f->names[(size_t)i * 3]; i++)
		if (strncasecmp(f->names + (size_t)i * 3, s, 3) == 0)
			return f->first + i;
	/* 05 is a minute to everybody. */
	if (v < 0 && n == 2 && s[0] == '0')
		v = value_number(s + 1, 1, f->max);
	return v >= f->min ? v : -1;
}

/* L, LW, 15W; 6L, 3#2: what AWS has for the last, the nearest weekday and the second of a month. */
static int
special(const struct field *f, const char *s, size_t n)
{
	int month = f->max == 31;

	if (f->max != 31 && f->names != days)
		return 0;
	if (n == 1 && *s == 'L')
		return 1;
	if (month)
		return (n == 2 && memcmp(s, "LW", 2) == 0) || (n > 1 && s[n - 1] == 'W' && value(f, s, n - 1) > 0);
	if (n > 1 && s[n - 1] == 'L')
		return value(f, s, n - 1) > 0;
	return n > 2 && s[n - 2] == '#' && s[n - 1] >= '1' && s[n - 1] <= '5' && value(f, s, n - 2) > 0;
}

/* One of the list: *, N, N-M, each with /STEP. */
static char *
item(const struct field *f, const char *s, size_t n, int aws)
{
	const char *slash = memchr(s, '/', n);
	size_t len = slash ? (size_t)(slash - s) : n;
	const char *dash = memchr(s, '-', len);
	long a, b;

	if (slash && value_number(slash + 1, n - len - 1, f->max) < 1)
		return cx_fmt("\"%.*s\" has no step from 1 to %d", (int)n, s, f->max);
	if ((len == 1 && *s == '*') || (aws && !slash && special(f, s, n)))
		return NULL;
	a = value(f, s, dash ? (size_t)(dash - s) : len);
	b = dash ? value(f, dash + 1, len - (size_t)(dash - s) - 1) : a;
	if (a < 0 || b < 0)
		return cx_fmt("\"%.*s\" is not %s from %d to %d", (int)n, s, f->what, f->min, f->max);
	return a > b ? cx_fmt("\"%.*s\" runs backwards", (int)n, s) : NULL;
}

static char *
check(const struct field *f, const char *s, size_t n, int aws)
{
	for (const char *end = s + n; s <= end;) {
		const char *comma = memchr(s, ',', (size_t)(end - s));
		size_t len = (size_t)((comma ? comma : end) - s);
		char *bad = item(f, s, len, aws);

		if (bad)
			return bad;
		s += len + 1;
	}
	return NULL;
}

static size_t
cut(const char *s, const char *at[6], size_t len[6])
{
	size_t n = 0;

	for (s += strspn(s, " \t\r\n"); *s; s += strspn(s, " \t\r\n"), n++) {
		size_t l = strcspn(s, " \t\r\n");

		if (n < 6) {
			at[n] = s;
			len[n] = l;
		}
		s += l;
	}
	return n;
}

char *
cron_check(const char *schedule)
{
	const char *at[6] = {0};
	size_t len[6] = {0}, n = cut(schedule, at, len);
	int aws = n == 6, any = 0;

	if (strlen(schedule) > 256)
		return cx_strdup("a schedule has at most 256 bytes");
	if (n != 5 && n != 6)
		return cx_fmt("a schedule has 5 or 6 fields, not %zu", n);
	for (size_t i = 0; i < n; i++) {
		char *bad = NULL;

		if ((i == 2 || i == 4) && len[i] == 1 && *at[i] == '?')
			any++;
		else
			bad = check(aws ? &six[i] : &five[i], at[i], len[i], aws);
		if (bad)
			return bad;
	}
	if (any == 2)
		return cx_strdup("only one of the days of the month and of the week can be ?");
	return aws && any == 0 ? cx_strdup("with 6 fields, the days of the month or of the week must be ?") : NULL;
}
