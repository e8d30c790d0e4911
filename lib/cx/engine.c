#include <cx/buf.h>
#include <cx/engine.h>
#include <cx/err.h>
#include <cx/own.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define API "/v1.41"
#define HEAD_MAX 65536

struct cx_engine {
	struct cx_http *http;
	char *socket;
	long status;
};

static const char *
choose_url(const char *url, const json_t *rack)
{
	const char *names[] = {"CX_ENGINE", "DOCKER_HOST"};

	for (size_t i = 0; !url && i < 2; i++) {
		url = getenv(names[i]);
		if (url && !*url)
			url = NULL;
	}
	if (!url && rack)
		url = cx_json_str(rack, "engine");
	return url ? url : "unix:///var/run/docker.sock";
}

struct cx_engine *
cx_engine_open(const char *url, const json_t *rack, struct cx_err *e)
{
	struct cx_engine *en;

	url = choose_url(url, rack);
	if (strncmp(url, "unix://", 7) != 0 || strlen(url + 7) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		(void)cx_err_set(e, CX_BAD, "\"%s\" is not the address of a container engine", url);
		(void)cx_err_hint(e, "CX_ENGINE and DOCKER_HOST take unix:///path/to/docker.sock");
		return NULL;
	}
	en = cx_alloc(sizeof(*en));
	en->socket = cx_strdup(url + 7);
	en->http = cx_http_new(en->socket);
	if (!en->http) {
		cx_engine_close(en);
		(void)cx_err_set(e, CX_SYS, "libcurl does not start");
		return NULL;
	}
	return en;
}

void
cx_engine_close(struct cx_engine *en)
{
	if (!en)
		return;
	cx_http_free(en->http);
	free(en->socket);
	free(en);
}

const char *
cx_engine_socket(const struct cx_engine *en)
{
	return en->socket;
}

long
cx_engine_status(const struct cx_engine *en)
{
	return en->status;
}

/* The engine's own words stand in {"message": ...}. */
static int
status_error(long status, const char *path, const char *reply, size_t n, struct cx_err *e)
{
	struct cx_err ignore;
	CX_JSON json_t *j = cx_json_parse(reply, n, "reply", &ignore);
	const char *msg = cx_json_str(j, "message");
	enum cx_err_class cls = status == 404 ? CX_NO : status == 409 || status >= 500 ? CX_SYS : CX_BAD;

	if (msg)
		return cx_err_set(e, cls, "the container engine says: %s", msg);
	if (!j && n) /* attach answers in plain text */
		return cx_err_set(e, cls, "the container engine says: %.*s", (int)strcspn(reply, "\r\n"), reply);
	return cx_err_set(e, cls, "the container engine answered %ld to %s", status, path);
}

static int
explain_refused(struct cx_engine *en, struct cx_err *e)
{
	if (strcmp(e->text, "aborted") == 0)
		return -1;
	(void)cx_err_prefix(e, "the container engine cannot be reached");
	return cx_err_hint(
		e, "is it running, and may you use %s? (docker info tells; CX_ENGINE names another)", en->socket);
}

int
cx_engine_stream(struct cx_engine *en, const char *path, struct cx_http_req *r, struct cx_err *e)
{
	CX_FREE char *url = cx_fmt("http://engine" API "%s", path);

	r->url = url;
	en->status = 0;
	if (cx_http_do(en->http, r, e) < 0) {
		r->url = NULL;
		en->status = r->status;
		if (r->stalled)
			return cx_err_hint(e, "its builder hangs: restart the container engine, and try again");
		return r->status ? -1 : explain_refused(en, e);
	}
	r->url = NULL;
	en->status = r->status;
	if (r->status >= 400)
		return status_error(r->status, path, cx_buf_str(&r->reply), r->reply.n, e);
	return 0;
}

json_t *
cx_engine_call(struct cx_engine *en, const char *method, const char *path, const json_t *body, struct cx_err *e)
{
	static const char *const headers[] = {"Content-Type: application/json", NULL};
	CX_FREE char *text = body ? cx_json_text(body) : NULL;
	struct cx_http_req r = {.method = method, .body = text, .body_n = text ? strlen(text) : 0, .headers = headers};
	json_t *j = NULL;

	if (cx_engine_stream(en, path, &r, e) == 0)
		j = r.reply.n ? cx_json_parse(r.reply.p, r.reply.n, "the container engine's reply", e) : json_null();
	cx_buf_free(&r.reply);
	return j;
}

static int
dial(const char *path, struct cx_err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	CX_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(sa.sun_path, path, strlen(path) + 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return cx_err_sys(e, "connect to %s", path);
	return cx_steal_fd(&fd);
}

/* Reads the reply's header; what follows it goes to rest. */
static int
read_head(int fd, struct cx_buf *head, struct cx_buf *rest, struct cx_err *e)
{
	char *end = NULL;

	while (!end) {
		ssize_t n = read(fd, cx_buf_room(head, 4096), 4096);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cx_err_sys(e, "read from the container engine");
		if (n == 0 || head->n > HEAD_MAX)
			return cx_err_set(e, CX_SYS, "the container engine closed the connection");
		head->n += (size_t)n;
		head->p[head->n] = '\0';
		end = strstr(head->p, "\r\n\r\n");
	}
	cx_buf_add(rest, end + 4, head->n - (size_t)(end + 4 - head->p));
	head->n = (size_t)(end + 4 - head->p);
	head->p[head->n] = '\0';
	return 0;
}

static int
refuse_upgrade(int fd, long status, const char *path, struct cx_buf *rest, struct cx_err *e)
{
	struct timeval patience = {.tv_sec = 1};
	char *from, *to = NULL;

	/* The body may be chunked: the message is what stands between the outermost braces. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	for (;;) {
		ssize_t n;

		from = rest->n ? memchr(rest->p, '{', rest->n) : NULL;
		to = from ? memrchr(from, '}', rest->n - (size_t)(from - rest->p)) : NULL;
		n = to || rest->n > HEAD_MAX ? 0 : read(fd, cx_buf_room(rest, 4096), 4096);
		if (n <= 0)
			break;
		rest->n += (size_t)n;
	}
	return to ? status_error(status, path, from, (size_t)(to - from) + 1, e)
		  : status_error(status, path, cx_buf_str(rest), rest->n, e);
}

int
cx_engine_hijack(struct cx_engine *en, const char *path, const json_t *body, struct cx_buf *rest, struct cx_err *e)
{
	CX_FREE char *text = body ? cx_json_text(body) : cx_strdup("");
	CX_CLOSE int fd = dial(en->socket, e);
	CX_BUF struct cx_buf b = {0};
	long status;

	if (fd < 0)
		return explain_refused(en, e);
	cx_buf_addf(&b,
		"POST " API "%s HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
		"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		path, strlen(text), text);
	if (cx_write_all(fd, b.p, b.n, e) < 0)
		return -1;
	b.n = 0;
	if (read_head(fd, &b, rest, e) < 0)
		return -1;
	status = b.n > 12 && strncmp(b.p, "HTTP/1.", 7) == 0 ? strtol(b.p + 9, NULL, 10) : 0;
	en->status = status;
	if (status != 101 && status != 200) {
		(void)refuse_upgrade(fd, status, path, rest, e);
		rest->n = 0;
		return -1;
	}
	return cx_steal_fd(&fd);
}

void
cx_query(struct cx_buf *b, const char *value)
{
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c))
			cx_buf_addc(b, (char)c);
		else
			cx_buf_addf(b, "%%%02X", c);
	}
}

int
cx_demux(struct cx_demux *d, const char *p, size_t n, int (*out)(void *arg, int stream, const char *p, size_t n),
	void *arg, struct cx_err *e)
{
	while (n) {
		size_t take;
		int rc;

		if (d->left == 0) {
			d->head[d->have++] = (unsigned char)*p++;
			n--;
			if (d->have < 8)
				continue;
			d->have = 0;
			if (d->head[0] > 2 || d->head[1] || d->head[2] || d->head[3])
				return cx_err_set(e, CX_SYS, "the container engine sent a broken stream");
			d->left = (unsigned long)d->head[4] << 24 | (unsigned long)d->head[5] << 16 |
				  (unsigned long)d->head[6] << 8 | d->head[7];
			continue;
		}
		take = n < d->left ? n : d->left;
		rc = out(arg, d->head[0], p, take);
		if (rc != 0)
			return rc;
		p += take;
		n -= take;
		d->left -= take;
	}
	return 0;
}
