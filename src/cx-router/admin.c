#include "admin.h"
#include "health.h"
#include "metrics.h"
#include "route.h"
#include <arpa/inet.h>
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/net.h>
#include <cx/own.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#define CLIENTS 16
#define LISTENERS 4
#define HEAD 4096
#define CLIENT_SECONDS 10
#define TURN_MS 200

struct client {
	int fd;
	double deadline;
	char head[HEAD];
	size_t n, sent;
	struct cx_buf out;
};

struct admin {
	struct metrics *m;
	struct table *table;
	struct health *health;
	int routes;
	struct client clients[CLIENTS];
	size_t n;
};

static double
clock_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A socket that nobody serves any more is in the way of its successor. */
static void
remove_stale(const struct sockaddr_un *un)
{
	CX_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	if (fd >= 0 && lstat(un->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
		connect(fd, (const struct sockaddr *)un, sizeof(*un)) < 0 && errno == ECONNREFUSED)
		(void)unlink(un->sun_path);
}

static int
listen_path(const char *path, struct cx_err *e)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	CX_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return cx_err_sys(e, "make a socket");
	if (strlen(path) >= sizeof(un.sun_path))
		return cx_err_set(e, CX_BAD, "%s is too long for a socket", path);
	memcpy(un.sun_path, path, strlen(path));
	remove_stale(&un);
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0 || chmod(path, 0660) < 0 || listen(fd, 16) < 0)
		return cx_err_sys(e, "listen on %s", path);
	return cx_steal_fd(&fd);
}

int
admin_listen(const char *where, struct cx_err *e)
{
	char address[46];
	int port;

	if (strchr(where, '/'))
		return listen_path(where, e);
	if (cx_net_parse(where, ':', address, &port, e) < 0)
		return -1;
	if (strncmp(address, "127.", 4) != 0)
		return cx_err_set(e, CX_BAD, "metrics are for this machine only: %s is not of 127.0.0.0/8", address);
	return cx_net_listen(SOCK_STREAM, address, port, NULL, e);
}

static void
reply(struct client *c, const char *status, const char *type, const struct cx_buf *body)
{
	cx_buf_addf(&c->out, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
		status, type, body->n);
	cx_buf_add(&c->out, body->n ? body->p : "", body->n);
}

static void
answer(struct admin *a, struct client *c)
{
	CX_BUF struct cx_buf body = {0};

	if (strncmp(c->head, "GET /metrics ", 13) == 0) {
		render_metrics(a->m, &body);
		reply(c, "200 OK", "application/openmetrics-text; version=1.0.0; charset=utf-8", &body);
	} else if (strncmp(c->head, "GET /status ", 12) == 0) {
		render_status(a->m, &body);
		reply(c, "200 OK", "application/json", &body);
	} else {
		cx_buf_adds(&body, "GET /metrics or /status\n");
		reply(c, "404 Not Found", "text/plain", &body);
	}
}

static void
end(struct admin *a, struct client *c)
{
	close(c->fd);
	cx_buf_free(&c->out);
	*c = a->clients[--a->n];
}

static void
serve(struct admin *a, struct client *c)
{
	ssize_t n;

	if (!c->out.n) {
		n = recv(c->fd, c->head + c->n, HEAD - 1 - c->n, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n > 0)
			c->n += (size_t)n;
		c->head[c->n] = '\0';
		if (n <= 0 || (c->n == HEAD - 1 && !strstr(c->head, "\r\n\r\n"))) {
			end(a, c);
			return;
		}
		if (!strstr(c->head, "\r\n\r\n"))
			return;
		answer(a, c);
	}
	n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent, MSG_NOSIGNAL);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->sent += (size_t)n;
	if (n <= 0 || c->sent == c->out.n)
		end(a, c);
}

static void
take_client(struct admin *a, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c = &a->clients[a->n];

	if (fd < 0)
		return;
	if (a->n == CLIENTS) {
		close(fd);
		return;
	}
	memset(c, 0, sizeof(*c));
	c->fd = fd;
	c->deadline = clock_now() + CLIENT_SECONDS;
	a->n++;
}

static void
routes_changed(struct admin *a, double now)
{
	_Alignas(struct inotify_event) char buf[8192];
	ssize_t n;

	while ((n = read(a->routes, buf, sizeof(buf))) > 0)
		for (char *p = buf; p < buf + n;) {
			const struct inotify_event *ev = (const struct inotify_event *)(void *)p;

			if (ev->len == 0)
				table_scan(a->table, now);
			else
				table_read(a->table, ev->name, now);
			p += sizeof(*ev) + ev->len;
		}
}

static void
turn(struct admin *a, const int *fds, size_t n)
{
	struct pollfd p[LISTENERS + 1 + CLIENTS + HEALTH_CHECKS];
	size_t clients = a->n, at = 0, checks;
	double now;

	for (size_t i = 0; i < n; i++)
		p[at++] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	p[at++] = (struct pollfd){.fd = a->routes, .events = POLLIN};
	for (size_t i = 0; i < clients; i++)
		p[at++] = (struct pollfd){.fd = a->clients[i].fd, .events = a->clients[i].out.n ? POLLOUT : POLLIN};
	checks = health_poll(a->health, p + at);
	(void)poll(p, at + checks, TURN_MS);
	now = clock_now();
	health_take(a->health, p + at, checks, now);
	for (size_t i = clients; i-- > 0;) {
		if (p[n + 1 + i].revents)
			serve(a, &a->clients[i]);
		else if (now > a->clients[i].deadline)
			end(a, &a->clients[i]);
	}
	if (p[n].revents)
		routes_changed(a, now);
	for (size_t i = 0; i < n; i++)
		if (p[i].revents)
			take_client(a, fds[i]);
	health_start(a->health, a->table, now);
}

int
admin_run(struct metrics *m, const int *fds, size_t n, struct cx_err *e)
{
	static struct admin a;

	a.m = m;
	a.health = health_new();
	a.table = table_open(".", m);
	a.routes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (a.routes < 0 || inotify_add_watch(a.routes, ".", IN_MOVED_TO | IN_DELETE | IN_CLOSE_WRITE | IN_ONLYDIR) < 0)
		return cx_err_sys(e, "watch the routes");
	table_scan(a.table, clock_now());
	for (;;)
		turn(&a, fds, n);
}
