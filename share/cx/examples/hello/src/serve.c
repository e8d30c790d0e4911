#include "serve.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX 16384
#define CONNECTIONS_MAX 512
#define IDLE_MS 75000

static answer *answer_with;
static int stop_pipe[2]; /* readable, for everybody, once SIGTERM came */
static atomic_int connections;

static void
on_signal(int sig)
{
	int saved = errno;

	(void)sig;
	(void)!write(stop_pipe[1], "x", 1);
	errno = saved;
}

const char *
process_id(void)
{
	static char name[64];

	if (!name[0] && gethostname(name, sizeof(name) - 1) < 0)
		name[0] = '?';
	return name;
}

/* Waits for fd; 0 when we are to stop or nothing came. */
static int
readable(int fd, int ms)
{
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = stop_pipe[0], .events = POLLIN}};
	int n;

	do
		n = poll(p, 2, ms);
	while (n < 0 && errno == EINTR);
	/* A request that has arrived is served even when the end was asked for. */
	return n > 0 && p[0].revents;
}

static int
send_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return -1;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

static int
stopping(void)
{
	struct pollfd p = {.fd = stop_pipe[0], .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

static int
reply(int fd, const char *method, const char *path, int keep)
{
	static _Thread_local char text[REPLY_MAX], out[REPLY_MAX + 512];
	struct timespec a, b;
	int status, head, n;

	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	text[0] = 0;
	status = answer_with(path, text);
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	keep = keep && !stopping();
	head = strcmp(method, "HEAD") == 0;
	n = snprintf(out, sizeof(out),
		"HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\nX-Process: "
		"%s\r\n%s\r\n%s",
		status,
		status == 200   ? "OK"
		: status == 404 ? "Not Found"
				: "Bad Gateway",
		strlen(text), process_id(), keep ? "" : "Connection: close\r\n", head ? "" : text);
	if (strcmp(path, "/health") != 0) {
		double ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;

		printf("%s %s %d %.1fms\n", method, path, status, ms);
		(void)fflush(stdout);
	}
	return send_all(fd, out, (size_t)n) < 0 || !keep ? -1 : 0;
}

/* One request out of the buffer: takes head and body away. -1 ends the connection. */
static int
request(int fd, char *buf, size_t *have, char *end)
{
	char method[16], path[1024];
	size_t n = (size_t)(end + 4 - buf);
	const char *length;
	int minor, keep;

	*end = 0;
	if (sscanf(buf, "%15[A-Z] %1023s HTTP/1.%1d", method, path, &minor) != 3)
		return -1;
	path[strcspn(path, "?")] = 0;
	keep = minor >= 1 && !strcasestr(buf, "\r\nConnection: close");
	length = strcasestr(buf, "\r\nContent-Length:");
	/* A body is not read: nothing here takes one, so such a connection ends with the reply. */
	if ((length && atoi(length + 17) > 0) || strcasestr(buf, "\r\nTransfer-Encoding:"))
		keep = 0;
	if (reply(fd, method, path, keep) < 0)
		return -1;
	memmove(buf, buf + n, *have - n);
	*have -= n;
	buf[*have] = 0;
	return 0;
}

static void *
connection(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char *buf = calloc(1, HEAD_MAX + 1);
	size_t have = 0;

	while (buf) {
		char *end = strstr(buf, "\r\n\r\n");
		ssize_t n;

		if (end) {
			if (request(fd, buf, &have, end) < 0)
				break;
			continue;
		}
		if (have == HEAD_MAX || !readable(fd, IDLE_MS))
			break;
		n = recv(fd, buf + have, HEAD_MAX - have, 0);
		if (n <= 0)
			break;
		have += (size_t)n;
		buf[have] = 0;
	}
	free(buf);
	/* What the client still sends must not turn our last reply into a reset. */
	(void)shutdown(fd, SHUT_WR);
	(void)close(fd);
	atomic_fetch_sub(&connections, 1);
	return NULL;
}

static int
listen_on(unsigned short port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1024) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static void
accept_one(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	pthread_t t;

	if (fd < 0)
		return;
	atomic_fetch_add(&connections, 1);
	if (atomic_load(&connections) > CONNECTIONS_MAX ||
		pthread_create(&t, NULL, connection, (void *)(intptr_t)fd) != 0) {
		(void)close(fd);
		atomic_fetch_sub(&connections, 1);
		return;
	}
	(void)pthread_detach(t);
}

int
serve(unsigned short port, answer *a)
{
	struct sigaction sa = {.sa_handler = on_signal};
	int listener = listen_on(port);

	answer_with = a;
	if (listener < 0 || pipe(stop_pipe) < 0) {
		(void)fprintf(stderr, "cannot listen on port %u: %s\n", port, strerror(errno));
		return 1;
	}
	(void)sigaction(SIGTERM, &sa, NULL);
	(void)sigaction(SIGINT, &sa, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	printf("process %s listens on port %u\n", process_id(), port);
	(void)fflush(stdout);
	while (!stopping())
		if (readable(listener, -1))
			accept_one(listener);
	(void)close(listener);
	for (int i = 0; atomic_load(&connections) > 0 && i < 1000; i++)
		(void)poll(NULL, 0, 10);
	printf("process %s stopped\n", process_id());
	return fflush(stdout) == 0 ? 0 : 1;
}
