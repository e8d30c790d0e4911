/* cx-init: a convox.yml from what an app has: a compose file, a Procfile, a Dockerfile. */
#include "compose.h"
#include "dockerfile.h"
#include "emit.h"
#include "procfile.h"
#include "project.h"
#include "text.h"
#include "verify.h"
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/spool.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>

static const char usage[] = "usage: cx-init [--json] [--from FILE] [--check] [-o FILE]\n";

struct options {
	int check;
	const char *from, *to;
};

enum kind { COMPOSE, PROCFILE, DOCKERFILE };

static const char *const looked_for[] = {
	"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml", "Procfile", "Dockerfile"};

static int
ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && strcmp(s + n - m, end) == 0;
}

static int
kind_of(const char *file, enum kind *kind, struct cx_err *e)
{
	const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;

	if (ends_with(base, ".yml") || ends_with(base, ".yaml"))
		*kind = COMPOSE;
	else if (strncmp(base, "Procfile", 8) == 0)
		*kind = PROCFILE;
	else if (strncmp(base, "Dockerfile", 10) == 0 || ends_with(base, ".Dockerfile"))
		*kind = DOCKERFILE;
	else {
		(void)cx_err_set(e, CX_BAD, "%s: its name does not tell what it is", file);
		return cx_err_hint(e, "a compose file ends in .yml or .yaml; others begin with Procfile or Dockerfile");
	}
	return 0;
}

static const char *
find(struct cx_err *e)
{
	for (size_t i = 0; i < sizeof(looked_for) / sizeof(looked_for[0]); i++)
		if (access(looked_for[i], F_OK) == 0)
			return looked_for[i];
	(void)cx_err_set(e, CX_BAD, "there is nothing here to begin with: no compose file, Procfile or Dockerfile");
	(void)cx_err_hint(e, "looked for %s, %s, %s, %s, %s, %s; --from FILE names another", looked_for[0],
		looked_for[1], looked_for[2], looked_for[3], looked_for[4], looked_for[5]);
	return NULL;
}

/* ${NAME} without a default: nothing runs until it is set. */
static void
report_variables(struct init *in, const char *text)
{
	CX_JSON json_t *seen = json_object();
	CX_BUF struct cx_buf names = {0}, set = {0};

	for (const char *p = strstr(text, "${"); p; p = strstr(p + 2, "${")) {
		size_t n = text_variable(p), end = strcspn(p, ":}");
		CX_FREE char *name = n ? cx_strndup(p + 2, end - 2) : NULL;

		if (!name || (p > text && p[-1] == '$') || strncmp(p + end, ":-", 2) == 0 ||
			json_object_get(seen, name))
			continue;
		(void)json_object_set_new(seen, name, json_true());
		cx_buf_addf(&names, "%s%s", names.n ? ", " : "", name);
		cx_buf_addf(&set, " %s=...", name);
	}
	if (!names.n)
		return;
	say(in, CHANGED, "", NULL, "must be set before a release is promoted: %s", names.p);
	say_hint(in, "cx env set%s", set.p);
}

/* Others that are here and were not chosen. */
static void
report_rest(struct init *in, enum kind kind)
{
	static const char *const overrides[] = {"compose.override.yaml", "compose.override.yml",
		"docker-compose.override.yml", "docker-compose.override.yaml"};

	if (kind != COMPOSE)
		return;
	if (!in->beside && access("Procfile", F_OK) == 0)
		say(in, CHANGED, "", NULL, "there is a Procfile too: cx init --from Procfile reads that instead");
	for (size_t i = 0; i < 4; i++)
		if (access(overrides[i], F_OK) == 0)
			say(in, CHANGED, "", NULL, "%s is not read: what it changes is for one machine", overrides[i]);
	if (access(".env", F_OK) == 0) {
		say(in, CHANGED, "", NULL, "the values of .env are not taken over: they are those of one machine");
		say_hint(in, "cx env set --file .env");
	}
}

static int
read_source(const char *file, struct cx_buf *text, struct cx_err *e)
{
	CX_CLOSE int fd = open(file, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		(void)cx_err_sys(e, "open %s", file);
		e->cls = CX_BAD;
		return -1;
	}
	if (!S_ISREG(st.st_mode))
		return cx_err_set(e, CX_BAD, "%s is not a regular file", file);
	if (cx_buf_read(text, fd, PROJECT_FILE_MAX, file, e) < 0)
		return -1;
	cx_buf_add(text, "", 0);
	return strlen(cx_buf_str(text)) == text->n ? 0
						   : cx_err_set(e, CX_BAD, "%s holds a NUL byte: it is no text", file);
}

/* What has no service that runs, as databases alone or a release process alone, goes with a file that has. */
static int
convert_beside(struct init *in, enum kind kind, struct cx_err *e)
{
	static const char *const beside[] = {"Procfile", "Dockerfile"};
	json_t *services = json_object_get(in->out, "services"), *v;
	CX_JSON json_t *list = json_array();
	const char *name;
	int st = 0;

	for (size_t i = kind == COMPOSE ? 0 : 1; i < 2 && st == 0 && json_object_size(services) == 0; i++) {
		CX_BUF struct cx_buf text = {0};

		if (project_read(in->project, beside[i], &text, e) < 0)
			continue;
		in->beside = 1;
		say(in, CHANGED, "", NULL, "%s has no service that runs: it is taken from %s", in->from, beside[i]);
		st = i ? dockerfile_convert(in, beside[i], cx_buf_str(&text), text.n, e)
		       : procfile_convert(in, beside[i], cx_buf_str(&text), e);
	}
	json_object_foreach (json_object_get(in->out, "resources"), name, v)
		(void)json_array_append_new(list, json_string(name));
	json_object_foreach (services, name, v)
		if (json_array_size(list))
			(void)json_object_set(v, "resources", list);
	return st;
}

/* 0; or the exit status, when findings were printed; or -1 with e set. */
static int
convert(struct init *in, enum kind kind, const char *name, const struct cx_buf *text, struct cx_err *e)
{
	int st = 0;

	if (kind == PROCFILE)
		st = procfile_convert(in, name, cx_buf_str(text), e);
	else if (kind == DOCKERFILE)
		st = dockerfile_convert(in, name, cx_buf_str(text), text->n, e);
	else
		st = compose_read(in, name, cx_buf_str(text), text->n, e);
	if (st == 0 && kind == COMPOSE)
		emit_all(in);
	if (st == 0 && json_object_size(json_object_get(in->out, "services")) == 0)
		return convert_beside(in, kind, e);
	return st;
}

/* Whole or not at all, and never over a file that is there. */
static int
publish(const char *to, const char *text, struct cx_err *e)
{
	CX_FREE char *folder = project_folder(to), *tmp = NULL;
	const char *base = strrchr(to, '/') ? strrchr(to, '/') + 1 : to;
	CX_CLOSE int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char id[12];
	int rc = 0;

	if (dir < 0)
		return cx_err_sys(e, "open %s", folder);
	cx_id_make('T', id);
	tmp = cx_fmt(".%s.%s", base, id);
	if (cx_spool_publish(dir, tmp, text, strlen(text), 0644, e) < 0)
		return -1;
	if (linkat(dir, tmp, dir, base, 0) < 0) {
		rc = errno == EEXIST ? cx_err_set(e, CX_NO, "%s is there already", to) : cx_err_sys(e, "write %s", to);
	}
	(void)unlinkat(dir, tmp, 0);
	return rc;
}

static int
refuse_existing(const char *to, struct cx_err *e)
{
	struct stat st;

	if (lstat(to, &st) < 0)
		return 0;
	(void)cx_err_set(e, CX_NO, "%s is there already, and is never overwritten", to);
	return cx_err_hint(e, "--check shows the report alone; -o FILE writes another file, -o - prints it");
}

static int
print_json(const struct init *in, const char *written, const char *text, struct cx_err *e)
{
	CX_JSON json_t *doc = json_pack("{s:i,s:s,s:s?,s:s?,s:{s:i,s:i,s:i},s:O}", "v", 1, "from", in->from, "written",
		written, "text", text, "count", "kept", (int)in->count[KEPT], "changed", (int)in->count[CHANGED],
		"dropped", (int)in->count[DROPPED], "report", in->report);

	return cx_json_print(stdout, doc, e);
}

/* The report, and what comes of it: a file, standard output, or nothing. */
static int
finish(struct init *in, const struct options *o, struct cx_err *e)
{
	const char *to = o->to ? o->to : "convox.yml";
	int print = strcmp(to, "-") == 0, empty = json_object_size(json_object_get(in->out, "services")) == 0;
	CX_FREE char *text = empty ? NULL : write_manifest(in);

	if (!empty) {
		report_variables(in, text);
		if (verify(in, text, e) < 0 || (!o->check && !print && publish(to, text, e) < 0))
			return -1;
	}
	if (!cx_json_wanted())
		report_print(in, o->check || empty ? "nothing is written" : print ? "standard output" : to);
	else if (print_json(in, o->check || print || empty ? NULL : to, text, e) < 0)
		return -1;
	if (empty) {
		(void)cx_err_set(e, CX_BAD, "%s has no service that cx could run", in->from);
		return cx_err_hint(e, "a service needs build or image; --from FILE names another file");
	}
	if (print && !o->check && !cx_json_wanted() && fputs(text, stdout) < 0)
		return cx_err_sys(e, "write");
	return o->check && in->count[DROPPED] ? CX_NO : 0;
}

static int
run(const struct options *o, struct cx_err *e)
{
	int to_file = !o->check && !(o->to && strcmp(o->to, "-") == 0);
	const char *to = o->to ? o->to : "convox.yml", *file = o->from ? o->from : find(e);
	CX_FREE char *app = to_file ? project_folder(to) : cx_strdup("."), *name = NULL;
	CX_BUF struct cx_buf text = {0};
	struct project p = {.root = -1};
	struct init in;
	enum kind kind = COMPOSE;
	int st;

	if (!file || kind_of(file, &kind, e) < 0 || (to_file && refuse_existing(to, e) < 0))
		return -1;
	if (!cx_utf8_valid(file, strlen(file)))
		return cx_err_set(e, CX_BAD, "the name of the file is not UTF-8");
	if (read_source(file, &text, e) < 0)
		return -1;
	if (project_open(&p, app, file, &name, e) < 0) {
		project_close(&p);
		return -1;
	}
	/* Nothing is written: the paths are those of where the file lies. */
	if (!to_file && !p.app)
		p.app = cx_strdup(".");
	init_open(&in, &p, file);
	st = convert(&in, kind, name, &text, e);
	if (!o->from)
		report_rest(&in, kind);
	if (st == 0)
		st = finish(&in, o, e);
	init_close(&in);
	project_close(&p);
	return st;
}

static int
parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {{"from", required_argument, NULL, 'f'}, {"check", no_argument, NULL, 'c'},
		{"output", required_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

	for (int c; (c = getopt_long(argc, argv, "o:", longs, NULL)) != -1;) {
		if (c == 'f')
			o->from = optarg;
		else if (c == 'c')
			o->check = 1;
		else if (c == 'o')
			o->to = optarg;
		else
			return c == 'h' ? 1 : -1;
	}
	return optind < argc ? -1 : 0;
}

int
main(int argc, char **argv)
{
	struct options o = {0};
	struct cx_err e;
	int st = cx_globals(&argc, argv, 0, &e), how;

	if (st < 0)
		return cx_err_report(&e, "cx-init");
	how = parse(argc, argv, &o);
	if (how) {
		(void)fputs(usage, how > 0 ? stdout : stderr);
		return how > 0 ? 0 : CX_BAD;
	}
	st = run(&o, &e);
	if (st < 0 || (st == 0 && cx_out_close(&e) < 0))
		return cx_err_report(&e, "cx-init");
	return st;
}
