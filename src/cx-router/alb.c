#include "alb.h"
#include "metrics.h"
#include "router.h"
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

/* --- classes --- */

/* Letters alone spell a field that frames messages, and it is not that field: "content_length". */
static int
is_suspicious(struct span name)
{
	static const char *const framing[] = {"transferencoding", "contentlength"};
	char letters[20];
	size_t n = 0;

	if (name.n < 13 || name.n > 40)
		return 0;
	for (size_t i = 0; i < name.n && n < sizeof(letters) - 1; i++)
		if ((name.p[i] | 32) >= 'a' && (name.p[i] | 32) <= 'z')
			letters[n++] = (char)(name.p[i] | 32);
	letters[n] = '\0';
	if (strcmp(letters, framing[0]) != 0 && strcmp(letters, framing[1]) != 0)
		return 0;
	return !span_is(name, "transfer-encoding") && !span_is(name, "content-length");
}

enum desync_class
alb_class(const struct http1 *h, const char **reason)
{
	int no_body = span_is(h->method, "get") || span_is(h->method, "head");

	for (size_t i = 0; i < h->n; i++)
		if (is_suspicious(h->fields[i].name)) {
			*reason = "SuspiciousHeader";
			return DESYNC_AMBIGUOUS;
		}
	if (no_body && h->chunked) {
		*reason = "UndefinedTransferEncodingSemantics";
		return DESYNC_AMBIGUOUS;
	}
	if (no_body && h->length > 0) {
		*reason = "UndefinedContentLengthSemantics";
		return DESYNC_AMBIGUOUS;
	}
	if (no_body && h->length == 0) {
		*reason = "GetHeadZeroContentLength";
		return DESYNC_ACCEPTABLE;
	}
	*reason = "";
	return DESYNC_COMPLIANT;
}

size_t
alb_forwarded(const struct http1 *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++) {
		const struct http1_field *f = &h->fields[i];

		if (!span_is(f->name, "x-forwarded-for") || !f->value.n)
			continue;
		n++;
		for (size_t k = 0; k < f->value.n; k++)
			n += f->value.p[k] == ',';
	}
	return n;
}

int
alb_refuses(struct stream *s, const struct http1 *h, const char **why)
{
	const char *reason;

	s->class = alb_class(h, &reason);
	s->class_reason = reason;
	if (alb_forwarded(h) > ALB_FORWARDED_MAX) {
		*why = "X-Forwarded-For names more than 30 addresses";
		return 463;
	}
	if (s->class == DESYNC_COMPLIANT)
		return 0;
	if (s->service->desync == DESYNC_STRICTEST) {
		*why = "this service takes only requests that comply with RFC 9112 (desync mode strictest)";
		return 400;
	}
	/* HTTP/2 has frames: nothing behind the request can be read as another. */
	if (s->class == DESYNC_AMBIGUOUS && !s->c->h2)
		s->c->close = s->back_ends = 1;
	return 0;
}

/* --- the trace --- */

static uint64_t
random_bits(void)
{
	static uint64_t a, b;
	uint64_t x;

	if (!a && !b && getrandom(&a, sizeof(a), 0) != (ssize_t)sizeof(a))
		a = (uint64_t)time(NULL) | 1;
	if (!b && getrandom(&b, sizeof(b), 0) != (ssize_t)sizeof(b))
		b = a ^ 0x9e3779b97f4a7c15ULL;
	x = a; /* xorshift128+: unique, not secret */
	a = b;
	x ^= x << 23;
	b = x ^ b ^ (x >> 17) ^ (b >> 26);
	return a + b;
}

static char *
put_hex(char *p, uint64_t v, int digits)
{
	for (int i = digits; i-- > 0;)
		*p++ = "0123456789abcdef"[v >> (4 * i) & 15];
	return p;
}

/* Seconds since 1970 of this turn of the loop. */
static time_t
wall(double turn)
{
	static double at;
	static time_t t;

	if (at != turn)
		t = time(NULL);
	at = turn;
	return t;
}

/* "1-67891233-abcdef012345678912345678" */
static void
make_id(char id[36], double turn)
{
	char *p = id;

	*p++ = '1';
	*p++ = '-';
	p = put_hex(p, (uint64_t)wall(turn), 8);
	*p++ = '-';
	p = put_hex(p, random_bits(), 16);
	p = put_hex(p, random_bits(), 8);
	*p = '\0';
}

/* The next of the parts between semicolons. */
static struct span
next_part(struct span *rest)
{
	const char *semi = memchr(rest->p, ';', rest->n);
	struct span part = {rest->p, semi ? (size_t)(semi - rest->p) : rest->n};

	rest->n -= part.n + (semi != NULL);
	rest->p += part.n + (semi != NULL);
	while (part.n && *part.p == ' ') {
		part.p++;
		part.n--;
	}
	return part;
}

static int
begins(struct span s, const char *with)
{
	size_t n = strlen(with);

	return s.n >= n && strncasecmp(s.p, with, n) == 0;
}

void
alb_trace(struct cx_buf *b, struct span came, const char *id)
{
	struct span rest = came, part;
	int root = 0;

	if (came.n > ALB_TRACE_MAX)
		came.n = rest.n = 0;
	while (rest.n)
		root |= begins(next_part(&rest), "root=");
	cx_buf_adds(b, root ? "Self=" : "Root=");
	cx_buf_adds(b, id);
	for (rest = came; rest.n;) {
		part = next_part(&rest);
		if (!part.n || begins(part, "self="))
			continue;
		cx_buf_addc(b, ';');
		put_span(b, part);
	}
}

/* --- what a process gets --- */

static void
put_forwarded(struct stream *s, const struct http1 *h, struct cx_buf *b)
{
	if (s->service->forwarded == FORWARDED_REMOVE)
		return;
	if (s->service->forwarded == FORWARDED_PRESERVE && !alb_forwarded(h))
		return;
	cx_buf_adds(b, "X-Forwarded-For: ");
	for (size_t i = 0, first = 1; i < h->n; i++)
		if (span_is(h->fields[i].name, "x-forwarded-for") && h->fields[i].value.n) {
			if (!first)
				cx_buf_adds(b, ", ");
			put_span(b, h->fields[i].value);
			first = 0;
		}
	if (s->service->forwarded == FORWARDED_APPEND) {
		if (alb_forwarded(h))
			cx_buf_adds(b, ", ");
		cx_buf_adds(b, s->c->peer);
		if (s->service->client_port) {
			cx_buf_addc(b, ':');
			put_number(b, s->c->peer_port, 10);
		}
	}
	cx_buf_adds(b, "\r\n");
}

void
alb_put(struct stream *s, const struct http1 *h, struct cx_buf *b)
{
	struct span trace = {"", 0}, agent = {"", 0};
	char id[36];
	size_t at;

	for (size_t i = 0; i < h->n; i++) {
		const struct http1_field *f = &h->fields[i];

		if (!trace.n && span_is(f->name, "x-amzn-trace-id"))
			trace = f->value;
		else if (s->r->log_agents && span_is(f->name, "user-agent"))
			agent = f->value;
		else if (s->service->sticky && !s->cookie[0] && span_is(f->name, "cookie")) {
			struct span cookie = balance_cookie(f->value);

			if (cookie.n == ROUTE_TOKEN)
				memcpy(s->cookie, cookie.p, ROUTE_TOKEN);
		}
	}
	put_forwarded(s, h, b);
	cx_buf_adds(b, s->c->ssl ? "X-Forwarded-Proto: https\r\nX-Forwarded-Port: "
				 : "X-Forwarded-Proto: http\r\nX-Forwarded-Port: ");
	cx_buf_adds(b, s->c->local_port);
	cx_buf_adds(b, "\r\nX-Amzn-Trace-Id: ");
	make_id(id, s->r->now);
	at = b->n;
	alb_trace(b, trace, id);
	(void)snprintf(s->trace, sizeof(s->trace), "%.*s", (int)(b->n - at), b->p + at);
	cx_buf_adds(b, "\r\n");
	if (agent.n)
		(void)snprintf(s->agent, sizeof(s->agent), "%.*s", (int)agent.n, agent.p);
}

int
alb_replaces(const struct stream *s, struct span name)
{
	(void)s;
	return begins(name, "x-") && (span_is(name, "x-forwarded-for") || span_is(name, "x-forwarded-proto") ||
					     span_is(name, "x-forwarded-port") || span_is(name, "x-amzn-trace-id"));
}

/* --- what a client gets --- */

static void
add_field(struct http1 *h, const char *name, const char *value)
{
	h->fields[h->n++] = (struct http1_field){.name = {name, strlen(name)}, .value = {value, strlen(value)}};
}

static void
add_cookies(struct stream *s, struct http1 *h)
{
	static char plain[160], cors[192];
	char date[40];
	time_t until = wall(s->r->now) + s->service->sticky;
	struct tm tm;

	(void)gmtime_r(&until, &tm);
	(void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	(void)snprintf(plain, sizeof(plain), "AWSALB=%s; Expires=%s; Path=/", s->target->token, date);
	(void)snprintf(
		cors, sizeof(cors), "AWSALBCORS=%s; Expires=%s; Path=/; SameSite=None; Secure", s->target->token, date);
	add_field(h, "Set-Cookie", plain);
	add_field(h, "Set-Cookie", cors);
}

void
alb_answer(struct stream *s, struct http1 *h)
{
	static char hsts[48];

	if (s->service->sticky && s->target)
		add_cookies(s, h);
	if (!s->service->hsts || !s->c->ssl)
		return;
	for (size_t i = 0; i < h->n; i++)
		if (span_is(h->fields[i].name, "strict-transport-security"))
			return;
	(void)snprintf(hsts, sizeof(hsts), "max-age=%ld", s->service->hsts);
	add_field(h, "Strict-Transport-Security", hsts);
}
