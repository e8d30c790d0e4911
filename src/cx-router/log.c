/* The access log: a JSON object a request, written in pieces of LOG_CHUNK or once a second. */
#include "router.h"
#include <arpa/inet.h>
#include <cx/own.h>
#include <cx/spool.h>
#include <string.h>

#define LOG_CHUNK 65536

struct log {
	int fd;
	struct cx_buf b;
};

struct log *
log_open(int fd)
{
	struct log *l = cx_alloc(sizeof(*l));

	l->fd = fd;
	return l;
}

static void
put_string(struct cx_buf *b, const char *s)
{
	cx_buf_addc(b, '"');
	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch == '"' || ch == '\\')
			cx_buf_addf(b, "\\%c", ch);
		else if (ch < 0x20 || ch >= 0x7f)
			cx_buf_addf(b, "\\u%04x", ch);
		else
			cx_buf_addc(b, (char)ch);
	}
	cx_buf_addc(b, '"');
}

void
log_request(struct conn *c)
{
	struct log *l = c->r->log;
	char ip[INET_ADDRSTRLEN] = "", now[32];

	if (l->fd < 0 || c->how == TCP)
		return;
	cx_time_now(now);
	(void)inet_ntop(AF_INET, &c->peer.sin_addr, ip, sizeof(ip));
	cx_buf_addf(&l->b, "{\"time\":\"%s\",\"client\":\"%s\",\"method\":", now, ip);
	put_string(&l->b, c->method);
	cx_buf_adds(&l->b, ",\"host\":");
	put_string(&l->b, c->host);
	cx_buf_adds(&l->b, ",\"path\":");
	put_string(&l->b, c->path);
	cx_buf_addf(&l->b, ",\"status\":%d,\"bytes\":%llu,\"ms\":%.1f", c->status, c->bytes,
		(worker_clock() - c->began) * 1000);
	if (c->service)
		cx_buf_addf(&l->b, ",\"app\":\"%s\",\"service\":\"%s\"", c->service->app, c->service->name);
	if (c->target)
		cx_buf_addf(&l->b, ",\"process\":\"%s\"", c->target->process);
	cx_buf_adds(&l->b, "}\n");
	if (l->b.n >= LOG_CHUNK)
		log_flush(c->r);
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
