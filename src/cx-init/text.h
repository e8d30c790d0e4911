/*
 * Texts of foreign files: variables of compose turned into ours, words of a
 * command, durations, sizes, names, and what looks like a secret. Nothing
 * here reads files or reports.
 */
#ifndef TEXT_H
#define TEXT_H

#include <cx/json.h>

/* What convox.yml cannot say of a text (flags of text_convert). */
#define TEXT_NESTED 1 /* ${A:-${B}}: the default is left out */
#define TEXT_PLUS 2 /* ${A:+b}: became ${A:-} */
#define TEXT_BROKEN 4 /* "$" that compose refuses: taken literally */
#define TEXT_VARS 8 /* it has variables */

/* Compose's $A ${A} ${A:-b} ${A-b} ${A:?m} ${A?m} $$ as ours; owned by the caller. */
char *text_convert(const char *s, unsigned *flags);
/* A literal text, for convox.yml: ${ is escaped. */
char *text_escape(const char *s);
/* When all of s is one variable, its name and operator (0 - ? +) and operand; else 0. */
int text_is_variable(const char *s, char **name, char *op, char **operand);
/* Bytes of the variable at s ("${A:-b}", "$A"), 0 when there is none. */
size_t text_variable(const char *s);
/* The words that a shell would make of s: quotes and backslashes, no expansion. NULL: a quote is never closed. */
json_t *text_words(const char *s);
/* s at each sep that stands in no variable: an array of texts. */
json_t *text_split(const char *s, char sep);
/* "1m30s", "500ms", "5" -> seconds, rounded up; -1 when it is none. */
long text_seconds(const char *s);
/* "512m", "1.5GiB", "1000000" -> MB, rounded up; -1 when it is none. */
long text_megabytes(const char *s);
/* A decimal number from 0 to max and nothing else; -1 when it is none. */
long text_number(const char *s, long max);
/* s as a name of cx (a DNS label), never empty; owned by the caller. */
char *text_name(const char *s);
/* A variable NAME=value that should not stand in a file that is shared. */
int text_secret(const char *name, const char *value);
/* The name of an environment variable. */
int text_variable_name(const char *s, size_t n);
/* True when s holds the word (case is ignored). */
int text_has(const char *s, const char *word);

#endif
