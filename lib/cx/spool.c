#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <cx/spool.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

static const char *
nonempty_env(const char *name)
{
	const char *v = getenv(name);

	return v && *v ? v : NULL;
}

static int
refuse_url(struct cx_err *e)
{
	(void)cx_err_set(e, CX_BAD, "RACK_URL names a remote rack, which this version cannot reach");
	return cx_err_hint(e, "unset RACK_URL to use a Local Rack");
}

int
cx_spool_path(char *buf, size_t n, struct cx_err *e)
{
	const char *spool = nonempty_env("CX_SPOOL"), *rack = nonempty_env("CX_RACK");
	const char *home = nonempty_env("HOME"), *state = nonempty_env("XDG_STATE_HOME");
	const char *url = nonempty_env("RACK_URL");
	int r;

	if (url)
		return refuse_url(e);
	if (rack && cx_name_check("rack", rack, e) < 0)
		return -1;
	if (!rack)
		rack = "local";
	if (spool)
		r = snprintf(buf, n, "%s", spool);
	else if (geteuid() == 0 || access("/var/lib/cx/racks", F_OK) == 0)
		r = snprintf(buf, n, "/var/lib/cx/racks/%s", rack);
	else if (state)
		r = snprintf(buf, n, "%s/cx/racks/%s", state, rack);
	else
		r = snprintf(buf, n, "%s/.local/state/cx/racks/%s", home ? home : "", rack);
	if (r < 0 || (size_t)r >= n)
		return cx_err_set(e, CX_BAD, "the path of the spool is too long");
	return 0;
}

int
cx_spool_open(struct cx_spool *s, struct cx_err *e)
{
	char given[4096];

	memset(s, 0, sizeof(*s));
	s->dir = -1;
	if (cx_spool_path(given, sizeof(given), e) < 0)
		return -1;
	s->dir = open(given, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0 && errno != ENOENT)
		return cx_err_sys(e, "open spool %s", given);
	if (s->dir < 0 || faccessat(s->dir, "rack.json", F_OK, 0) < 0) {
		cx_spool_close(s);
		(void)cx_err_set(e, CX_NO, "there is no rack at %s", given);
		return cx_err_hint(e, "install one with: cx install local");
	}
	if (!realpath(given, s->path)) {
		(void)cx_err_sys(e, "resolve %s", given);
		cx_spool_close(s);
		return -1;
	}
	s->rack = cx_json_load(s->dir, "rack.json", e);
	if (!s->rack) {
		cx_spool_close(s);
		return -1;
	}
	return 0;
}

void
cx_spool_close(struct cx_spool *s)
{
	if (s->dir >= 0)
		close(s->dir);
	s->dir = -1;
	json_decref(s->rack);
	s->rack = NULL;
}

/* Opens the folder that holds `name`; *base points at its last component. */
static int
open_parent(int dirfd, const char *name, const char **base, struct cx_err *e)
{
	const char *slash = strrchr(name, '/');
	CX_FREE char *dir = slash ? cx_strndup(name, (size_t)(slash - name)) : cx_strdup(".");
	int fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*base = slash ? slash + 1 : name;
	if (fd < 0)
		return cx_err_sys(e, "open folder %s", dir);
	return fd;
}

static int
write_temporary(int dir, const char *tmp, const void *p, size_t n, unsigned mode, struct cx_err *e)
{
	CX_CLOSE int fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return cx_err_sys(e, "create %s", tmp);
	if (cx_write_all(fd, p, n, e) < 0)
		return cx_err_prefix(e, "%s", tmp);
	if (fchmod(fd, mode) < 0 || fsync(fd) < 0)
		return cx_err_sys(e, "write %s", tmp);
	if (close(cx_steal_fd(&fd)) < 0)
		return cx_err_sys(e, "close %s", tmp);
	return 0;
}

int
cx_spool_publish(int dirfd, const char *name, const void *p, size_t n, unsigned mode, struct cx_err *e)
{
	const char *base;
	CX_CLOSE int dir = open_parent(dirfd, name, &base, e);
	CX_FREE char *tmp = NULL;
	char id[12];

	if (dir < 0)
		return -1;
	cx_id_make('T', id);
	tmp = cx_fmt(".%s.%s", base, id);
	if (write_temporary(dir, tmp, p, n, mode, e) < 0) {
		(void)unlinkat(dir, tmp, 0);
		return -1;
	}
	if (renameat(dir, tmp, dir, base) < 0) {
		(void)cx_err_sys(e, "rename to %s", name);
		(void)unlinkat(dir, tmp, 0);
		return -1;
	}
	if (fsync(dir) < 0)
		return cx_err_sys(e, "sync the folder of %s", name);
	return 0;
}

int
cx_spool_publish_json(int dirfd, const char *name, const json_t *j, unsigned mode, struct cx_err *e)
{
	CX_FREE char *text = cx_json_text(j);
	CX_BUF struct cx_buf b = {0};

	cx_buf_addf(&b, "%s\n", text);
	return cx_spool_publish(dirfd, name, b.p, b.n, mode, e);
}

int
cx_spool_mkdir(int dirfd, const char *name, unsigned mode, struct cx_err *e)
{
	CX_FREE char *path = cx_strdup(name);

	for (char *p = path + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdirat(dirfd, path, mode) == 0) {
			const char *base;
			CX_CLOSE int dir = open_parent(dirfd, path, &base, e);

			if (dir < 0)
				return -1;
			if (fchmodat(dirfd, path, mode, 0) < 0 || fsync(dir) < 0)
				return cx_err_sys(e, "make folder %s", path);
		} else if (errno != EEXIST) {
			return cx_err_sys(e, "make folder %s", path);
		}
		if (c == '\0')
			return 0;
		*p = c;
	}
}

int
cx_spool_remove(int dirfd, const char *name, struct cx_err *e)
{
	int fd;
	DIR *d;
	int failed = 0;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return cx_err_sys(e, "remove %s", name);
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return cx_err_sys(e, "read folder %s", name);
	}
	for (struct dirent *de = readdir(d); de && !failed; de = readdir(d)) {
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			failed = cx_spool_remove(fd, de->d_name, e) < 0;
	}
	closedir(d);
	if (failed)
		return -1;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return cx_err_sys(e, "remove folder %s", name);
	return 0;
}

void
cx_spool_sweep(int dirfd, long seconds)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d && fd >= 0)
		close(fd);
	for (struct dirent *de = d ? readdir(d) : NULL; de; de = readdir(d)) {
		const char *dot = strrchr(de->d_name, '.');
		struct stat st;

		if (de->d_name[0] != '.' || dot == de->d_name || !cx_id_valid(dot + 1, 'T'))
			continue;
		if (fstatat(dirfd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
			time(NULL) - st.st_mtime > seconds)
			(void)unlinkat(dirfd, de->d_name, 0);
	}
	if (d)
		closedir(d);
}

int
cx_spool_append(int dirfd, const char *name, const char *line, struct cx_err *e)
{
	CX_CLOSE int fd = openat(dirfd, name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	CX_BUF struct cx_buf b = {0};

	if (fd < 0)
		return cx_err_sys(e, "open %s", name);
	cx_buf_addf(&b, "%s\n", line);
	if (cx_write_all(fd, b.p, b.n, e) < 0)
		return cx_err_prefix(e, "%s", name);
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

json_t *
cx_spool_list(int dirfd, const char *name, struct cx_err *e)
{
	json_t *list = json_array();
	char **names = NULL;
	size_t n = 0, cap = 0;
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d;

	if (fd < 0 && errno == ENOENT)
		return list;
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		(void)cx_err_sys(e, "read folder %s", name);
		if (fd >= 0)
			close(fd);
		json_decref(list);
		return NULL;
	}
	for (struct dirent *de = readdir(d); de; de = readdir(d)) {
		if (de->d_name[0] == '.')
			continue;
		if (n == cap) {
			char **more = realloc(names, (cap = cap ? cap * 2 : 16) * sizeof(*names));

			if (!more)
				abort();
			names = more;
		}
		names[n++] = cx_strdup(de->d_name);
	}
	closedir(d);
	if (n)
		qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n; i++) {
		(void)json_array_append_new(list, json_string(names[i]));
		free(names[i]);
	}
	free(names);
	return list;
}

void
cx_id_make(char prefix, char buf[12])
{
	uint64_t r = 0;

	while (getrandom(&r, sizeof(r), 0) != (ssize_t)sizeof(r))
		;
	buf[0] = prefix;
	for (int i = 1; i < 11; i++) {
		buf[i] = (char)('A' + r % 26);
		r /= 26;
	}
	buf[11] = '\0';
}

int
cx_id_valid(const char *s, char prefix)
{
	if (!s || s[0] != prefix || strlen(s) != 11)
		return 0;
	return strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 11;
}

void
cx_time_now(char buf[32])
{
	struct timespec ts;
	struct tm tm;
	char s[24];

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	(void)gmtime_r(&ts.tv_sec, &tm);
	(void)strftime(s, sizeof(s), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(buf, 32, "%.20s.%03uZ", s, (unsigned)(ts.tv_nsec / 1000000) % 1000U);
}

static void
lock_owner(int fd, char *buf, size_t n)
{
	ssize_t r = pread(fd, buf, n - 1, 0);

	buf[r > 0 ? r : 0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

int
cx_lock(int dirfd, const char *name, int seconds, const char *why, struct cx_err *e)
{
	CX_CLOSE int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct timespec nap = {.tv_nsec = 20000000};
	char owner[256], now[32];
	int n;

	if (fd < 0)
		return cx_err_sys(e, "open lock %s", name);
	for (long tries = seconds * 50L;; tries--) {
		struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

		if (fcntl(fd, F_OFD_SETLK, &l) == 0)
			break;
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return cx_err_sys(e, "lock %s", name);
		if (tries <= 0) {
			lock_owner(fd, owner, sizeof(owner));
			(void)cx_err_set(e, CX_SYS, "%s is locked by %s", name, owner[0] ? owner : "another process");
			return cx_err_hint(e, "wait for it to end, and try again; the lock ends with its owner");
		}
		(void)nanosleep(&nap, NULL);
	}
	cx_time_now(now);
	n = snprintf(owner, sizeof(owner), "pid %ld (%s) since %s\n", (long)getpid(), why, now);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, owner, (size_t)n, 0) != n)
		return cx_err_sys(e, "write lock %s", name);
	return cx_steal_fd(&fd);
}
