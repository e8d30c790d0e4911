/*
 * Publishing survives a crash at any system call: a traced child publishes over an old file and is killed at its
 * k-th system call, for every k until one run ends by itself. After each, the file is the old or the new one, whole.
 */
#include "tap.h"
#include <cx/err.h>
#include <cx/own.h>
#include <cx/spool.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SIZE 100000
#define TRIES 400

static void
fill(char *p, char c)
{
	memset(p, c, SIZE);
}

static _Noreturn void
child(int dir, const char *data)
{
	struct cx_err e;

	(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	(void)raise(SIGSTOP);
	_exit(cx_spool_publish(dir, "f", data, SIZE, 0644, &e) < 0);
}

/* Runs the child to its k-th system call stop and kills it there; 1 when it ended before. */
static int
crash_at(int dir, const char *data, int k)
{
	pid_t pid = fork();
	int st;

	if (pid == 0)
		child(dir, data);
	(void)waitpid(pid, &st, 0);
	for (int i = 0; i < k; i++) {
		(void)ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		(void)waitpid(pid, &st, 0);
		if (WIFEXITED(st))
			return 1;
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, &st, 0);
	return 0;
}

/* 'o' or 'n' when the file is whole, else 0. */
static char
content(int dir)
{
	static char buf[SIZE + 1];
	CX_CLOSE int fd = openat(dir, "f", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, buf, sizeof(buf));

	for (ssize_t i = 1; i < n; i++)
		if (buf[i] != buf[0])
			return 0;
	return n == SIZE && (buf[0] == 'o' || buf[0] == 'n') ? buf[0] : 0;
}

int
main(void)
{
	static char old[SIZE], new[SIZE];
	char path[] = "/tmp/cx-publish-XXXXXX", seen_old = 0, seen_new = 0;
	int dir, k, whole = 1, ended = 0;
	struct cx_err e;
	struct stat st;

	fill(old, 'o');
	fill(new, 'n');
	if (!mkdtemp(path) || (dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return 111;
	for (k = 1; k < TRIES && !ended; k++) {
		char c;

		if (cx_spool_publish(dir, "f", old, SIZE, 0640, &e) < 0)
			return cx_err_report(&e, "publish");
		ended = crash_at(dir, new, k);
		c = content(dir);
		whole = whole && c;
		seen_old |= c == 'o';
		seen_new |= c == 'n' && !ended;
	}
	ok(ended, "publish: was killed at each of its system calls in turn, until a run ended by itself");
	ok(k > 10, "publish: that was more than ten of them");
	ok(whole, "publish: after each kill the file is whole, old or new");
	ok(seen_old && seen_new, "publish: both outcomes were seen");
	ok(fstatat(dir, "f", &st, 0) == 0 && (st.st_mode & 0777) == 0644, "publish: the mode is the one asked for");
	CX_JSON json_t *names = cx_spool_list(dir, ".", &e);
	ok(json_array_size(names) == 1, "publish: readers do not see the temporaries of killed writers");
	ok(cx_spool_remove(AT_FDCWD, path, &e) == 0, "remove: takes a tree away");
	return done();
}
