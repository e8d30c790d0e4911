/* Answers of our own: for people as a page, for machines as a line, each with what to do next. */
#include "router.h"
#include <cx/json.h>
#include <cx/own.h>
#include <string.h>

static const char *
phrase(int status)
{
	static const struct {
		int status;
		const char *text;
	} all[] = {{301, "Moved Permanently"}, {400, "Bad Request"}, {404, "Not Found"}, {405, "Method Not Allowed"},
		{408, "Request Timeout"}, {414, "URI Too Long"}, {463, "Too Many Forwarding Addresses"},
		{464, "Incompatible Protocol Versions"}, {501, "Not Implemented"}, {502, "Bad Gateway"},
		{503, "Service Unavailable"}, {504, "Gateway Timeout"}, {505, "HTTP Version Not Supported"}};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].status == status)
			return all[i].text;
	return "Error";
}

/* Text into HTML: nothing of a request or a route file may act in it. */
static void
put_html(struct cx_buf *b, const char *s)
{
	for (; *s; s++) {
		if (*s == '<')
			cx_buf_adds(b, "&lt;");
		else if (*s == '>')
			cx_buf_adds(b, "&gt;");
		else if (*s == '&')
			cx_buf_adds(b, "&amp;");
		else if (*s == '"')
			cx_buf_adds(b, "&quot;");
		else
			cx_buf_addc(b, *s);
	}
}

static void
explain(const struct stream *s, int status, const char *why, struct cx_buf *what, struct cx_buf *next)
{
	const struct service *v = s->service;

	if (status == 404) {
		cx_buf_addf(what, "no app answers at %s", s->host[0] ? s->host : "this name");
		cx_buf_adds(next, "cx apps; cx services -a APP");
		return;
	}
	if (!v || status < 500) {
		cx_buf_adds(what, why);
		return;
	}
	if (v->maintenance) {
		cx_buf_adds(what, v->maintenance[0] ? v->maintenance : why);
		return;
	}
	cx_buf_addf(what, "service %s of app %s: %s", v->name, v->app, why);
	if (v->reason)
		cx_buf_addf(what, " (%s)", v->reason);
	if (v->hint)
		cx_buf_addf(what, "; %s", v->hint);
	cx_buf_addf(next, "cx logs -a %s --service %s; cx ps -a %s", v->app, v->name, v->app);
}

static void
make_json(const struct stream *s, int status, const char *what, const char *next, struct cx_buf *b)
{
	const struct service *v = s->service;
	CX_JSON json_t *o = json_pack("{s:i,s:i,s:s}", "v", 1, "status", status, "error", what);
	CX_FREE char *text = NULL;

	if (!o)
		return;
	if (v) {
		cx_json_set(o, "app", v->app);
		cx_json_set(o, "service", v->name);
		if (v->line && status >= 500)
			cx_json_set(o, "log", v->line);
	}
	if (*next)
		cx_json_set(o, "see", next);
	text = cx_json_text(o);
	cx_buf_addf(b, "%s\n", text);
}

static void
make_html(const struct stream *s, int status, const char *what, const char *next, struct cx_buf *b)
{
	cx_buf_addf(b,
		"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%d %s</title>\n"
		"<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42em;margin:4em auto;padding:0 "
		"1em;color:#222}"
		"h1{font-size:1.4em}code,pre{background:#eee;padding:.2em .4em;border-radius:3px}</style></head>\n"
		"<body><h1>%d %s</h1><p>",
		status, phrase(status), status, phrase(status));
	put_html(b, what);
	cx_buf_adds(b, "</p>\n");
	if (s->service && s->service->line && status >= 500) {
		cx_buf_adds(b, "<p>The last line of its log:</p><pre>");
		put_html(b, s->service->line);
		cx_buf_adds(b, "</pre>\n");
	}
	if (*next) {
		cx_buf_adds(b, "<p>More with: <code>");
		put_html(b, next);
		cx_buf_adds(b, "</code></p>\n");
	}
	cx_buf_adds(b, "</body></html>\n");
}

static void
make_body(const struct stream *s, int status, const char *why, struct cx_buf *b)
{
	CX_BUF struct cx_buf what = {0}, next = {0};

	explain(s, status, why, &what, &next);
	if (s->html == ACCEPTS_HTML)
		make_html(s, status, cx_buf_str(&what), cx_buf_str(&next), b);
	else if (s->html == ACCEPTS_JSON)
		make_json(s, status, cx_buf_str(&what), cx_buf_str(&next), b);
	else {
		cx_buf_addf(b, "%d %s: %s\n", status, phrase(status), cx_buf_str(&what));
		if (s->service && s->service->line && status >= 500)
			cx_buf_addf(b, "log: %s\n", s->service->line);
		if (next.n)
			cx_buf_addf(b, "see: %s\n", next.p);
	}
}

static void
add_field(struct http1 *h, const char *name, const char *value)
{
	h->fields[h->n++] = (struct http1_field){.name = {name, strlen(name)}, .value = {value, strlen(value)}};
}

/* The body stands where a backend's would: it takes the same way to the client. */
static void
answer(struct stream *s, int status, const char *name, const char *value, const char *type, const struct cx_buf *body)
{
	static struct http1 h;
	char length[24];

	backend_release(s, 0);
	s->back.n = 0;
	s->back_eof = 0;
	s->step = EXCHANGE;
	s->own = 1;
	h.status = status;
	h.reason = (struct span){phrase(status), strlen(phrase(status))};
	h.length = (long long)body->n;
	h.n = 0;
	h.minor = 1;
	(void)snprintf(length, sizeof(length), "%zu", body->n);
	add_field(&h, "Content-Type", type);
	add_field(&h, "Content-Length", length);
	add_field(&h, "Cache-Control", "no-store");
	if (name)
		add_field(&h, name, value);
	if (!s->is_head) {
		pool_take(s->r, &s->back);
		cx_buf_add(&s->back, body->p, body->n);
	}
	stream_respond(s, &h);
}

void
page_refuse(struct stream *s, int status, const char *why)
{
	CX_BUF struct cx_buf body = {0};

	if (s->responded) { /* bytes of another answer were sent: all that can be said is to hang up */
		s->down->abort(s);
		return;
	}
	make_body(s, status, why, &body);
	answer(s, status, status == 405 ? "Allow" : NULL, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
		s->html == ACCEPTS_HTML   ? "text/html; charset=utf-8"
		: s->html == ACCEPTS_JSON ? "application/json"
					  : "text/plain; charset=utf-8",
		&body);
}

void
page_redirect(struct stream *s, const char *target)
{
	CX_BUF struct cx_buf body = {0}, location = {0};

	cx_buf_addf(&location, "https://%s", s->host);
	if (s->c->https_port != 443)
		cx_buf_addf(&location, ":%d", s->c->https_port);
	/* The whole target: path[] may be cut. */
	cx_buf_adds(&location, target);
	cx_buf_adds(&body, "moved to https\n");
	answer(s, 301, "Location", location.p, "text/plain", &body);
}
