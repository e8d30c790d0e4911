#include "session.h"
#include <cx/err.h>
#include <cx/json.h>
#include <cx/own.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>

/* How long the remote process may take to obey a signal before it is killed, and to die then. */
#define OBEY_MS 10000
#define DIE_MS 5000
/* An exec's stream is there before its terminal. */
#define RESIZE_TRIES 100
#define RESIZE_PAUSE_MS 20

struct pump {
	struct session *s;
	struct cx_demux demux;
	struct cx_buf to; /* bytes on their way to the container */
	int in_open, write_open, talk, first_seen;
	int asked, broken; /* the first signal passed on; 128 + signal once it was killed */
	int failed; /* errno of a write to stdout or stderr */
	int resize_tries;
	long long deadline;
};

static struct termios saved;
static int is_raw;

int
session_is_terminal(void)
{
	return isatty(0) && isatty(1);
}

static void
restore(void)
{
	if (is_raw)
		(void)tcsetattr(0, TCSADRAIN, &saved);
	is_raw = 0;
}

static int
make_raw(struct cx_err *e)
{
	struct termios t;

	if (tcgetattr(0, &saved) < 0)
		return cx_err_sys(e, "read the terminal's mode");
	t = saved;
	cfmakeraw(&t);
	if (atexit(restore) != 0 || tcsetattr(0, TCSADRAIN, &t) < 0)
		return cx_err_sys(e, "set the terminal's mode");
	is_raw = 1;
	return 0;
}

static long long
now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int
session_signals(struct cx_err *e)
{
	static const int sigs[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGWINCH};
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		(void)sigaddset(&set, sigs[i]);
	(void)signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return cx_err_sys(e, "block signals");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? cx_err_sys(e, "signalfd") : fd;
}

const char *
session_signal_name(int sig)
{
	const char *name = sigabbrev_np(sig);

	return name ? name : "TERM";
}

/* 0: the remote terminal is not there yet. */
static int
resize(struct session *s)
{
	struct winsize w;
	struct cx_err ignore;
	CX_FREE char *path = NULL;

	CX_JSON json_t *reply = NULL;

	if (!s->tty || ioctl(1, TIOCGWINSZ, &w) < 0 || w.ws_row == 0 || w.ws_col == 0)
		return 1;
	path = cx_fmt("%s?h=%u&w=%u", s->resize_path, w.ws_row, w.ws_col);
	reply = cx_engine_call(s->en, "POST", path, NULL, &ignore);
	return reply != NULL;
}

static int
output(void *arg, int stream, const char *p, size_t n)
{
	struct pump *u = arg;
	const char *end = p + n;

	if (!u->first_seen && u->s->is_talk)
		u->talk = u->s->is_talk(u->s->arg, p, n);
	u->first_seen = 1;
	while (p < end) {
		ssize_t r = write(stream == 2 || u->talk ? 2 : 1, p, (size_t)(end - p));

		if (r < 0 && errno == EAGAIN) {
			struct pollfd pf = {.fd = stream == 2 ? 2 : 1, .events = POLLOUT};

			(void)poll(&pf, 1, -1);
		} else if (r < 0 && errno != EINTR) {
			u->failed = errno;
			return 1;
		} else if (r > 0) {
			p += r;
		}
	}
	return 0;
}

static int
deliver_output(struct pump *u, const char *p, size_t n, struct cx_err *e)
{
	int rc = u->s->tty ? output(u, 1, p, n) : cx_demux(&u->demux, p, n, output, u, e);

	if (rc <= 0)
		return rc;
	errno = u->failed;
	return errno == EPIPE ? 128 + SIGPIPE : cx_err_sys(e, "write the output");
}

/* The first signal is passed on; a second one, or no end in time, kills. */
static void
pass_signal(struct pump *u, int sig)
{
	if (u->broken)
		return;
	if (!u->asked) {
		u->asked = sig;
		u->deadline = now_ms() + OBEY_MS;
		u->s->deliver(u->s->arg, sig);
		return;
	}
	u->broken = 128 + u->asked;
	u->deadline = now_ms() + DIE_MS;
	u->s->deliver(u->s->arg, SIGKILL);
}

static void
take_signals(struct pump *u, int fd)
{
	struct signalfd_siginfo si;

	while (read(fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGWINCH)
			u->resize_tries = RESIZE_TRIES;
		else
			pass_signal(u, (int)si.ssi_signo);
	}
}

static void
read_stdin(struct pump *u)
{
	ssize_t n = read(0, cx_buf_room(&u->to, 32768), 32768);

	if (n > 0)
		u->to.n += (size_t)n;
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		u->in_open = 0;
}

static void
send_stdin(struct pump *u)
{
	ssize_t n;

	if (u->to.n) {
		n = send(u->s->sock, u->to.p, u->to.n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0)
			cx_buf_eat(&u->to, (size_t)n);
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			u->in_open = u->write_open = 0;
	}
	if (u->to.n == 0 && !u->in_open && u->write_open) {
		(void)shutdown(u->s->sock, SHUT_WR);
		u->write_open = 0;
	}
}

/* One turn; 1: the container closed the connection. */
static int
turn(struct pump *u, int signals, struct cx_err *e)
{
	struct pollfd p[3] = {{.fd = signals, .events = POLLIN}, {.fd = u->s->sock, .events = POLLIN},
		{.fd = u->in_open && u->to.n == 0 ? 0 : -1, .events = POLLIN}};
	long long left = u->deadline ? u->deadline - now_ms() : -1;
	char buf[32768];
	ssize_t n;
	int rc;

	if (u->write_open && (u->to.n || !u->in_open))
		p[1].events |= POLLOUT;
	if (u->deadline && left <= 0) {
		if (u->broken)
			return 1;
		pass_signal(u, SIGKILL);
		return 0;
	}
	if (u->resize_tries)
		u->resize_tries = resize(u->s) ? 0 : u->resize_tries - 1;
	if (u->resize_tries && (left < 0 || left > RESIZE_PAUSE_MS))
		left = RESIZE_PAUSE_MS;
	if (poll(p, 3, (int)left) < 0)
		return errno == EINTR ? 0 : cx_err_sys(e, "poll");
	if (p[0].revents)
		take_signals(u, signals);
	if (p[2].revents)
		read_stdin(u);
	if (p[1].revents & POLLOUT)
		send_stdin(u);
	if (!(p[1].revents & (POLLIN | POLLHUP | POLLERR)))
		return 0;
	n = read(u->s->sock, buf, sizeof(buf));
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : cx_err_sys(e, "read from the container engine");
	if (n == 0)
		return 1;
	rc = deliver_output(u, buf, (size_t)n, e);
	if (rc > 0) {
		u->broken = rc;
		/* Unread output would hold up the end of the process, and the engine's answer to the signal with it. */
		(void)shutdown(u->s->sock, SHUT_RDWR);
		u->s->deliver(u->s->arg, SIGKILL);
		return 1;
	}
	return rc;
}

int
session_run(struct session *s, int signals, struct cx_err *e)
{
	struct pump u = {.s = s, .in_open = 1, .write_open = 1, .resize_tries = RESIZE_TRIES};
	int rc = 0;

	if (s->tty && make_raw(e) < 0)
		return -1;
	if (s->rest->n)
		rc = deliver_output(&u, s->rest->p, s->rest->n, e);
	while (rc == 0)
		rc = turn(&u, signals, e);
	restore();
	cx_buf_free(&u.to);
	return rc < 0 ? -1 : u.broken;
}
