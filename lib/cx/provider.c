#include <cx/buf.h>
#include <cx/err.h>
#include <cx/event.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/provider.h>
#include <cx/spool.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#define ARGS_MAX 24
#define LINE_MAX_BYTES ((size_t)4 << 20)

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* argv = the provider's program, then args. name holds 64. */
static int
command(const char *const args[], const char *argv[ARGS_MAX], char name[64], struct cx_err *e)
{
	const char *p = getenv("CX_PROVIDER");
	size_t n = 1;

	if (!p || !*p)
		p = "local";
	if (cx_name_check("provider", p, e) < 0)
		return -1;
	(void)snprintf(name, 64, "cx-provider-%s", p);
	argv[0] = name;
	for (; *args; args++) {
		if (n == ARGS_MAX - 1)
			return cx_err_set(e, CX_BAD, "too many arguments");
		argv[n++] = *args;
	}
	argv[n] = NULL;
	return 0;
}

static int
said_why(int status, struct cx_err *e)
{
	(void)cx_err_set(e, CX_SYS, "%s", "");
	e->cls = (enum cx_err_class)status;
	return -1;
}

json_t *
cx_provider_ask(const char *const args[], const json_t *in, struct cx_err *e)
{
	CX_BUF struct cx_buf out = {0};
	const char *argv[ARGS_MAX];
	char name[64];
	CX_FREE char *text = in ? cx_json_text(in) : NULL;
	int st;

	if (command(args, argv, name, e) < 0)
		return NULL;
	st = cx_run(argv, NULL, text, text ? strlen(text) : 0, &out, CX_JSON_MAX, e);
	if (text)
		explicit_bzero(text, strlen(text));
	if (st > 0)
		(void)said_why(st, e);
	return st == 0 ? cx_json_parse(cx_buf_str(&out), out.n, name, e) : NULL;
}

int
cx_provider_exec(const char *const args[], struct cx_err *e)
{
	const char *argv[ARGS_MAX];
	char name[64];

	return command(args, argv, name, e) < 0 ? -1 : cx_exec(argv, e);
}

/* A line that is no event is a provider's mistake, and no reason to stop following. */
static void
hand_out(const char *line, size_t n, void (*seen)(void *arg, const json_t *event), void *arg)
{
	struct cx_err bad;
	CX_JSON json_t *ev = cx_json_parse(line, n, "an event", &bad);

	if (json_is_object(ev))
		seen(arg, ev);
}

/* 0 at the end of the stream, 130 when interrupted. */
static int
read_all(int fd, void (*seen)(void *arg, const json_t *event), void *arg, struct cx_err *e)
{
	CX_BUF struct cx_buf b = {0};

	while (!interrupted) {
		ssize_t n = read(fd, cx_buf_room(&b, 65536), 65536);
		char *nl;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cx_err_sys(e, "read events");
		if (n == 0)
			return 0;
		b.n += (size_t)n;
		while ((nl = memchr(b.p, '\n', b.n))) {
			hand_out(b.p, (size_t)(nl - b.p), seen, arg);
			cx_buf_eat(&b, (size_t)(nl - b.p) + 1);
		}
		if (b.n > LINE_MAX_BYTES)
			return cx_err_set(e, CX_BAD, "an event is larger than %zu bytes", LINE_MAX_BYTES);
	}
	return 130;
}

int
cx_provider_events(const char *const args[], void (*seen)(void *arg, const json_t *event), void *arg, struct cx_err *e)
{
	struct sigaction act = {.sa_handler = on_interrupt}, old;
	struct cx_child c = {.in = -1, .out = CX_PIPE, .err = 2};
	const char *argv[ARGS_MAX];
	char name[64];
	int r, st;

	if (command(args, argv, name, e) < 0 || cx_spawn(&c, argv, NULL, e) < 0)
		return -1;
	interrupted = 0;
	(void)sigaction(SIGINT, &act, &old);
	r = read_all(c.out, seen, arg, e);
	if (r != 0)
		(void)kill(c.pid, SIGTERM);
	st = cx_wait(&c);
	(void)sigaction(SIGINT, &old, NULL);
	/* The terminal interrupts the child as well, and its end may be seen first. */
	if (interrupted)
		return 130;
	return r == 0 && st != 0 ? said_why(st, e) : r;
}

struct drawing {
	struct cx_display *display;
	json_t *last;
};

static void
draw(void *arg, const json_t *event)
{
	struct drawing *d = arg;

	cx_display_event(d->display, event);
	json_decref(d->last);
	d->last = json_incref((json_t *)event);
}

int
cx_provider_watch(const char *const args[], json_t **last, struct cx_err *e)
{
	struct drawing d = {.display = cx_display_new()};
	int r = cx_provider_events(args, draw, &d, e);

	cx_display_free(d.display);
	if (last)
		*last = d.last;
	else
		json_decref(d.last);
	return r;
}

static int
detached(const char *release, const char *app)
{
	if (!cx_json_wanted())
		(void)fprintf(stderr,
			"cx: no longer following; the promotion of %s goes on without this terminal\n"
			"  hint: follow it again with: cx releases logs %s -f -a %s\n",
			release, release, app);
	return 130;
}

/* The status is the exit status; the error says no more than the events did not. */
static int
outcome(const char *release, const char *app, const json_t *last, struct cx_err *e)
{
	if (strcmp(cx_json_strd(last, "at", ""), "release") == 0 &&
		strcmp(cx_json_strd(last, "state", ""), "done") == 0)
		return 0;
	(void)cx_err_set(e, CX_NO, "%s did not become active; what was active before still is", release);
	return cx_err_hint(e, "see it again with: cx releases logs %s -a %s", release, app);
}

int
cx_provider_promote(const char *release, json_t **result, struct cx_err *e)
{
	CX_JSON json_t *p = NULL, *last = NULL;
	const char *attempt;
	char app[64];
	int r;

	if (cx_app_name(app, e) < 0)
		return -1;
	p = cx_provider_ask((const char *[]){"release", "promote", release, NULL}, NULL, e);
	attempt = cx_json_str(p, "attempt");
	release = cx_json_str(p, "release");
	if (!p)
		return -1;
	if (!release || !attempt)
		return cx_err_set(e, CX_SYS, "the provider did not say which promotion it began");
	r = cx_provider_watch(
		(const char *[]){"release", "events", release, "--follow", "--attempt", attempt, NULL}, &last, e);
	if (r == 130)
		return detached(release, app);
	if (r < 0)
		return -1;
	r = outcome(release, app, last, e);
	if (result)
		*result = json_pack("{s:s,s:s}", "id", release, "status", r == 0 ? "active" : "failed");
	return r;
}

int
cx_provider_promote_print(const char *release, struct cx_err *e)
{
	CX_JSON json_t *result = NULL, *out = NULL;
	struct cx_err pe;
	int r = cx_provider_promote(release, &result, e);

	if (!result || !cx_json_wanted())
		return r;
	out = json_pack("{s:i,s:O}", "v", 1, "release", result);
	return cx_json_print(stdout, out, r == 0 ? e : &pe) < 0 ? -1 : r;
}
