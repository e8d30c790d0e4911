#include "tar.h"
#include <archive.h>
#include <archive_entry.h>
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/own.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <string.h>

#define PIECE ((size_t)128 << 10)

struct tar {
	struct context *c;
	struct archive *a;
	struct cx_buf out;
	size_t at, next; /* bytes of out that were given, the next entry */
	int fd; /* the file in work, or -1 */
	const char *name; /* its path */
	long long left, done;
	int ended, dropped;
	char *piece;
	void *seen; /* of files with several names, those that were written: a tree of struct seen */
};

struct seen {
	dev_t dev;
	ino_t ino;
	const char *path;
};

static la_ssize_t
on_write(struct archive *a, void *arg, const void *p, size_t n)
{
	struct tar *t = arg;

	if (t->dropped) {
		archive_set_error(a, ECANCELED, "given up");
		return -1;
	}
	cx_buf_add(&t->out, p, n);
	return (la_ssize_t)n;
}

static int
archive_err(struct archive *a, struct cx_err *e)
{
	const char *s = archive_error_string(a);

	return cx_err_set(e, CX_SYS, "tar: %s", s ? s : "out of memory");
}

struct tar *
tar_new(struct context *c, int gzip, struct cx_err *e)
{
	struct tar *t = cx_alloc(sizeof(*t));
	int bad;

	t->c = c;
	t->fd = -1;
	t->piece = cx_alloc(PIECE);
	t->a = archive_write_new();
	bad = !t->a || archive_write_set_format_pax_restricted(t->a) != ARCHIVE_OK ||
	      (gzip && archive_write_add_filter_gzip(t->a) != ARCHIVE_OK) ||
	      (gzip && archive_write_set_options(t->a, "gzip:compression-level=1,gzip:!timestamp") != ARCHIVE_OK) ||
	      archive_write_set_bytes_per_block(t->a, gzip ? 10240 : 0) != ARCHIVE_OK ||
	      archive_write_set_bytes_in_last_block(t->a, 1) != ARCHIVE_OK ||
	      archive_write_open(t->a, t, NULL, on_write, NULL) != ARCHIVE_OK;
	if (bad) {
		(void)archive_err(t->a, e);
		tar_free(t);
		return NULL;
	}
	return t;
}

void
tar_free(struct tar *t)
{
	if (!t)
		return;
	cx_own_close(&t->fd);
	/* In the middle of an entry libarchive would fill it up with zeros first. */
	t->dropped = !t->ended;
	if (t->a)
		(void)archive_write_free(t->a);
	cx_buf_free(&t->out);
	free(t->piece);
	tdestroy(t->seen, free);
	free(t);
}

long long
tar_done(const struct tar *t)
{
	return t->done;
}

static int
by_inode(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return x->dev < y->dev ? -1 : x->dev > y->dev;
}

/* The name under which a file with several names went out already, or NULL: then this one is remembered. */
static const char *
first_name(struct tar *t, const struct stat *st, const char *path)
{
	struct seen *s = cx_alloc(sizeof(*s)), **found;

	*s = (struct seen){st->st_dev, st->st_ino, path};
	found = tsearch(s, &t->seen, by_inode);
	if (!found || *found == s) {
		if (!found)
			free(s);
		return NULL;
	}
	free(s);
	return (*found)->path;
}

static int
put_header(struct tar *t, struct item *en, mode_t mode, long long size, const char *hard, struct cx_err *e)
{
	struct archive_entry *ae = archive_entry_new();
	int r;

	if (!ae)
		return cx_err_set(e, CX_SYS, "out of memory");
	archive_entry_set_pathname(ae, en->path);
	archive_entry_set_mode(ae, mode);
	archive_entry_set_mtime(ae, en->st.st_mtim.tv_sec, 0);
	archive_entry_set_uid(ae, 0);
	archive_entry_set_gid(ae, 0);
	archive_entry_set_size(ae, size);
	if (hard)
		archive_entry_set_hardlink(ae, hard);
	else if (en->link && S_ISLNK(mode))
		archive_entry_set_symlink(ae, en->link);
	r = archive_write_header(t->a, ae);
	archive_entry_free(ae);
	return r >= ARCHIVE_WARN ? 0 : archive_err(t->a, e);
}

static int
put_data(struct tar *t, const char *p, size_t n, struct cx_err *e)
{
	return archive_write_data(t->a, p, n) == (la_ssize_t)n ? 0 : archive_err(t->a, e);
}

static int
put_file(struct tar *t, struct item *en, struct cx_err *e)
{
	struct stat now;
	const char *hard;
	int fd = context_open(t->c, en, &now, e);

	if (fd == -2)
		return 0;
	if (fd < 0)
		return -1;
	hard = now.st_nlink > 1 ? first_name(t, &now, en->path) : NULL;
	if (hard) {
		close(fd);
		t->done += now.st_size;
		return put_header(t, en, now.st_mode, 0, hard, e);
	}
	t->fd = fd;
	t->name = en->path;
	t->left = now.st_size;
	return put_header(t, en, now.st_mode, now.st_size, NULL, e);
}

static int
put_entry(struct tar *t, struct item *en, struct cx_err *e)
{
	const struct context *c = t->c;

	if (c->over && strcmp(c->over, en->path) == 0) {
		size_t n = strlen(c->over_text);

		if (put_header(t, en, S_IFREG | (S_ISREG(en->st.st_mode) ? en->st.st_mode & 0777 : 0644), (long long)n,
			    NULL, e) < 0)
			return -1;
		return put_data(t, c->over_text, n, e);
	}
	return S_ISREG(en->st.st_mode) ? put_file(t, en, e) : put_header(t, en, en->st.st_mode, 0, NULL, e);
}

/* At the end of a file that has more by now: what the header promised is what goes. */
static int
end_file(struct tar *t, struct cx_err *e)
{
	char more;

	if (read(t->fd, &more, 1) == 1) {
		t->c->changed = 1;
		if (t->c->warn)
			t->c->warn(t->c->arg, t->name, "grew while the build read it, and was cut to its old size");
	}
	close(t->fd);
	t->fd = -1;
	return archive_write_finish_entry(t->a) >= ARCHIVE_WARN ? 0 : archive_err(t->a, e);
}

static int
more_file(struct tar *t, struct cx_err *e)
{
	ssize_t n;

	if (t->left == 0)
		return end_file(t, e);
	n = read(t->fd, t->piece, t->left < (long long)PIECE ? (size_t)t->left : PIECE);
	if (n < 0)
		return errno == EINTR ? 0 : cx_err_sys(e, "read %s", t->name);
	if (n == 0) {
		(void)cx_err_set(
			e, CX_SYS, "%s shrank while the build read it, so its contents are not known", t->name);
		return cx_err_hint(e, "build again when nothing writes to it, or list it in .dockerignore");
	}
	t->left -= n;
	t->done += n;
	return put_data(t, t->piece, (size_t)n, e);
}

static int
advance(struct tar *t, struct cx_err *e)
{
	if (t->fd >= 0)
		return more_file(t, e);
	if (t->next < t->c->n)
		return put_entry(t, &t->c->v[t->next++], e);
	t->ended = 1;
	return archive_write_close(t->a) == ARCHIVE_OK ? 0 : archive_err(t->a, e);
}

ssize_t
tar_read(struct tar *t, char *p, size_t n, struct cx_err *e)
{
	if (t->at == t->out.n)
		t->at = t->out.n = 0;
	while (t->out.n - t->at == 0) {
		if (t->ended)
			return 0;
		if (advance(t, e) < 0)
			return -1;
	}
	if (n > t->out.n - t->at)
		n = t->out.n - t->at;
	memcpy(p, t->out.p + t->at, n);
	t->at += n;
	return (ssize_t)n;
}

static int
copy_out(struct context *c, int fd, struct cx_err *e)
{
	struct tar *t = tar_new(c, 1, e);
	CX_FREE char *p = cx_alloc(PIECE);
	ssize_t n = t ? 1 : -1;

	while (n > 0) {
		n = c->cancel && *c->cancel ? cx_err_set(e, CX_SYS, "interrupted") : tar_read(t, p, PIECE, e);
		if (n > 0 && cx_write_all(fd, p, (size_t)n, e) < 0)
			n = -1;
	}
	tar_free(t);
	return (int)n;
}

int
tar_save(struct context *c, int dir, const char *name, struct cx_err *e)
{
	CX_FREE char *tmp = cx_fmt(".%s.new", name);
	CX_CLOSE int fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return cx_err_sys(e, "create %s", tmp);
	if (copy_out(c, fd, e) < 0 || (fsync(fd) < 0 && cx_err_sys(e, "write %s", tmp) < 0) ||
		(close(cx_steal_fd(&fd)) < 0 && cx_err_sys(e, "close %s", tmp) < 0) ||
		(renameat(dir, tmp, dir, name) < 0 && cx_err_sys(e, "rename to %s", name) < 0) ||
		(fsync(dir) < 0 && cx_err_sys(e, "sync the folder of %s", name) < 0)) {
		(void)unlinkat(dir, tmp, 0);
		return -1;
	}
	return 0;
}
