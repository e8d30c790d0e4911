#include "http1.h"
#include <string.h>
#include <strings.h>

int
http1_is_token(unsigned char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

int
span_is(struct span s, const char *lower)
{
	return strlen(lower) == s.n && strncasecmp(s.p, lower, s.n) == 0;
}

/* The line at p up to CRLF: its length; -1 none yet; -2 broken or too long. */
static long
line_end(const char *p, size_t n, size_t max)
{
	const char *lf = memchr(p, '\n', n);
	size_t len = lf ? (size_t)(lf - p) : n;

	if (len > max + 1)
		return -2;
	if (memchr(p, '\r', len) && (!lf ? memchr(p, '\r', len) != p + len - 1 : memchr(p, '\r', len) != lf - 1))
		return -2;
	if (!lf)
		return -1;
	return len > 0 && p[len - 1] == '\r' ? (long)len - 1 : -2;
}

static struct span
trim(const char *p, size_t n)
{
	while (n && (*p == ' ' || *p == '\t')) {
		p++;
		n--;
	}
	while (n && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	return (struct span){p, n};
}

/* No control characters but tab (RFC 9110, 5.5; RFC 9112, 4). */
static int
is_text(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return 0;
	}
	return 1;
}

static int
split_field(const char *p, size_t n, struct http1_field *f)
{
	size_t i = 0;

	while (i < n && http1_is_token((unsigned char)p[i]))
		i++;
	if (i == 0 || i == n || p[i] != ':')
		return -1;
	f->name = (struct span){p, i};
	f->value = trim(p + i + 1, n - i - 1);
	f->hop = 0;
	return is_text(f->value) ? 0 : -1;
}

static int
read_length(struct http1 *h, struct span v)
{
	long long n = 0;

	if (h->length >= 0 || v.n == 0 || v.n > 18)
		return -1;
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return -1;
		n = n * 10 + (v.p[i] - '0');
	}
	h->length = n;
	return 0;
}

/* Calls each element of a comma-separated list. */
static void
each(struct http1 *h, struct span v, void (*f)(struct http1 *h, struct span s))
{
	const char *p = v.p, *end = v.p + v.n;

	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		const char *e = comma ? comma : end;

		f(h, trim(p, (size_t)(e - p)));
		p = e + 1;
	}
}

static void
connection_option(struct http1 *h, struct span s)
{
	if (span_is(s, "close"))
		h->close = 1;
	else if (span_is(s, "keep-alive"))
		h->keep_alive = 1;
	else if (span_is(s, "upgrade"))
		h->upgrades = 1;
}

/* Fields that a Connection field nominates belong to this hop; the ones that frame the message cannot be nominated. */
static void
nominate(struct http1 *h, struct span s)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->fields[i].name.n == s.n && strncasecmp(h->fields[i].name.p, s.p, s.n) == 0 &&
			!span_is(s, "content-length") && !span_is(s, "host"))
			h->fields[i].hop = 1;
}

static int
is_hop(struct span s)
{
	static const char *const names[] = {"connection", "keep-alive", "proxy-connection", "proxy-authenticate", "te",
		"transfer-encoding", "upgrade"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_is(s, names[i]))
			return 1;
	return 0;
}

static int
take_field(struct http1 *h, struct http1_field *f, int *hosts, int *codings, struct span *host)
{
	f->hop = is_hop(f->name);
	if (span_is(f->name, "content-length"))
		return read_length(h, f->value) < 0 ? -400 : 0;
	if (span_is(f->name, "transfer-encoding")) {
		if (++*codings > 1)
			return -400;
		h->chunked = span_is(f->value, "chunked");
		return h->chunked ? 0 : -501;
	}
	if (span_is(f->name, "host")) {
		*host = f->value;
		return ++*hosts > 1 ? -400 : 0;
	}
	if (span_is(f->name, "connection"))
		each(h, f->value, connection_option);
	else if (span_is(f->name, "upgrade"))
		h->upgrade = f->value;
	else if (span_is(f->name, "expect"))
		h->expect = span_is(f->value, "100-continue");
	return 0;
}

/* Field lines up to the empty line. Length of all, 0 for more, or minus a status. */
static int
read_fields(const char *p, size_t n, size_t max, struct http1 *h, struct span *host, int *hosts)
{
	size_t at = 0;
	int codings = 0, rc;

	for (;;) {
		long len = line_end(p + at, n - at, HTTP1_LINE_MAX);

		if (len == -2)
			return -400;
		if (len == -1)
			return n > max ? -400 : 0;
		if (len == 0)
			break;
		if (h->n == HTTP1_FIELDS_MAX || at + (size_t)len > max ||
			split_field(p + at, (size_t)len, &h->fields[h->n]) < 0)
			return -400;
		rc = take_field(h, &h->fields[h->n++], hosts, &codings, host);
		if (rc < 0)
			return rc;
		at += (size_t)len + 2;
	}
	for (size_t i = 0; i < h->n; i++)
		if (span_is(h->fields[i].name, "connection"))
			each(h, h->fields[i].value, nominate);
	if (h->chunked && h->length >= 0)
		return -400;
	return (int)at + 2;
}

static int
version(const char *p, size_t n, int *minor)
{
	if (n != 8 || memcmp(p, "HTTP/", 5) != 0 || p[6] != '.' || p[5] < '0' || p[5] > '9' || p[7] < '0' || p[7] > '9')
		return -400;
	if (p[5] != '1')
		return -505;
	*minor = p[7] - '0';
	return *minor > 1 ? -505 : 0;
}

/* authority without user information: a name or address, and perhaps a port (RFC 9110, 7.2). */
static int
read_host(struct span v, struct span *host)
{
	size_t n = 0;

	if (v.n && v.p[0] == '[') {
		const char *end = memchr(v.p, ']', v.n);

		if (!end)
			return -1;
		n = (size_t)(end - v.p) + 1;
		for (size_t i = 1; i + 1 < n; i++)
			if (!strchr("0123456789abcdefABCDEF:.", v.p[i]))
				return -1;
	} else {
		while (n < v.n && ((unsigned)(((unsigned char)v.p[n] | 32) - 'a') < 26U ||
					  (v.p[n] >= '0' && v.p[n] <= '9') || (v.p[n] && strchr("-._", v.p[n]))))
			n++;
	}
	*host = (struct span){v.p, n};
	if (n == 0 || n > 255)
		return -1;
	if (n == v.n)
		return 0;
	if (v.p[n++] != ':' || v.n - n > 5)
		return -1;
	for (; n < v.n; n++)
		if (v.p[n] < '0' || v.p[n] > '9')
			return -1;
	return 0;
}

static int
check_bytes(const struct http1 *h)
{
	for (size_t i = 0; i < h->method.n; i++)
		if (!http1_is_token((unsigned char)h->method.p[i]))
			return -400;
	for (size_t i = 0; i < h->target.n; i++)
		if ((unsigned char)h->target.p[i] <= 0x20 || (unsigned char)h->target.p[i] >= 0x7f ||
			h->target.p[i] == '#')
			return -400;
	return 0;
}

static int
check_method(const struct http1 *h)
{
	const struct span m = h->method;

	return (m.n == 7 && memcmp(m.p, "CONNECT", 7) == 0) || (m.n == 5 && memcmp(m.p, "TRACE", 5) == 0) ? -405 : 0;
}

static int
check_request(const struct http1 *h)
{
	int rc = h->method.n && h->target.n && h->target.n <= HTTP1_LINE_MAX ? check_bytes(h) : -400;

	return rc < 0 ? rc : check_method(h);
}

static int
read_request_line(const char *p, size_t n, struct http1 *h)
{
	const char *a = memchr(p, ' ', n), *b = a ? memchr(a + 1, ' ', n - (size_t)(a + 1 - p)) : NULL;
	int rc;

	if (!b || a == p || b == a + 1)
		return -400;
	h->method = (struct span){p, (size_t)(a - p)};
	h->target = (struct span){a + 1, (size_t)(b - a - 1)};
	rc = check_bytes(h);
	if (rc == 0)
		rc = version(b + 1, n - (size_t)(b + 1 - p), &h->minor);
	return rc < 0 ? rc : check_method(h);
}

/* Origin form, "*" of OPTIONS, or absolute form, whose authority must be that of Host. */
static int
check_target(struct http1 *h, struct span host)
{
	struct span t = h->target, authority;
	size_t scheme = t.n > 7 && strncasecmp(t.p, "http://", 7) == 0    ? 7
			: t.n > 8 && strncasecmp(t.p, "https://", 8) == 0 ? 8
									  : 0;
	const char *slash;

	if (t.p[0] == '/')
		return 0;
	if (t.n == 1 && t.p[0] == '*')
		return span_is(h->method, "options") ? 0 : -400;
	if (!scheme)
		return -400;
	slash = memchr(t.p + scheme, '/', t.n - scheme);
	authority = (struct span){t.p + scheme, slash ? (size_t)(slash - t.p) - scheme : t.n - scheme};
	if (authority.n != host.n || strncasecmp(authority.p, host.p, host.n) != 0)
		return -400;
	h->target = slash ? (struct span){slash, t.n - (size_t)(slash - t.p)} : (struct span){"/", 1};
	return 0;
}

int
http1_request(const char *p, size_t n, struct http1 *h)
{
	struct span host = {NULL, 0};
	int hosts = 0, rc;
	long len;

	memset(h, 0, offsetof(struct http1, fields));
	h->length = -1;
	if (n > HTTP1_LINE_MAX + 1 && !memchr(p, '\n', HTTP1_LINE_MAX + 2))
		return -414;
	len = line_end(p, n, HTTP1_LINE_MAX);
	if (len == -1)
		return 0;
	if (len < 0)
		return -400;
	rc = read_request_line(p, (size_t)len, h);
	if (rc < 0)
		return rc;
	rc = read_fields(p + len + 2, n - (size_t)len - 2, HTTP1_HEAD_MAX - (size_t)len, h, &host, &hosts);
	if (rc <= 0)
		return rc;
	if (hosts != 1 || read_host(host, &h->host) < 0 || check_target(h, host) < 0)
		return -400;
	if (h->chunked && h->minor == 0)
		return -400;
	return (int)len + 2 + rc;
}

int
http1_response(const char *p, size_t n, struct http1 *h)
{
	struct span host = {NULL, 0};
	int hosts = 0, rc;
	long len;

	memset(h, 0, offsetof(struct http1, fields));
	h->length = -1;
	len = line_end(p, n, HTTP1_LINE_MAX);
	if (len == -1)
		return n > HTTP1_LINE_MAX ? -502 : 0;
	/* HTTP/1.x SP 3DIGIT SP reason; the last space may be missing */
	if (len < 12 || version(p, 8, &h->minor) < 0 || p[8] != ' ' || (len > 12 && p[12] != ' '))
		return -502;
	for (int i = 9; i < 12; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -502;
		h->status = h->status * 10 + (p[i] - '0');
	}
	h->reason = (struct span){p + (len > 12 ? 13 : 12), len > 12 ? (size_t)len - 13 : 0};
	if (h->status < 100 || !is_text(h->reason))
		return -502;
	rc = read_fields(p + len + 2, n - (size_t)len - 2, HTTP1_RESPONSE_MAX, h, &host, &hosts);
	/* RFC 9112, 6.1: HTTP/1.0 knows no transfer codings, and what it means by one is a guess. */
	if (rc < 0 || (h->chunked && h->minor == 0))
		return -502;
	return rc == 0 ? 0 : (int)len + 2 + rc;
}

static int
is_h2_field(const struct http1_field *f)
{
	for (size_t i = 0; i < f->name.n; i++)
		if (!http1_is_token((unsigned char)f->name.p[i]) || (f->name.p[i] >= 'A' && f->name.p[i] <= 'Z'))
			return 0;
	return f->name.n > 0 && f->name.n + f->value.n <= HTTP1_LINE_MAX && is_text(f->value);
}

int
http1_h2_trailer(struct http1 *h)
{
	for (size_t i = 0; i < h->n; i++) {
		if (!is_h2_field(&h->fields[i]))
			return -400;
		h->fields[i].hop = !http1_may_trail(h->fields[i].name);
	}
	return 0;
}

/* Fields that HTTP/2 has no use for make a message malformed (RFC 9113, 8.2.2). */
static int
check_h2_field(struct http1 *h, struct http1_field *f, struct span *host, int *hosts)
{
	if (!is_h2_field(f))
		return -400;
	f->hop = is_hop(f->name);
	if (span_is(f->name, "te"))
		return span_is(f->value, "trailers") ? 0 : -400;
	if (f->hop && !span_is(f->name, "proxy-authenticate"))
		return -400;
	if (span_is(f->name, "content-length"))
		return read_length(h, f->value) < 0 ? -400 : 0;
	if (span_is(f->name, "host")) {
		*host = f->value;
		f->hop = 1; /* said anew from the authority */
		return ++*hosts > 1 ? -400 : 0;
	}
	if (span_is(f->name, "expect"))
		h->expect = span_is(f->value, "100-continue");
	return 0;
}

int
http1_from_h2(struct http1 *h, struct span authority)
{
	struct span host = {NULL, 0};
	int hosts = 0, rc;

	h->length = -1;
	h->minor = 1;
	rc = check_request(h);
	for (size_t i = 0; i < h->n && rc == 0; i++)
		rc = check_h2_field(h, &h->fields[i], &host, &hosts);
	if (rc < 0)
		return rc;
	if (authority.p && hosts && (authority.n != host.n || strncasecmp(authority.p, host.p, host.n) != 0))
		return -400;
	host = authority.p ? authority : host;
	if (!host.p || read_host(host, &h->host) < 0 || check_target(h, host) < 0 || h->n == HTTP1_FIELDS_MAX)
		return -400;
	h->fields[h->n++] = (struct http1_field){{"host", 4}, host, 0};
	return 0;
}

int
http1_may_trail(struct span name)
{
	static const char *const never[] = {"content-length", "content-encoding", "content-type", "content-range",
		"host", "authorization", "proxy-authorization", "www-authenticate", "cookie", "set-cookie", "expect",
		"range", "max-forwards", "cache-control", "expires", "date", "location", "retry-after", "vary", "age",
		"pragma", "sec-websocket-key", "sec-websocket-accept"};

	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		if (span_is(name, never[i]))
			return 0;
	return !is_hop(name) && !span_is(name, "trailer") &&
	       !(name.n > 12 && strncasecmp(name.p, "x-forwarded-", 12) == 0) &&
	       !(name.n > 3 && strncasecmp(name.p, "if-", 3) == 0);
}

int
http1_trailer(const char *p, size_t n, struct http1 *h)
{
	size_t at = 0;

	h->n = 0;
	for (;;) {
		long len = line_end(p + at, n - at, HTTP1_LINE_MAX);

		if (len == -2 || at > HTTP1_LINE_MAX)
			return -400;
		if (len <= 0)
			return len == 0 ? (int)at + 2 : 0;
		if (h->n == HTTP1_FIELDS_MAX || split_field(p + at, (size_t)len, &h->fields[h->n]) < 0)
			return -400;
		h->fields[h->n].hop = !http1_may_trail(h->fields[h->n].name);
		h->n++;
		at += (size_t)len + 2;
	}
}
