#include "log.h"
#include "alb.h"
#include "metrics.h"
#include "router.h"
#include <cx/own.h>
#include <cx/spool.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define LOG_CHUNK 65536
#define LOG_BUFFER ((size_t)1 << 20)

struct log {
	enum log_format format;
	double turn;
	char time[32];
	struct cx_buf b; /* of the loop */
	/* of both, under the lock */
	pthread_mutex_t lock;
	pthread_cond_t news;
	struct cx_buf out;
	int fd, fresh, writing, ending; /* fresh: takes the place of fd; -1: none */
	int started;
	pthread_t thread;
};

struct log *
log_open(int fd, enum log_format format)
{
	struct log *l = cx_alloc(sizeof(*l));

	l->fd = fd;
	l->fresh = -1;
	l->format = format;
	(void)pthread_mutex_init(&l->lock, NULL);
	(void)pthread_cond_init(&l->news, NULL);
	return l;
}

static void
write_out(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t got = write(fd, p, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return; /* a full disk: the lines are lost, the requests are not */
		p += got;
		n -= (size_t)got;
	}
}

static void *
writer(void *arg)
{
	struct log *l = arg;
	struct cx_buf mine = {0};

	(void)pthread_mutex_lock(&l->lock);
	for (;;) {
		while (!l->out.n && l->fresh < 0 && !l->ending)
			(void)pthread_cond_wait(&l->news, &l->lock);
		if (l->out.n) {
			struct cx_buf swap = mine;

			mine = l->out;
			l->out = swap;
			l->out.n = 0;
			l->writing = 1;
			(void)pthread_mutex_unlock(&l->lock);
			write_out(l->fd, mine.p, mine.n);
			mine.n = 0;
			(void)pthread_mutex_lock(&l->lock);
			l->writing = 0;
		}
		if (l->fresh >= 0) { /* behind the lines that were gathered before it */
			(void)close(l->fd);
			l->fd = l->fresh;
			l->fresh = -1;
		}
		if (l->ending && !l->out.n)
			break;
	}
	(void)pthread_mutex_unlock(&l->lock);
	cx_buf_free(&mine);
	return NULL;
}

/* Not before the process is what it stays: threads keep the identity that they were made with. */
static int
start(struct log *l)
{
	sigset_t all, old;

	if (l->started)
		return 1;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	l->started = pthread_create(&l->thread, NULL, writer, l) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return l->started;
}

void
log_flush(struct router *r)
{
	struct log *l = r->log;

	if (l->fd < 0 || !l->b.n || !start(l))
		return;
	if (pthread_mutex_trylock(&l->lock) != 0)
		return; /* the writer looks just now: the next time */
	if (!l->out.n) {
		struct cx_buf swap = l->out;

		l->out = l->b;
		l->b = swap;
		l->b.n = 0;
		(void)pthread_cond_signal(&l->news);
	}
	(void)pthread_mutex_unlock(&l->lock);
}

void
log_replace(struct router *r, int fd)
{
	struct log *l = r->log;

	log_flush(r);
	if (l->fd < 0 || !start(l)) {
		close(fd);
		return;
	}
	(void)pthread_mutex_lock(&l->lock);
	if (l->fresh >= 0)
		close(l->fresh);
	l->fresh = fd;
	(void)pthread_cond_signal(&l->news);
	(void)pthread_mutex_unlock(&l->lock);
}

void
log_close(struct router *r)
{
	struct log *l = r->log;
	struct timespec until;

	if (l->fd < 0 || (!l->b.n && !l->started) || !start(l))
		return;
	(void)pthread_mutex_lock(&l->lock);
	cx_buf_add(&l->out, l->b.n ? l->b.p : "", l->b.n);
	l->b.n = 0;
	l->ending = 1;
	(void)pthread_cond_signal(&l->news);
	(void)pthread_mutex_unlock(&l->lock);
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 2;
	(void)pthread_timedjoin_np(l->thread, NULL, &until);
}

/* --- lines --- */

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

/* What is not plain is escaped as "\u00XX" or "\xXX". */
static void
put_escaped(struct cx_buf *b, const char *s, const char *escape)
{
	while (*s) {
		size_t n = 0;

		while (is_plain((unsigned char)s[n]))
			n++;
		cx_buf_add(b, s, n);
		s += n;
		if (*s) {
			cx_buf_adds(b, escape);
			cx_buf_addc(b, "0123456789abcdef"[(unsigned char)*s >> 4]);
			cx_buf_addc(b, "0123456789abcdef"[(unsigned char)*s++ & 15]);
		}
	}
}

static void
put_string(struct cx_buf *b, const char *key, const char *s)
{
	cx_buf_adds(b, key);
	cx_buf_addc(b, '"');
	put_escaped(b, s, "\\u00");
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

static const char *
protocol(const struct stream *s)
{
	return s->c->h2 ? "HTTP/2.0" : s->minor == 0 ? "HTTP/1.0" : "HTTP/1.1";
}

static const char *
class_text(const struct stream *s)
{
	return s->class == DESYNC_AMBIGUOUS ? "Ambiguous" : s->class == DESYNC_ACCEPTABLE ? "Acceptable" : "Compliant";
}

static void
put_json(struct log *l, const struct stream *s, uint64_t micros)
{
	struct cx_buf *b = &l->b;

	put_string(b, "{\"time\":", time_text(l, s->r->now));
	put_string(b, ",\"client\":", s->c->peer);
	put_string(b, ",\"method\":", s->method);
	put_string(b, ",\"host\":", s->host);
	put_string(b, ",\"path\":", s->path);
	cx_buf_adds(b, ",\"status\":");
	put_number(b, (unsigned)s->status, 10);
	cx_buf_adds(b, ",\"bytes\":");
	put_number(b, s->bytes, 10);
	cx_buf_adds(b, ",\"received\":");
	put_number(b, s->bytes_in, 10);
	cx_buf_adds(b, ",\"ms\":");
	put_number(b, micros / 1000, 10);
	cx_buf_addc(b, '.');
	put_number(b, micros / 100 % 10, 10);
	put_string(b, ",\"protocol\":", protocol(s));
	if (s->service) {
		put_string(b, ",\"app\":", s->service->app);
		put_string(b, ",\"service\":", s->service->name);
	}
	if (s->target)
		put_string(b, ",\"process\":", s->target->process);
	if (s->trace[0])
		put_string(b, ",\"trace\":", s->trace);
	if (s->own)
		cx_buf_adds(b, ",\"own\":true");
	if (s->class != DESYNC_COMPLIANT) {
		put_string(b, ",\"classification\":", class_text(s));
		put_string(b, ",\"reason\":", s->class_reason);
	}
	cx_buf_adds(b, "}\n");
}

static void
put_seconds(struct cx_buf *b, double from, double to)
{
	if (from > 0 && to >= from)
		cx_buf_addf(b, " %.3f", to - from);
	else
		cx_buf_adds(b, " -1");
}

static void
put_quoted(struct cx_buf *b, const char *s)
{
	cx_buf_adds(b, " \"");
	put_escaped(b, *s ? s : "-", "\\x");
	cx_buf_addc(b, '"');
}

/* The fields of an ALB's access log, in its order; what there is no such thing of is "-". */
static void
put_alb(struct log *l, const struct stream *s)
{
	struct cx_buf *b = &l->b;
	const struct backend *t = s->target;
	int tls = s->c->ssl != NULL;

	cx_buf_adds(b, s->c->h2 ? "h2" : s->tunnel ? (tls ? "wss" : "ws") : tls ? "https" : "http");
	cx_buf_addf(b, " %s cx-router %s:%u ", time_text(l, s->r->now), s->c->peer, s->c->peer_port);
	if (t)
		cx_buf_addf(b, "%s:%u", t->address, t->port);
	else
		cx_buf_addc(b, '-');
	put_seconds(b, t ? s->began : 0, s->asked);
	put_seconds(b, s->asked, s->answered);
	put_seconds(b, s->answered, s->r->now);
	cx_buf_addf(b, " %d ", s->status);
	if (t && !s->own)
		put_number(b, (unsigned)s->status, 10);
	else
		cx_buf_addc(b, '-');
	cx_buf_addf(b, " %llu %llu \"", s->bytes_in, s->bytes);
	put_escaped(b, s->method[0] ? s->method : "-", "\\x");
	cx_buf_adds(b, tls ? " https://" : " http://");
	put_escaped(b, s->host[0] ? s->host : "-", "\\x");
	cx_buf_addf(b, ":%s", s->c->local_port);
	put_escaped(b, s->path, "\\x");
	cx_buf_addf(b, " %s\"", protocol(s));
	put_quoted(b, s->agent);
	cx_buf_addf(b, " %s %s ", tls ? SSL_get_cipher_name(s->c->ssl) : "-", tls ? SSL_get_version(s->c->ssl) : "-");
	if (s->service)
		cx_buf_addf(b, "%s/%s", s->service->app, s->service->name);
	else
		cx_buf_addc(b, '-');
	put_quoted(b, s->trace);
	put_quoted(b, tls ? s->host : "-");
	cx_buf_addf(b, " \"-\" 0 %s \"%s\" \"-\" \"-\"", l->time,
		s->c->how == REDIRECT ? "redirect"
		: s->service          ? "forward"
				      : "fixed-response");
	if (t)
		cx_buf_addf(b, " \"%s:%u\"", t->address, t->port);
	else
		cx_buf_adds(b, " \"-\"");
	if (t && !s->own)
		cx_buf_addf(b, " \"%d\"", s->status);
	else
		cx_buf_adds(b, " \"-\"");
	put_quoted(b, s->service ? class_text(s) : "-");
	put_quoted(b, s->class_reason ? s->class_reason : "-");
	cx_buf_addc(b, '\n');
}

void
log_request(struct stream *s)
{
	struct log *l = s->r->log;
	struct metrics *m = s->r->metrics;
	struct metrics_service *v = s->service ? s->service->m : &m->none;
	double seconds = s->r->now - s->began;
	uint64_t micros = seconds > 0 ? (uint64_t)(seconds * 1e6) : 0;

	if (s->c->how == TCP)
		return;
	metrics_request(m, v, s->status, s->own, micros);
	metrics_add(&v->out, s->bytes);
	metrics_add(&v->in, s->bytes_in);
	if (l->fd < 0)
		return;
	if (l->b.n >= LOG_BUFFER) {
		metrics_add(&m->router.log_dropped, 1);
		log_flush(s->r);
		return;
	}
	if (l->format == LOG_ALB)
		put_alb(l, s);
	else
		put_json(l, s, micros);
	if (l->b.n >= LOG_CHUNK)
		log_flush(s->r);
}
