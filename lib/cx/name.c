/* Apart from spool.c, so that a program that only checks names does not link jansson. */
#include <cx/err.h>
#include <cx/spool.h>
#include <string.h>

#define NAME_MAX_LEN 40

int
cx_name_valid(const char *s)
{
	size_t n = s ? strlen(s) : 0;

	if (n == 0 || n > NAME_MAX_LEN || s[0] < 'a' || s[0] > 'z' || s[n - 1] == '-')
		return 0;
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

int
cx_name_check(const char *what, const char *s, struct cx_err *e)
{
	if (cx_name_valid(s))
		return 0;
	(void)cx_err_set(
		e, CX_BAD, "\"%.80s\" is not a valid name for %s %s", s, strchr("aeiou", what[0]) ? "an" : "a", what);
	return cx_err_hint(
		e, "a name is a lower-case letter, then letters, digits and dashes, at most %d", NAME_MAX_LEN);
}
