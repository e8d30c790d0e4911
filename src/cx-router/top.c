/* `cx router top`: what the router does now, from two looks at its /status. */
#include "admin.h"
#include "metrics.h"
#include <arpa/inet.h>
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/json.h>
#include <cx/net.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/spool.h>
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#define ANSWER_MAX ((size_t)64 << 20)

static int
dial(const char *where, struct cx_err *e)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_in in = {.sin_family = AF_INET};
	int path = strchr(where, '/') != NULL, port = 0;
	CX_CLOSE int fd = socket(path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval tv = {.tv_sec = 10};
	char address[46];

	if (fd < 0)
		return cx_err_sys(e, "make a socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (path)
		(void)snprintf(un.sun_path, sizeof(un.sun_path), "%s", where);
	else if (cx_net_parse(where, ':', address, &port, e) < 0 || inet_pton(AF_INET, address, &in.sin_addr) != 1)
		return cx_err_set(e, CX_BAD, "\"%.80s\" is no path and no address:port", where);
	in.sin_port = htons((uint16_t)port);
	if (connect(fd, path ? (struct sockaddr *)&un : (struct sockaddr *)&in, path ? sizeof(un) : sizeof(in)) < 0) {
		(void)cx_err_sys(e, "reach the router at %s", where);
		return cx_err_hint(e, "is it running? `cx rack` shows it; alone it needs --metrics");
	}
	return cx_steal_fd(&fd);
}

static json_t *
look(const char *where, struct cx_err *e)
{
	static const char request[] = "GET /status HTTP/1.1\r\nHost: router\r\n\r\n";
	CX_BUF struct cx_buf b = {0};
	CX_CLOSE int fd = dial(where, e);
	const char *body;

	if (fd < 0 || cx_write_all(fd, request, sizeof(request) - 1, e) < 0 ||
		cx_buf_read(&b, fd, ANSWER_MAX, where, e) < 0)
		return NULL;
	body = b.n ? strstr(b.p, "\r\n\r\n") : NULL;
	if (!body) {
		(void)cx_err_set(e, CX_SYS, "%s does not answer like a router", where);
		return NULL;
	}
	body += 4;
	return cx_json_parse(body, b.n - (size_t)(body - b.p), where, e);
}

/* The same service in the other look, or NULL. */
static const json_t *
same(const json_t *list, const json_t *s)
{
	size_t i;
	json_t *o;

	json_array_foreach ((json_t *)list, i, o)
		if (strcmp(cx_json_strd(o, "app", ""), cx_json_strd(s, "app", "")) == 0 &&
			strcmp(cx_json_strd(o, "service", ""), cx_json_strd(s, "service", "")) == 0)
			return o;
	return NULL;
}

static long long
grown(const json_t *s, const json_t *was, const char *key)
{
	long long n = cx_json_int(s, key, 0) - cx_json_int(was, key, 0);

	return n < 0 ? cx_json_int(s, key, 0) : n;
}

static long long
count_at(const json_t *list, json_int_t end)
{
	size_t i;
	json_t *pair;

	json_array_foreach ((json_t *)list, i, pair)
		if (json_integer_value(json_array_get(pair, 0)) == end)
			return json_integer_value(json_array_get(pair, 1));
	return 0;
}

/* The time that this part of the requests since the other look took at most, ms. */
static double
quantile(const json_t *s, const json_t *was, long long requests, double part)
{
	const json_t *now = json_object_get(s, "latency"), *old = json_object_get(was, "latency"), *pair;
	long long sum = 0;
	size_t i;

	json_array_foreach ((json_t *)now, i, pair) {
		json_int_t end = json_integer_value(json_array_get(pair, 0));

		sum += json_integer_value(json_array_get(pair, 1)) - count_at(old, end);
		if ((double)sum >= part * (double)requests)
			return (double)end / 1000;
	}
	return 0;
}

static int
by_rate(const void *a, const void *b)
{
	double x = json_real_value(json_object_get(*(json_t *const *)a, "rate")),
	       y = json_real_value(json_object_get(*(json_t *const *)b, "rate"));

	return x < y ? 1 : x > y ? -1 : 0;
}

static json_t *
service_row(const json_t *s, const json_t *was, double seconds)
{
	long long n = grown(s, was, "requests");

	return json_pack("{s:s,s:s,s:f,s:f,s:f,s:f,s:f,s:f,s:I,s:I,s:I}", "app", cx_json_strd(s, "app", ""), "service",
		cx_json_strd(s, "service", ""), "rate", (double)n / seconds, "errors",
		(double)grown(s, was, "errors") / seconds, "p50_ms", n ? quantile(s, was, n, 0.5) : 0.0, "p99_ms",
		n ? quantile(s, was, n, 0.99) : 0.0, "received", (double)grown(s, was, "received") / seconds, "sent",
		(double)grown(s, was, "sent") / seconds, "active", (json_int_t)cx_json_int(s, "active", 0), "waiting",
		(json_int_t)cx_json_int(s, "waiting", 0), "requests", (json_int_t)cx_json_int(s, "requests", 0));
}

/* {"v":1,"time","connections","services":[...],"backends":[...]}, the busiest first. */
static json_t *
compare(const json_t *was, const json_t *now, double seconds)
{
	const json_t *list = json_object_get(now, "services"), *s;
	json_t **rows = cx_alloc((json_array_size(list) + 1) * sizeof(json_t *)), *out = json_array();
	size_t i, n = 0;

	json_array_foreach ((json_t *)list, i, s) {
		json_t *row = service_row(s, same(json_object_get(was, "services"), s), seconds);

		if (row)
			rows[n++] = row;
	}
	qsort(rows, n, sizeof(json_t *), by_rate);
	for (i = 0; i < n; i++)
		(void)json_array_append_new(out, rows[i]);
	free(rows);
	return json_pack("{s:i,s:s,s:f,s:I,s:f,s:o,s:O}", "v", 1, "time", cx_json_strd(now, "time", ""), "seconds",
		seconds, "connections", (json_int_t)cx_json_int(now, "connections", 0), "accepted",
		(double)grown(now, was, "accepted") / seconds, "services", out, "backends",
		json_object_get(now, "backends"));
}

static void
print_backends(const json_t *list, const json_t *s)
{
	size_t i;
	json_t *k;

	json_array_foreach ((json_t *)list, i, k) {
		int draining = cx_json_true(k, "draining");
		const char *health = cx_json_strd(k, "health", "");

		if (strcmp(cx_json_strd(k, "app", ""), cx_json_strd(s, "app", "")) != 0 ||
			strcmp(cx_json_strd(k, "service", ""), cx_json_strd(s, "service", "")) != 0 ||
			(cx_json_int(k, "requests", 0) == 0 && cx_json_int(k, "failures", 0) == 0))
			continue;
		printf("  %-13.13s %s:%lld  %lld active, %lld requests, %lld failed%s%s%s%s\n",
			cx_json_strd(k, "process", "-"), cx_json_strd(k, "address", ""), cx_json_int(k, "port", 0),
			cx_json_int(k, "active", 0), cx_json_int(k, "requests", 0), cx_json_int(k, "failures", 0),
			strcmp(health, "unhealthy") == 0 ? ", unhealthy: " : "",
			strcmp(health, "unhealthy") == 0 ? cx_json_strd(k, "why", "") : "",
			draining ? ", draining" : "", "");
	}
}

static double
real(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static void
print(const json_t *o, int rows)
{
	const json_t *list = json_object_get(o, "services"), *s;
	size_t i;

	printf("%lld connections, %.0f new a second\n\n", cx_json_int(o, "connections", 0), real(o, "accepted"));
	printf("%-28s %8s %7s %8s %8s %7s %7s %9s %9s\n", "SERVICE", "REQ/S", "5XX/S", "P50 MS", "P99 MS", "ACTIVE",
		"WAITING", "IN B/S", "OUT B/S");
	json_array_foreach ((json_t *)list, i, s) {
		CX_FREE char *name = cx_fmt("%s%s%s", cx_json_strd(s, "service", ""),
			cx_json_str(s, "app")[0] ? "." : "", cx_json_strd(s, "app", ""));

		if (rows && (int)i >= rows)
			break;
		printf("%-28.28s %8.1f %7.1f %8.1f %8.1f %7lld %7lld %9.0f %9.0f\n", name[0] ? name : "(no service)",
			real(s, "rate"), real(s, "errors"), real(s, "p50_ms"), real(s, "p99_ms"),
			cx_json_int(s, "active", 0), cx_json_int(s, "waiting", 0), real(s, "received"),
			real(s, "sent"));
		print_backends(json_object_get(o, "backends"), s);
	}
}

static int
run(const char *where, double seconds, struct cx_err *e)
{
	struct timespec pause = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
	int live = isatty(STDOUT_FILENO) && !cx_json_wanted();
	CX_JSON json_t *was = look(where, e);

	while (was) {
		CX_JSON json_t *now = NULL, *o = NULL;
		struct winsize size = {0};

		while (nanosleep(&pause, &pause) < 0 && errno == EINTR)
			;
		pause = (struct timespec){(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
		now = look(where, e);
		if (!now)
			return -1;
		o = compare(was, now, seconds);
		if (cx_json_wanted()) {
			if (cx_json_print(stdout, o, e) < 0)
				return -1;
			return cx_out_close(e);
		}
		if (!live) {
			print(o, 0);
			return cx_out_close(e);
		}
		(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
		(void)fputs("\033[H\033[J", stdout);
		print(o, size.ws_row > 6 ? size.ws_row - 4 : 0);
		if (fflush(stdout) != 0)
			return cx_err_sys(e, "write");
		json_decref(was);
		was = json_incref(now);
	}
	return -1;
}

int
top_main(int argc, char **argv, const char *usage)
{
	static const struct option longs[] = {{"interval", required_argument, NULL, 'i'},
		{"metrics", required_argument, NULL, 'm'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	CX_FREE char *own = NULL;
	const char *where = NULL;
	double seconds = 1;
	char *end = NULL, path[4096];
	struct cx_err e;

	for (int o; (o = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
		if (o == 'i')
			seconds = strtod(optarg, &end);
		else if (o == 'm')
			where = optarg;
		else {
			(void)fputs(usage, o == 'h' ? stdout : stderr);
			return o == 'h' ? 0 : CX_BAD;
		}
	}
	if (optind != argc || (end && *end) || !(seconds >= 0.1 && seconds <= 3600)) {
		(void)fputs(usage, stderr);
		return CX_BAD;
	}
	if (!where) {
		if (cx_spool_path(path, sizeof(path), &e) < 0)
			return cx_err_report(&e, "cx-router");
		own = cx_fmt("%s/run/router.sock", path);
		where = own;
	}
	return run(where, seconds, &e) < 0 ? cx_err_report(&e, "cx-router") : 0;
}
