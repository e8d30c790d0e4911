/* Answers of our own: for people as a page, for machines as a line, each with what to do next. */
#include "router.h"
#include <cx/own.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

static const char *
phrase(int status)
{
	static const struct {
		int status;
		const char *text;
	} all[] = {{301, "Moved Permanently"}, {400, "Bad Request"}, {404, "Not Found"}, {405, "Method Not Allowed"},
		{408, "Request Timeout"}, {501, "Not Implemented"}, {502, "Bad Gateway"}, {503, "Service Unavailable"},
		{504, "Gateway Timeout"}, {505, "HTTP Version Not Supported"}};

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
explain(const struct conn *c, int status, const char *why, struct cx_buf *what, struct cx_buf *next)
{
	const struct service *s = c->service;

	if (status == 404) {
		cx_buf_addf(what, "no app answers at %s", c->host[0] ? c->host : "this name");
		cx_buf_adds(next, "cx apps; cx services -a APP");
		return;
	}
	if (!s || status < 500) {
		cx_buf_adds(what, why);
		return;
	}
	cx_buf_addf(what, "service %s of app %s: %s", s->name, s->app, why);
	if (s->reason)
		cx_buf_addf(what, " (%s)", s->reason);
	if (s->hint)
		cx_buf_addf(what, "; %s", s->hint);
	cx_buf_addf(next, "cx logs -a %s --service %s; cx ps -a %s", s->app, s->name, s->app);
}

static void
make_body(const struct conn *c, int status, const char *why, int html, struct cx_buf *b)
{
	CX_BUF struct cx_buf what = {0}, next = {0};

	explain(c, status, why, &what, &next);
	if (!html) {
		cx_buf_addf(b, "%d %s: %s\n", status, phrase(status), what.p);
		if (next.n)
			cx_buf_addf(b, "see: %s\n", next.p);
		return;
	}
	cx_buf_addf(b,
		"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>%d %s</title>\n"
		"<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42em;margin:4em auto;padding:0 "
		"1em;color:#222}"
		"h1{font-size:1.4em}code{background:#eee;padding:.2em .4em;border-radius:3px}</style></head>\n"
		"<body><h1>%d %s</h1><p>",
		status, phrase(status), status, phrase(status));
	put_html(b, what.p);
	cx_buf_adds(b, "</p>\n");
	if (next.n) {
		cx_buf_adds(b, "<p>More with: <code>");
		put_html(b, next.p);
		cx_buf_adds(b, "</code></p>\n");
	}
	cx_buf_adds(b, "</body></html>\n");
}

/* After our own answer the connection closes when the request's body was not read to its end. */
static void
finish(struct conn *c, int status, const char *extra, const char *type, const struct cx_buf *body)
{
	int close = status == 400 || status == 408 || status >= 500 || c->client_close || !c->req_done;

	backend_release(c, 0);
	c->status = status;
	c->bytes = body->n;
	cx_buf_addf(&c->to_client,
		"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n%s%s\r\n",
		status, phrase(status), type, body->n, extra, close ? "Connection: close\r\n" : "");
	if (!c->head_request)
		cx_buf_add(&c->to_client, body->p, body->n);
	c->responded = c->res_done = 1;
	log_request(c);
	c->phase = FLUSH;
	c->client_close = close;
	c->deadline = c->r->now + BODY_SECONDS;
}

void
page_refuse(struct conn *c, int status, const char *why)
{
	CX_BUF struct cx_buf body = {0};
	int html = c->html;

	if (c->responded) { /* bytes of another answer were sent: all that can be said is to hang up */
		log_request(c);
		conn_end(c);
		return;
	}
	make_body(c, status, why, html, &body);
	finish(c, status, status == 405 ? "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n" : "",
		html ? "text/html; charset=utf-8" : "text/plain; charset=utf-8", &body);
}

void
page_redirect(struct conn *c)
{
	CX_BUF struct cx_buf body = {0}, extra = {0};

	cx_buf_addf(&extra, "Location: https://%s", c->host);
	if (c->https_port != 443)
		cx_buf_addf(&extra, ":%d", c->https_port);
	/* The whole target: path[] may be cut, the buffer is not. */
	cx_buf_adds(&extra, c->head.n ? c->head.p : "/");
	cx_buf_adds(&extra, "\r\n");
	cx_buf_adds(&body, "moved to https\n");
	finish(c, 301, extra.p, "text/plain", &body);
}
