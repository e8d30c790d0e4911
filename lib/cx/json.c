#include <cx/buf.h>
#include <cx/err.h>
#include <cx/json.h>
#include <cx/own.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

json_t *
cx_json_parse(const char *p, size_t n, const char *what, struct cx_err *e)
{
	json_error_t je;
	json_t *j;

	if (n > CX_JSON_MAX) {
		(void)cx_err_set(e, CX_BAD, "%s is larger than %zu bytes", what, CX_JSON_MAX);
		return NULL;
	}
	j = json_loadb(p, n, JSON_REJECT_DUPLICATES, &je);
	if (!j) {
		(void)cx_err_set(e, CX_BAD, "%s is not valid JSON: %s", what, je.text);
		if (je.line > 0)
			(void)cx_err_at(e, what, (unsigned)je.line, (unsigned)(je.column > 0 ? je.column : 0));
	}
	return j;
}

json_t *
cx_json_read(int fd, const char *what, struct cx_err *e)
{
	CX_BUF struct cx_buf b = {0};

	if (cx_buf_read(&b, fd, CX_JSON_MAX, what, e) < 0)
		return NULL;
	if (b.n == 0) {
		(void)cx_err_set(e, CX_BAD, "%s is empty, where a JSON document was expected", what);
		return NULL;
	}
	return cx_json_parse(b.p, b.n, what, e);
}

json_t *
cx_json_load(int dirfd, const char *name, struct cx_err *e)
{
	CX_CLOSE int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		int missing = errno == ENOENT;

		(void)cx_err_sys(e, "open %s", name);
		if (missing)
			e->cls = CX_NO;
		return NULL;
	}
	return cx_json_read(fd, name, e);
}

const char *
cx_json_str(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

const char *
cx_json_strd(const json_t *o, const char *key, const char *dflt)
{
	const char *s = cx_json_str(o, key);

	return s ? s : dflt;
}

long long
cx_json_int(const json_t *o, const char *key, long long dflt)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? json_integer_value(v) : dflt;
}

int
cx_json_true(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

void
cx_json_set(json_t *o, const char *key, const char *s)
{
	(void)json_object_set_new(o, key, s ? json_string(s) : json_null());
}

void
cx_json_seti(json_t *o, const char *key, long long n)
{
	(void)json_object_set_new(o, key, json_integer(n));
}

char *
cx_json_text(const json_t *j)
{
	char *s = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);

	return s ? s : cx_strdup("null");
}

int
cx_json_print(FILE *f, const json_t *j, struct cx_err *e)
{
	if (json_dumpf(j, f, JSON_COMPACT | JSON_ENCODE_ANY) < 0 || fputc('\n', f) == EOF)
		return cx_err_sys(e, "write JSON");
	return 0;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
int
cx_utf8_valid(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + n;

	while (p < end) {
		unsigned len, c = *p;
		unsigned long v;

		if (c == 0)
			return 0;
		len = c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : (c & 0xf8) == 0xf0 ? 4 : 0;
		if (len == 0 || (size_t)(end - p) < len)
			return 0;
		v = len == 1 ? c : c & (0x7fU >> len);
		for (unsigned i = 1; i < len; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return 0;
			v = v << 6 | (p[i] & 0x3f);
		}
		if ((len == 2 && v < 0x80) || (len == 3 && v < 0x800) || (len == 4 && v < 0x10000))
			return 0;
		if (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
			return 0;
		p += len;
	}
	return 1;
}
