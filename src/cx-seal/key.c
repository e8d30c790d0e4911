#include "key.h"
#include <cx/err.h>
#include <cx/own.h>
#include <cx/spool.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/stat.h>

static int
write_key(int spool, const char *name, struct cx_err *e)
{
	CX_CLOSE int fd = openat(spool, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	unsigned char key[SEAL_KEY];
	int r;

	if (fd < 0)
		return cx_err_sys(e, "create the sealing key");
	if (RAND_bytes(key, SEAL_KEY) != 1)
		return cx_err_set(e, CX_SYS, "no random numbers");
	r = cx_write_all(fd, key, SEAL_KEY, e);
	explicit_bzero(key, SEAL_KEY);
	if (r < 0)
		return -1;
	if (fchmod(fd, 0600) < 0 || fsync(fd) < 0 || close(cx_steal_fd(&fd)) < 0)
		return cx_err_sys(e, "write the sealing key");
	return 0;
}

/* A link, not a rename: of two that make a key at once one wins, and no key is ever replaced. */
int
key_make(int spool, struct cx_err *e)
{
	char name[32], id[12];
	int r;

	if (faccessat(spool, "key", F_OK, AT_EACCESS) == 0)
		return 0;
	cx_id_make('T', id);
	(void)snprintf(name, sizeof(name), ".key.%s", id);
	r = write_key(spool, name, e);
	if (r == 0 && linkat(spool, name, spool, "key", 0) < 0 && errno != EEXIST)
		r = cx_err_sys(e, "make the sealing key");
	(void)unlinkat(spool, name, 0);
	if (r == 0 && fsync(spool) < 0)
		r = cx_err_sys(e, "sync the spool");
	return r;
}

int
key_load(int spool, unsigned char key[SEAL_KEY], struct cx_err *e)
{
	CX_CLOSE int fd = openat(spool, "key", O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0) {
		int missing = errno == ENOENT;

		(void)cx_err_sys(e, "open the rack's sealing key");
		return missing ? cx_err_hint(e, "a new rack makes it with: cx-seal init") : -1;
	}
	if (fstat(fd, &st) < 0)
		return cx_err_sys(e, "stat the rack's sealing key");
	if (!S_ISREG(st.st_mode) || st.st_size != SEAL_KEY)
		return cx_err_set(e, CX_BAD, "the rack's sealing key is damaged: it is not %d bytes", SEAL_KEY);
	if (st.st_mode & 077) {
		(void)cx_err_set(e, CX_BAD, "the rack's sealing key may be read by others");
		return cx_err_hint(e, "make it private again with: chmod 600 SPOOL/key");
	}
	return read(fd, key, SEAL_KEY) == SEAL_KEY ? 0 : cx_err_sys(e, "read the rack's sealing key");
}
