#include "edit.h"
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/spool.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

static int
in_memory(const char *dir)
{
	struct statfs fs;

	return dir && *dir && statfs(dir, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC) &&
	       access(dir, W_OK) == 0;
}

static int
make_dir(struct edit *d, struct cx_err *e)
{
	const char *const places[] = {getenv("XDG_RUNTIME_DIR"), "/dev/shm", "/run", getenv("TMPDIR"), "/tmp"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (!in_memory(places[i]))
			continue;
		(void)snprintf(d->dir, sizeof(d->dir), "%.200s/cx-env.XXXXXX", places[i]);
		if (!mkdtemp(d->dir))
			return cx_err_sys(e, "make a folder in %s", places[i]);
		(void)snprintf(d->file, sizeof(d->file), "%s/env", d->dir);
		return 0;
	}
	(void)cx_err_set(e, CX_SYS, "no file system in memory to edit secrets on");
	return cx_err_hint(e, "mount one (tmpfs at /dev/shm), or use: cx env set < FILE");
}

/* In a session of its own, so that no key of the terminal ends it. */
static _Noreturn void
guard(const char *dir, int alive)
{
	struct cx_err ignore;
	char c;

	(void)setsid();
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	for (int i = 0; i < 3; i++)
		close(i);
	while (read(alive, &c, 1) < 0 && errno == EINTR)
		;
	_exit(cx_spool_remove(AT_FDCWD, dir, &ignore) < 0);
}

int
edit_begin(struct edit *d, const struct cx_buf *text, struct cx_err *e)
{
	CX_CLOSE int fd = -1;
	int p[2];

	d->alive = d->guardian = -1;
	if (pipe2(p, O_CLOEXEC) < 0)
		return cx_err_sys(e, "make a pipe");
	d->alive = p[1];
	if (make_dir(d, e) < 0) {
		close(p[0]);
		return -1;
	}
	d->guardian = fork();
	if (d->guardian == 0) {
		close(p[1]);
		guard(d->dir, p[0]);
	}
	close(p[0]);
	if (d->guardian < 0) {
		(void)cx_err_sys(e, "fork");
		(void)rmdir(d->dir);
		return -1;
	}
	fd = open(d->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return cx_err_sys(e, "create %s", d->file);
	return cx_write_all(fd, text->p, text->n, e);
}

int
edit_run(struct edit *d, struct cx_buf *text, size_t max, struct cx_err *e)
{
	const char *editor = getenv("VISUAL");
	CX_FREE char *command = NULL;
	CX_CLOSE int fd = -1;
	struct cx_child c = {.in = 0, .out = 1, .err = 2};
	const char *argv[] = {"/bin/sh", "-c", NULL, "sh", d->file, NULL};
	void (*old)(int);
	int st;

	if (!editor || !*editor)
		editor = getenv("EDITOR");
	if (!editor || !*editor)
		editor = "vi";
	command = cx_fmt("%s \"$1\"", editor);
	argv[2] = command;
	/* Spawned with the signal's default action, and ignored here from then on: it is the editor's. */
	if (cx_spawn(&c, argv, NULL, e) < 0)
		return -1;
	old = signal(SIGINT, SIG_IGN);
	st = cx_wait(&c);
	(void)signal(SIGINT, old);
	if (st != 0) {
		(void)cx_err_set(e, CX_NO, "the editor \"%s\" ended with status %d; nothing is changed", editor, st);
		return cx_err_hint(e, "EDITOR names another one");
	}
	fd = open(d->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return cx_err_sys(e, "open %s", d->file);
	text->n = 0;
	return cx_buf_read(text, fd, max, "the edited environment", e);
}

void
edit_end(struct edit *d)
{
	if (d->alive >= 0)
		close(d->alive);
	if (d->guardian > 0)
		(void)waitpid(d->guardian, NULL, 0);
	d->alive = d->guardian = -1;
}
