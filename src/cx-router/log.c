/* The access log: a JSON object a request, written in pieces of LOG_CHUNK or once a second. */
#include "router.h"
#include <cx/own.h>
#include <cx/spool.h>
#include <string.h>

#define LOG_CHUNK 65536

struct log {
	int fd;
	double turn;
	char time[32];
	struct cx_buf b;
};

struct log *
log_open(int fd)
{
	struct log *l = cx_alloc(sizeof(*l));

	l->fd = fd;
	return l;
}

void
put_number(struct cx_buf *b, unsigned long long n, unsigned base)
{
	char text[24];
	size_t at = sizeof(text);

	do {
		text[--at] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n);
	cx_buf_add(b, text + at, sizeof(text) - at);
}

static int
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void
put_string(struct cx_buf *b, const char *key, const char *s)
{
	cx_buf_adds(b, key);
	cx_buf_addc(b, '"');
	while (*s) {
		size_t n = 0;

		while (is_plain((unsigned char)s[n]))
			n++;
		cx_buf_add(b, s, n);
		s += n;
		if (*s)
			cx_buf_addf(b, "\\u%04x", (unsigned char)*s++);
	}
	cx_buf_addc(b, '"');
}

/* Requests of one turn of the loop have one time. */
static const char *
time_text(struct log *l, double turn)
{
	if (l->turn != turn)
		cx_time_now(l->time);
	l->turn = turn;
	return l->time;
}

void
log_request(struct stream *s)
{
	struct log *l = s->r->log;
	double ms = (worker_clock() - s->began) * 1000;

	if (l->fd < 0 || s->c->how == TCP)
		return;
	put_string(&l->b, "{\"time\":", time_text(l, s->r->now));
	put_string(&l->b, ",\"client\":", s->c->peer);
	put_string(&l->b, ",\"method\":", s->method);
	put_string(&l->b, ",\"host\":", s->host);
	put_string(&l->b, ",\"path\":", s->path);
	cx_buf_adds(&l->b, ",\"status\":");
	put_number(&l->b, (unsigned)s->status, 10);
	cx_buf_adds(&l->b, ",\"bytes\":");
	put_number(&l->b, s->bytes, 10);
	cx_buf_adds(&l->b, ",\"ms\":");
	put_number(&l->b, ms > 0 ? (unsigned long long)ms : 0, 10);
	cx_buf_addc(&l->b, '.');
	put_number(&l->b, ms > 0 ? (unsigned long long)(ms * 10) % 10 : 0, 10);
	if (s->service) {
		put_string(&l->b, ",\"app\":", s->service->app);
		put_string(&l->b, ",\"service\":", s->service->name);
	}
	if (s->target)
		put_string(&l->b, ",\"process\":", s->target->process);
	cx_buf_adds(&l->b, "}\n");
	if (l->b.n >= LOG_CHUNK)
		log_flush(s->r);
}

void
log_flush(struct router *r)
{
	if (r->log->fd >= 0 && r->log->b.n)
		(void)!write(r->log->fd, r->log->b.p, r->log->b.n);
	r->log->b.n = 0;
}

void
log_replace(struct router *r, int fd)
{
	log_flush(r);
	if (r->log->fd >= 0)
		close(r->log->fd);
	r->log->fd = fd;
}
