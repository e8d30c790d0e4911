#include "local.h"
#include "process.h"
#include "session.h"
#include <cx/err.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <cx/spec.h>
#include <cx/store.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

struct run {
	struct local *l;
	const char *release, *service;
	char **command;
	int detach, tty;
	char *id; /* of the container, once there is one */
};

static int
parse(struct run *r, int argc, char **argv, struct cx_err *e)
{
	int i = 1;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--detach") == 0 || strcmp(argv[i], "-d") == 0)
			r->detach = 1;
		else if ((strcmp(argv[i], "-r") == 0 || strcmp(argv[i], "--release") == 0) && i + 1 < argc)
			r->release = argv[++i];
		else if (strncmp(argv[i], "--release=", 10) == 0)
			r->release = argv[i] + 10;
		else if (strcmp(argv[i], "--") == 0) {
			i++;
			break;
		} else
			return usage_error(e, "process run takes --detach, -r RELEASE, a service and a command");
	}
	if (i >= argc)
		return usage_error(e, "process run needs a service");
	r->service = argv[i++];
	r->command = argv + i;
	if (i < argc && strcmp(argv[i], "--") == 0)
		r->command++;
	return 0;
}

json_t *
command_words(char **argv)
{
	json_t *words;

	if (argv[0] && !argv[1] && strpbrk(argv[0], " \t\n"))
		return json_pack("[s,s,s]", "sh", "-c", argv[0]);
	words = json_array();
	for (; *argv; argv++) {
		json_t *w = json_string(*argv);

		if (!w) {
			json_decref(words);
			return NULL;
		}
		(void)json_array_append_new(words, w);
	}
	return words;
}

/* The process that a container belongs to: PID and the time it started, field 22 of proc(5) stat. */
static char *
owner(void)
{
	FILE *f = fopen("/proc/self/stat", "re");
	char line[1024] = "", *p;
	unsigned long long start = 0;

	if (f) {
		p = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
		for (int field = 2; p && field < 22; field++)
			p = strchr(p + 1, ' ');
		start = p ? strtoull(p + 1, NULL, 10) : 0;
		(void)fclose(f);
	}
	return cx_fmt("%ld:%llu", (long)getpid(), start);
}

static int
unknown_service(const struct run *r, const json_t *services, struct cx_err *e)
{
	CX_BUF struct cx_buf names = {0};
	const char *name;
	json_t *v;

	json_object_foreach ((json_t *)services, name, v)
		cx_buf_addf(&names, "%s%s", names.n ? ", " : "", name);
	(void)cx_err_set(e, CX_NO, "release %s of %s has no service \"%s\"", r->release, r->l->app, r->service);
	return cx_err_hint(e, "it has: %s", cx_buf_str(&names));
}

/* The container of the service in that release, as converge would make it. */
static json_t *
service_body(struct run *r, struct cx_err *e)
{
	struct cx_spool *s = &r->l->spool;
	CX_JSON json_t *release = cx_store_release(s, r->l->app, r->release, e), *m = NULL, *urls = NULL, *build = NULL;
	const char *build_id = cx_json_str(release, "build"), *image;
	json_t *service, *body;

	m = release ? cx_spec_manifest(s, r->l->app, release, e) : NULL;
	if (!m)
		return NULL;
	service = json_object_get(json_object_get(m, "services"), r->service);
	if (!service) {
		(void)unknown_service(r, json_object_get(m, "services"), e);
		return NULL;
	}
	build = build_id ? cx_store_build(s, r->l->app, build_id, e) : NULL;
	image = cx_spec_image(build, r->service);
	if (!image) {
		(void)cx_err_set(e, CX_NO, "release %s of %s has no image of %s", r->release, r->l->app, r->service);
		return NULL;
	}
	urls = cx_spec_resource_urls(s->rack, r->l->app, m, e);
	if (!urls)
		return NULL;
	body = cx_spec_container(s->rack, r->l->app, r->release, r->service, service, urls, image, "process");
	if (faccessat(s->dir, "ca/bundle.pem", F_OK, 0) == 0)
		cx_spec_ca(body, s);
	return body;
}

static int
add_process(struct run *r, json_t *body, struct cx_err *e)
{
	CX_FREE char *who = owner();
	json_t *cmd = command_words(r->command), *flags;

	if (!cmd)
		return cx_err_set(e, CX_BAD, "an argument is not valid UTF-8");
	if (json_array_size(cmd))
		(void)json_object_set(body, "Cmd", cmd);
	json_decref(cmd);
	if (r->detach) {
		(void)json_object_set_new(json_object_get(body, "HostConfig"), "AutoRemove", json_true());
		return 0;
	}
	cx_json_set(json_object_get(body, "Labels"), "convox.owner", who);
	flags = json_pack("{s:b,s:b,s:b,s:b,s:b,s:b}", "Tty", r->tty, "OpenStdin", 1, "StdinOnce", 1, "AttachStdin", 1,
		"AttachStdout", 1, "AttachStderr", 1);
	(void)json_object_update(body, flags);
	json_decref(flags);
	if (r->tty) {
		CX_FREE char *term = cx_fmt("TERM=%s", getenv("TERM") ? getenv("TERM") : "xterm");

		(void)json_array_append_new(json_object_get(body, "Env"), json_string(term));
	}
	return 0;
}

static int
create(struct run *r, json_t *body, struct cx_err *e)
{
	CX_JSON json_t *reply = NULL;
	CX_FREE char *path = NULL;
	uint32_t rnd = 0;

	if (getrandom(&rnd, sizeof(rnd), 0) < 0)
		return cx_err_sys(e, "getrandom");
	path = cx_fmt("/containers/create?name=%s.%s.process.%s.%06x", cx_json_strd(r->l->spool.rack, "name", "local"),
		r->l->app, r->service, rnd & 0xffffffU);
	reply = cx_engine_call(r->l->en, "POST", path, body, e);
	if (!reply && cx_engine_status(r->l->en) == 404)
		return cx_err_hint(e, "the image or network is gone; build again with: cx deploy -a %s", r->l->app);
	if (!reply)
		return -1;
	if (!cx_json_str(reply, "Id"))
		return cx_err_set(e, CX_SYS, "the container engine gave no ID");
	r->id = cx_strdup(cx_json_str(reply, "Id"));
	return 0;
}

static void
discard(const struct run *r)
{
	CX_FREE char *path = cx_fmt("/containers/%s?force=1&v=1", r->id);
	struct cx_err ignore;

	json_decref(cx_engine_call(r->l->en, "DELETE", path, NULL, &ignore));
}

/* The shell's convention, as docker(1) has it: 127 not found, 126 found but not to be run. */
static int
start(struct run *r, struct cx_err *e)
{
	CX_FREE char *path = cx_fmt("/containers/%s/start", r->id);
	CX_JSON json_t *reply = cx_engine_call(r->l->en, "POST", path, NULL, e);

	if (reply)
		return 0;
	if (strstr(e->text, "executable file not found") || strstr(e->text, "no such file or directory"))
		r->l->status = 127;
	else if (strstr(e->text, "permission denied") || strstr(e->text, "is a directory"))
		r->l->status = 126;
	return -1;
}

static void
deliver(void *arg, int sig)
{
	const struct run *r = arg;
	CX_FREE char *path = cx_fmt("/containers/%s/kill?signal=%s", r->id, session_signal_name(sig));
	struct cx_err ignore;

	json_decref(cx_engine_call(r->l->en, "POST", path, NULL, &ignore));
}

static int
exit_status(const struct run *r, struct cx_err *e)
{
	CX_FREE char *wait = cx_fmt("/containers/%s/wait", r->id), *inspect = cx_fmt("/containers/%s/json", r->id);
	CX_JSON json_t *reply = cx_engine_call(r->l->en, "POST", wait, NULL, e), *c = NULL;

	if (!reply)
		return -1;
	c = cx_engine_call(r->l->en, "GET", inspect, NULL, e);
	if (cx_json_true(json_object_get(c, "State"), "OOMKilled"))
		fprintf(stderr,
			"cx-local-engine: the process was killed: out of memory (scale.memory of %s is its limit)\n",
			r->service);
	return (int)(cx_json_int(reply, "StatusCode", 125) & 0xff);
}

static int
attended(struct run *r, int signals, struct cx_err *e)
{
	CX_FREE char *attach = cx_fmt("/containers/%s/attach?stream=1&stdin=1&stdout=1&stderr=1", r->id);
	CX_FREE char *size = cx_fmt("/containers/%s/resize", r->id);
	CX_BUF struct cx_buf rest = {0};
	CX_CLOSE int sock = cx_engine_hijack(r->l->en, attach, NULL, &rest, e);
	struct session s = {.en = r->l->en,
		.sock = sock,
		.tty = r->tty,
		.rest = &rest,
		.resize_path = size,
		.deliver = deliver,
		.arg = r};
	int broken;

	if (sock < 0 || start(r, e) < 0)
		return -1;
	broken = session_run(&s, signals, e);
	if (broken)
		return broken;
	return exit_status(r, e);
}

static int
detached(struct run *r, struct cx_err *e)
{
	CX_FREE char *shown = cx_strndup(r->id, ID_SHOWN);
	CX_JSON json_t *doc = NULL;

	if (start(r, e) < 0)
		return -1;
	doc = json_pack("{s:i,s:{s:s,s:s,s:s,s:s}}", "v", 1, "process", "id", shown, "app", r->l->app, "service",
		r->service, "release", r->release);
	return cx_json_print(stdout, doc, e);
}

int
verb_run(struct local *l, int argc, char **argv, struct cx_err *e)
{
	struct run r = {.l = l, .command = argv + argc, .tty = session_is_terminal()};
	CX_JSON json_t *body = NULL;
	int st, signals;

	if (parse(&r, argc, argv, e) < 0)
		return -1;
	if (!r.release)
		r.release = cx_json_str(l->app_record, "active");
	if (!r.release) {
		(void)cx_err_set(e, CX_NO, "%s has no active release", l->app);
		return cx_err_hint(e, "deploy it with: cx deploy -a %s, or name a release with -r", l->app);
	}
	body = service_body(&r, e);
	if (!body || add_process(&r, body, e) < 0)
		return -1;
	signals = session_signals(e);
	if (signals < 0 || create(&r, body, e) < 0)
		return -1;
	st = r.detach ? detached(&r, e) : attended(&r, signals, e);
	if (!r.detach || st < 0)
		discard(&r);
	free(r.id);
	close(signals);
	return st;
}
