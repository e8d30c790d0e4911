#include <ctype.h>
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/spool.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static int
self_dir(char *buf, size_t n)
{
	ssize_t r = readlink("/proc/self/exe", buf, n - 1);
	char *slash;

	if (r <= 0)
		return -1;
	buf[r] = '\0';
	slash = strrchr(buf, '/');
	if (!slash)
		return -1;
	*slash = '\0';
	return 0;
}

static int
in_dir(const char *dir, size_t len, const char *prog, char *buf, size_t n)
{
	int r;

	if (len == 0)
		return 0;
	r = snprintf(buf, n, "%.*s/%s", (int)len, dir, prog);
	return r > 0 && (size_t)r < n && access(buf, X_OK) == 0;
}

static int
in_list(const char *list, const char *prog, char *buf, size_t n)
{
	for (const char *p = list; p && *p;) {
		size_t len = strcspn(p, ":");

		if (in_dir(p, len, prog, buf, n))
			return 1;
		p += len + (p[len] == ':');
	}
	return 0;
}

int
cx_find(const char *prog, char *buf, size_t n, struct cx_err *e)
{
	char self[4096];

	if (strchr(prog, '/')) {
		(void)snprintf(buf, n, "%s", prog);
		return 0;
	}
	if (in_list(getenv("CX_EXEC_PATH"), prog, buf, n))
		return 0;
	if (self_dir(self, sizeof(self)) == 0 && in_dir(self, strlen(self), prog, buf, n))
		return 0;
	if (in_list(getenv("PATH"), prog, buf, n))
		return 0;
	(void)cx_err_set(e, CX_BAD, "%s: no such program", prog);
	return cx_err_hint(e, "it is looked for in CX_EXEC_PATH, beside cx, and in PATH");
}

int
cx_share(const char *rel, char *buf, size_t n, struct cx_err *e)
{
	const char *share = getenv("CX_SHARE");
	char self[4096];
	int r;

	if (share && *share)
		r = snprintf(buf, n, "%s/%s", share, rel);
	else if (self_dir(self, sizeof(self)) == 0)
		r = snprintf(buf, n, "%s/../share/cx/%s", self, rel);
	else
		return cx_err_sys(e, "find the folder of this program");
	if (r < 0 || (size_t)r >= n)
		return cx_err_set(e, CX_BAD, "the path of %s is too long", rel);
	return 0;
}

static int
open_stdio(int want, int child_is_reader, int *ours, int *theirs, struct cx_err *e)
{
	int p[2];

	*ours = -1;
	if (want == CX_PIPE) {
		if (pipe2(p, O_CLOEXEC) < 0)
			return cx_err_sys(e, "make a pipe");
		*ours = p[child_is_reader ? 1 : 0];
		*theirs = p[child_is_reader ? 0 : 1];
		return 0;
	}
	*theirs = want >= 0 ? fcntl(want, F_DUPFD_CLOEXEC, 10) : open("/dev/null", O_RDWR | O_CLOEXEC);
	return *theirs < 0 ? cx_err_sys(e, "prepare a child's descriptors") : 0;
}

static int
is_set_in(const char *const env[], const char *entry)
{
	size_t n = strcspn(entry, "=") + 1;

	for (; *env; env++)
		if (strncmp(*env, entry, n) == 0)
			return 1;
	return 0;
}

/* The environment with the additions; the array alone is to be freed. */
static char **
environment(const char *const env[])
{
	size_t n = 0, k = 0;
	char **all;

	while (environ[n])
		n++;
	for (size_t i = 0; env[i]; i++)
		n++;
	all = cx_alloc((n + 1) * sizeof(*all));
	for (char **p = environ; *p; p++)
		if (!is_set_in(env, *p))
			all[k++] = *p;
	for (; *env; env++)
		all[k++] = (char *)*env;
	return all;
}

/* posix_spawn, since a fork copies page tables that exec throws away; it also tells why exec failed. */
static int
start(pid_t *pid, const char *path, const char *const argv[], const char *const env[], const int fds[3], int pass)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	char **all = env ? environment(env) : environ;
	sigset_t none, dflt;
	int err;

	(void)sigemptyset(&none);
	(void)sigemptyset(&dflt);
	(void)sigaddset(&dflt, SIGPIPE);
	(void)posix_spawn_file_actions_init(&files);
	(void)posix_spawnattr_init(&attr);
	err = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (!err)
		err = posix_spawnattr_setsigmask(&attr, &none);
	if (!err)
		err = posix_spawnattr_setsigdefault(&attr, &dflt);
	for (int i = 0; i < 3 && !err; i++)
		err = posix_spawn_file_actions_adddup2(&files, fds[i], i);
	/* With pass == 3 this only clears close-on-exec. */
	if (!err && pass > 0)
		err = posix_spawn_file_actions_adddup2(&files, pass, 3);
	if (!err)
		err = posix_spawn(pid, path, &files, &attr, (char *const *)argv, all);
	(void)posix_spawn_file_actions_destroy(&files);
	(void)posix_spawnattr_destroy(&attr);
	if (env)
		free(all);
	return err;
}

int
cx_spawn(struct cx_child *c, const char *const argv[], const char *const env[], struct cx_err *e)
{
	char path[4096];
	int want[3] = {c->in, c->out, c->err}, ours[3] = {-1, -1, -1}, theirs[3] = {-1, -1, -1};
	int bad;

	c->pid = -1;
	bad = cx_find(argv[0], path, sizeof(path), e) < 0;
	for (int i = 0; i < 3 && !bad; i++)
		bad = open_stdio(want[i], i == 0, &ours[i], &theirs[i], e) < 0;
	if (!bad) {
		errno = start(&c->pid, path, argv, env, theirs, c->pass);
		if (errno)
			bad = cx_err_sys(e, "run %s", path) < 0;
	}
	for (int i = 0; i < 3; i++)
		if (theirs[i] >= 0)
			close(theirs[i]);
	c->in = ours[0];
	c->out = ours[1];
	c->err = ours[2];
	for (int i = 0; bad && i < 3; i++)
		if (ours[i] >= 0)
			close(ours[i]);
	return bad ? -1 : 0;
}

int
cx_wait(struct cx_child *c)
{
	int st;

	cx_own_close(&c->in);
	cx_own_close(&c->out);
	cx_own_close(&c->err);
	c->in = c->out = c->err = -1;
	while (waitpid(c->pid, &st, 0) < 0)
		if (errno != EINTR)
			return CX_SYS;
	return WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st);
}

/* Feeds and drains at once, so that neither side can block the other. */
static int
pump(struct cx_child *c, const char *in, size_t n, struct cx_buf *out, size_t max, struct cx_err *e)
{
	while (c->out >= 0) {
		struct pollfd p[2] = {{.fd = c->out, .events = POLLIN}, {.fd = n ? c->in : -1, .events = POLLOUT}};
		ssize_t r;

		if (!n && c->in >= 0) {
			close(c->in);
			c->in = -1;
		}
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return cx_err_sys(e, "poll");
		if (p[1].revents) {
			r = write(c->in, in, n > 4096 ? 4096 : n);
			if (r < 0 && errno == EPIPE)
				n = 0;
			else if (r > 0) {
				in += r;
				n -= (size_t)r;
			}
		}
		if (!p[0].revents)
			continue;
		r = read(c->out, cx_buf_room(out, 65536), 65536);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return 0;
		out->n += (size_t)r;
		out->p[out->n] = '\0';
		if (out->n > max)
			return cx_err_set(e, CX_BAD, "a program printed more than %zu bytes", max);
	}
	return 0;
}

int
cx_run(const char *const argv[], const char *const env[], const void *in, size_t n, struct cx_buf *out, size_t max,
	struct cx_err *e)
{
	struct cx_child c = {.in = in ? CX_PIPE : -1, .out = CX_PIPE, .err = 2, .pass = -1};
	void (*old)(int) = signal(SIGPIPE, SIG_IGN);
	int bad, st;

	if (cx_spawn(&c, argv, env, e) < 0) {
		(void)signal(SIGPIPE, old);
		return -1;
	}
	bad = pump(&c, in, n, out, max, e) < 0;
	st = cx_wait(&c);
	(void)signal(SIGPIPE, old);
	return bad ? -1 : st;
}

int
cx_exec(const char *const argv[], struct cx_err *e)
{
	char path[4096];

	if (cx_find(argv[0], path, sizeof(path), e) < 0)
		return -1;
	(void)execv(path, (char *const *)argv);
	return cx_err_sys(e, "run %s", path);
}

void
cx_ready(void)
{
	const char *s = getenv("CX_READY_FD");
	int fd = s ? atoi(s) : 0;

	if (fd < 3)
		return;
	(void)!write(fd, "\n", 1);
	close(fd);
	(void)unsetenv("CX_READY_FD");
}

/* One global option at argv[i]: how many words it takes, 0 when it is none, -1 on error. */
static int
global_option(char **argv, int i, struct cx_err *e)
{
	static const struct {
		const char *shrt, *lng, *env;
	} opts[] = {{"-a", "--app", "CX_APP"}, {NULL, "--rack", "CX_RACK"}, {"-C", NULL, NULL}};
	const char *w = argv[i], *v;

	if (strcmp(w, "--json") == 0)
		return setenv("CX_JSON", "1", 1) == 0 ? 1 : cx_err_sys(e, "setenv");
	for (size_t k = 0; k < sizeof(opts) / sizeof(opts[0]); k++) {
		size_t ln = opts[k].lng ? strlen(opts[k].lng) : 0;
		int words = 2;

		if (ln && strncmp(w, opts[k].lng, ln) == 0 && w[ln] == '=') {
			v = w + ln + 1;
			words = 1;
		} else if ((ln && strcmp(w, opts[k].lng) == 0) || (opts[k].shrt && strcmp(w, opts[k].shrt) == 0)) {
			v = argv[i + 1];
		} else {
			continue;
		}
		if (!v || !*v)
			return cx_err_set(e, CX_BAD, "%s needs a value", w);
		if (!opts[k].env)
			return chdir(v) == 0 ? words
					     : (cx_err_sys(e, "change to directory %s", v), e->cls = CX_BAD, -1);
		if (cx_name_check(k == 0 ? "app" : "rack", v, e) < 0)
			return -1;
		return setenv(opts[k].env, v, 1) == 0 ? words : cx_err_sys(e, "setenv");
	}
	return 0;
}

int
cx_globals(int *argc, char **argv, int stop, struct cx_err *e)
{
	int out = 1, operands = 0, i = 1;

	while (i < *argc && strcmp(argv[i], "--") != 0 && (!stop || operands < stop)) {
		int n = global_option(argv, i, e);

		if (n < 0)
			return -1;
		if (n == 0) {
			operands += argv[i][0] != '-';
			argv[out++] = argv[i++];
		}
		i += n;
	}
	while (i < *argc)
		argv[out++] = argv[i++];
	argv[out] = NULL;
	*argc = out;
	return 0;
}

int
cx_app_name(char buf[64], struct cx_err *e)
{
	const char *app = getenv("CX_APP"), *base;
	char cwd[4096];
	size_t n = 0;

	if (app && *app) {
		if (cx_name_check("app", app, e) < 0)
			return -1;
		(void)snprintf(buf, 64, "%s", app);
		return 0;
	}
	if (!getcwd(cwd, sizeof(cwd)))
		return cx_err_sys(e, "find the working directory");
	base = strrchr(cwd, '/') + 1;
	for (; *base && n < 40; base++) {
		unsigned char c = (unsigned char)tolower((unsigned char)*base);

		if ((c >= 'a' && c <= 'z') || (n > 0 && c >= '0' && c <= '9'))
			buf[n++] = (char)c;
		else if (n > 0 && buf[n - 1] != '-')
			buf[n++] = '-';
	}
	while (n > 0 && buf[n - 1] == '-')
		n--;
	buf[n] = '\0';
	if (n == 0) {
		(void)cx_err_set(e, CX_BAD, "the directory name \"%s\" gives no app name", cwd);
		return cx_err_hint(e, "name the app with -a NAME");
	}
	return 0;
}

int
cx_json_wanted(void)
{
	const char *v = getenv("CX_JSON");

	return v && strcmp(v, "1") == 0;
}
