#include "local.h"
#include "process.h"
#include "session.h"
#include <cx/err.h>
#include <cx/own.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

struct exec {
	struct local *l;
	const char *container;
	char *id; /* of the exec */
	int not_found;
};

static json_t *
inspect(const struct exec *x, struct cx_err *e)
{
	CX_FREE char *path = cx_fmt("/exec/%s/json", x->id);

	return cx_engine_call(x->l->en, "GET", path, NULL, e);
}

/* True when both processes are in one PID namespace, that is, the first is in the container. */
static int
same_namespace(long long a, long long b)
{
	CX_FREE char *pa = cx_fmt("/proc/%lld/ns/pid", a), *pb = cx_fmt("/proc/%lld/ns/pid", b);
	struct stat sa, sb;

	return stat(pa, &sa) == 0 && stat(pb, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/*
 * The engine has no call to signal an exec'd process, which would live on when
 * its connection is closed. Its PID is known: a descriptor of it is held before
 * the check, so that a reused number cannot be hit.
 */
static void
deliver(void *arg, int sig)
{
	const struct exec *x = arg;
	struct cx_err ignore;
	CX_FREE char *path = cx_fmt("/containers/%s/json", x->container);
	CX_JSON json_t *info = inspect(x, &ignore), *c = cx_engine_call(x->l->en, "GET", path, NULL, &ignore);
	long long pid = cx_json_int(info, "Pid", 0), init = cx_json_int(json_object_get(c, "State"), "Pid", 0);
	CX_CLOSE int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1;

	if (fd < 0 || init <= 0 || !cx_json_true(info, "Running") || !same_namespace(pid, init) ||
		syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0) < 0)
		fputs("cx-local-engine: the signal could not be passed on; the command may still run\n", stderr);
}

/* What runc says when it cannot run the command comes as output, and with status 126 in all cases. */
static int
is_talk(void *arg, const char *p, size_t n)
{
	static const char start[] = "OCI runtime exec failed";
	struct exec *x = arg;

	if (n < sizeof(start) - 1 || memcmp(p, start, sizeof(start) - 1) != 0)
		return 0;
	x->not_found = memmem(p, n, "executable file not found", 25) || memmem(p, n, "no such file or directory", 25);
	return 1;
}

static int
exec_create(struct exec *x, int tty, json_t *cmd, struct cx_err *e)
{
	CX_FREE char *path = cx_fmt("/containers/%s/exec", x->container);
	CX_FREE char *term = cx_fmt("TERM=%s", getenv("TERM") ? getenv("TERM") : "xterm");
	CX_JSON json_t *body = json_pack("{s:b,s:b,s:b,s:b,s:O}", "AttachStdin", 1, "AttachStdout", 1, "AttachStderr",
		1, "Tty", tty, "Cmd", cmd);
	CX_JSON json_t *reply = NULL;

	if (tty)
		(void)json_object_set_new(body, "Env", json_pack("[s]", term));
	reply = cx_engine_call(x->l->en, "POST", path, body, e);
	if (!reply)
		return -1;
	if (!cx_json_str(reply, "Id"))
		return cx_err_set(e, CX_SYS, "the container engine gave no ID");
	x->id = cx_strdup(cx_json_str(reply, "Id"));
	return 0;
}

/* The stream ends a moment before the engine knows the status. */
static int
exit_status(const struct exec *x, struct cx_err *e)
{
	const struct timespec pause = {.tv_nsec = 10000000};

	for (int tries = 0; tries < 500; tries++) {
		CX_JSON json_t *info = inspect(x, e);

		if (!info)
			return -1;
		if (!cx_json_true(info, "Running") && json_is_integer(json_object_get(info, "ExitCode")))
			return x->not_found ? 127 : (int)(cx_json_int(info, "ExitCode", 125) & 0xff);
		(void)nanosleep(&pause, NULL);
	}
	return cx_err_set(e, CX_SYS, "the connection ended, but the command still runs");
}

static int
attended(struct exec *x, int tty, int signals, struct cx_err *e)
{
	CX_FREE char *path = cx_fmt("/exec/%s/start", x->id), *size = cx_fmt("/exec/%s/resize", x->id);
	CX_JSON json_t *body = json_pack("{s:b,s:b}", "Detach", 0, "Tty", tty);
	CX_BUF struct cx_buf rest = {0};
	CX_CLOSE int sock = cx_engine_hijack(x->l->en, path, body, &rest, e);
	struct session s = {.en = x->l->en,
		.sock = sock,
		.tty = tty,
		.rest = &rest,
		.resize_path = size,
		.deliver = deliver,
		.arg = x,
		.is_talk = is_talk};
	int broken;

	if (sock < 0)
		return -1;
	broken = session_run(&s, signals, e);
	return broken ? broken : exit_status(x, e);
}

int
verb_exec(struct local *l, int argc, char **argv, struct cx_err *e)
{
	int i = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1, tty = session_is_terminal(), signals, st;
	CX_JSON json_t *found = NULL, *cmd = NULL;
	struct exec x = {.l = l};

	if (argc - i < 2 || argv[i][0] == '-')
		return usage_error(e, "process exec needs a process and a command");
	cmd = command_words(argv + i + 1 + (strcmp(argv[i + 1], "--") == 0));
	if (json_array_size(cmd) == 0)
		return cmd ? usage_error(e, "process exec needs a command")
			   : cx_err_set(e, CX_BAD, "an argument is not valid UTF-8");
	found = process_find(l, argv[i], 1, e);
	if (!found)
		return -1;
	x.container = cx_json_strd(json_array_get(found, 0), "Id", "");
	signals = session_signals(e);
	if (signals < 0 || exec_create(&x, tty, cmd, e) < 0)
		return -1;
	st = attended(&x, tty, signals, e);
	free(x.id);
	close(signals);
	return st;
}
