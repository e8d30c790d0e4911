/* Metrics on a Unix socket, as an answer to whatever is asked there (curl --unix-socket PATH http://cx/metrics). */
#include "dns.h"
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE 2000000U /* us */

static void
end(struct scrape *s)
{
	close(s->src.fd);
	s->src = (struct source){FREE, -1};
}

void
metrics_gauges(struct dns *d)
{
	d->stats->names = d->routes.names;
	d->stats->connections = d->n_clients;
	d->stats->waiting = d->waiting;
	d->stats->cached = d->cache.entries;
}

void
metrics_accept(struct dns *d)
{
	int fd = accept4(d->metrics.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct scrape *s = d->scrape;

	if (fd < 0)
		return;
	while (s < d->scrape + SCRAPES_MAX && s->src.kind != FREE)
		s++;
	if (s == d->scrape + SCRAPES_MAX) {
		close(fd);
		return;
	}
	s->src = (struct source){SCRAPE, fd};
	s->deadline = d->now + PATIENCE;
	worker_watch(d, &s->src, EPOLLIN);
}

void
metrics_event(struct dns *d, struct scrape *s)
{
	CX_BUF struct cx_buf text = {0}, b = {0};
	char request[4096];
	ssize_t n = read(s->src.fd, request, sizeof(request));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n >= 0) {
		metrics_gauges(d);
		stats_text(d->all, d->workers, &text);
		cx_buf_addf(&b,
			"HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0; "
			"charset=utf-8\r\n"
			"Content-Length: %zu\r\nConnection: close\r\n\r\n",
			text.n);
		cx_buf_add(&b, text.p, text.n);
		(void)send(s->src.fd, b.p, b.n, MSG_NOSIGNAL); /* a few kilobytes: the socket takes them */
	}
	end(s);
}

void
metrics_sweep(struct dns *d)
{
	for (struct scrape *s = d->scrape; s < d->scrape + SCRAPES_MAX; s++)
		if (s->src.kind == SCRAPE && d->now > s->deadline)
			end(s);
}
