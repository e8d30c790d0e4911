/*
 * Tables for people: columns padded to the widest cell, two spaces between, a
 * header in capitals. Times as "4 minutes ago".
 */
#ifndef CX_TABLE_H
#define CX_TABLE_H

#include <cx/json.h>
#include <stdio.h>

struct cx_err;

struct cx_column {
	const char *head; /* "RELEASE" */
	const char *key; /* key of each row object; a number or string */
	int ago; /* the value is an RFC 3339 time, shown as "4 minutes ago" */
};

/* Prints rows (array of objects) as a table, or, when --json was given, {"v":1,NAME:[...]}. columns end with head NULL.
 */
int cx_table_print(const char *name, const json_t *rows, const struct cx_column *columns, struct cx_err *e);
/* Prints one object, a line a column: "HEAD  value"; what is absent or empty is left out. */
void cx_table_record(const json_t *record, const struct cx_column *columns);
/* "now", "4 minutes ago", "3 days ago" from an RFC 3339 time; "-" when it is none. buf holds 32. */
void cx_time_ago(const char *rfc3339, char buf[32]);
/* RFC 3339 to seconds since 1970 with a fraction; -1 when it is none. */
double cx_time_parse(const char *rfc3339);

#endif
