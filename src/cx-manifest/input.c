#include "input.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/json.h>
#include <cx/own.h>
#include <cx/yaml.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

extern char **environ;

json_t *
input_environ(void)
{
	json_t *env = json_object();

	for (char **p = environ; *p; p++) {
		size_t n = strcspn(*p, "=");
		CX_FREE char *name = cx_strndup(*p, n);

		if ((*p)[n] && cx_utf8_valid(*p + n + 1, strlen(*p + n + 1)))
			cx_json_set(env, name, *p + n + 1);
	}
	return env;
}

/* NAME=VALUE a line; blank lines and # comments; the value as it stands, without quotes around it. */
json_t *
input_env_file(const char *file, struct cx_err *e)
{
	CX_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC);
	CX_BUF struct cx_buf b = {0};
	CX_JSON json_t *env = json_object();
	char *save = NULL;

	if (fd < 0) {
		(void)cx_err_sys(e, "open %s", file);
		e->cls = CX_BAD;
		return NULL;
	}
	if (cx_buf_read(&b, fd, CX_YAML_MAX, file, e) < 0)
		return NULL;
	for (char *l = b.p ? strtok_r(b.p, "\n", &save) : NULL; l; l = strtok_r(NULL, "\n", &save)) {
		char *v = strchr(l, '='), *end = l + strlen(l);

		if (end > l && end[-1] == '\r')
			*--end = '\0';
		if (*l == '#' || !*l || !v)
			continue;
		*v++ = '\0';
		if (end - v >= 2 && (*v == '"' || *v == '\'') && end[-1] == *v) {
			end[-1] = '\0';
			v++;
		}
		if (cx_utf8_valid(v, strlen(v)))
			cx_json_set(env, strncmp(l, "export ", 7) == 0 ? l + 7 : l, v);
	}
	return cx_steal(&env);
}

int
input_text(const char *file, struct cx_buf *b, struct cx_err *e)
{
	CX_CLOSE int fd = strcmp(file, "-") == 0 ? fcntl(0, F_DUPFD_CLOEXEC, 3) : open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		int missing = errno == ENOENT;

		(void)cx_err_sys(e, "open %s", file);
		e->cls = CX_BAD;
		return missing ? cx_err_hint(
					 e, "run it in the folder of the app, or name the file (cx -C DIR does both)")
			       : -1;
	}
	if (cx_buf_read(b, fd, CX_YAML_MAX, file, e) < 0)
		return -1;
	cx_buf_add(b, "", 0);
	if (strlen(b->p) != b->n)
		return cx_err_set(e, CX_BAD, "%s holds a NUL byte: it is no text", file);
	return 0;
}
