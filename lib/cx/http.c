#include <curl/curl.h>
#include <cx/buf.h>
#include <cx/err.h>
#include <cx/http.h>
#include <cx/json.h>
#include <string.h>
#include <time.h>

struct cx_http {
	CURL *curl;
	char *unix_path;
};

/* What the callbacks of one request need. */
struct transfer {
	CURL *curl;
	struct cx_http_req *r;
	int aborted, too_large;
	curl_off_t moved; /* bytes in both directions, and since when there were no more */
	time_t since;
};

struct cx_http *
cx_http_new(const char *unix_path)
{
	struct cx_http *h = cx_alloc(sizeof(*h));

	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	h->curl = curl_easy_init();
	if (!h->curl) {
		free(h);
		return NULL;
	}
	h->unix_path = unix_path ? cx_strdup(unix_path) : NULL;
	return h;
}

void
cx_http_free(struct cx_http *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	free(h->unix_path);
	free(h);
}

static size_t
on_read(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	ssize_t r = t->r->read(t->r->arg, p, size * n);

	if (r < 0) {
		t->aborted = 1;
		return CURL_READFUNC_ABORT;
	}
	return (size_t)r;
}

static size_t
on_write(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	long status = 0;

	n *= size;
	(void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	if (t->r->write && status >= 200 && status < 300) {
		if (t->r->write(t->r->arg, p, n) != 0) {
			t->aborted = 1;
			return CURL_WRITEFUNC_ERROR;
		}
		return n;
	}
	if (t->r->reply.n + n > (t->r->max ? t->r->max : CX_JSON_MAX)) {
		t->too_large = 1;
		return CURL_WRITEFUNC_ERROR;
	}
	cx_buf_add(&t->r->reply, p, n);
	return n;
}

static time_t
seconds(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

static int
on_progress(void *arg, curl_off_t dt, curl_off_t dn, curl_off_t ut, curl_off_t un)
{
	struct transfer *t = arg;

	(void)dt, (void)ut;
	if (t->r->cancel && *t->r->cancel) {
		t->aborted = 1;
		return 1;
	}
	if (dn + un != t->moved || !t->since) {
		t->moved = dn + un;
		t->since = seconds();
	}
	t->r->stalled = t->r->stall_s && dn == 0 && seconds() - t->since >= t->r->stall_s;
	return t->r->stalled;
}

static void
set_body(CURL *c, struct transfer *t, struct curl_slist **list)
{
	struct cx_http_req *r = t->r;

	if (r->read) {
		(void)curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		(void)curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, 262144L);
		(void)curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
		(void)curl_easy_setopt(c, CURLOPT_READDATA, t);
		*list = curl_slist_append(*list, "Transfer-Encoding: chunked");
	} else if (r->body || strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0) {
		(void)curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_n);
		(void)curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body ? r->body : "");
	}
	*list = curl_slist_append(*list, "Expect:");
	(void)curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
	if (strcmp(r->method, "HEAD") == 0)
		(void)curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
}

static int
transport_error(const struct cx_http *h, const struct transfer *t, CURLcode rc, const char *detail, struct cx_err *e)
{
	if (t->aborted)
		return cx_err_set(e, CX_SYS, "aborted");
	if (t->too_large)
		return cx_err_set(e, CX_SYS, "the reply of %s is too large", t->r->url);
	if (t->r->stalled)
		return cx_err_set(e, CX_SYS, "%s: nothing was taken for %ld seconds",
			h->unix_path ? h->unix_path : t->r->url, t->r->stall_s);
	return cx_err_set(e, CX_SYS, "%s: %s", h->unix_path ? h->unix_path : t->r->url,
		detail[0] ? detail : curl_easy_strerror(rc));
}

int
cx_http_do(struct cx_http *h, struct cx_http_req *r, struct cx_err *e)
{
	struct transfer t = {.curl = h->curl, .r = r};
	char detail[CURL_ERROR_SIZE] = "";
	struct curl_slist *list = NULL;
	CURL *c = h->curl;
	CURLcode rc;

	r->status = 0;
	r->stalled = 0;
	curl_easy_reset(c); /* keeps the connection */
	if (h->unix_path)
		(void)curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, h->unix_path);
	(void)curl_easy_setopt(c, CURLOPT_URL, r->url);
	(void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(c, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, detail);
	(void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_write);
	(void)curl_easy_setopt(c, CURLOPT_WRITEDATA, &t);
	(void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, r->connect_ms ? r->connect_ms : 10000L);
	(void)curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, r->timeout_ms);
	(void)curl_easy_setopt(c, CURLOPT_NOPROGRESS, r->cancel || r->stall_s ? 0L : 1L);
	(void)curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(c, CURLOPT_XFERINFODATA, &t);
	(void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	for (const char *const *hd = r->headers; hd && *hd; hd++)
		list = curl_slist_append(list, *hd);
	set_body(c, &t, &list);
	(void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
	rc = curl_easy_perform(c);
	(void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &r->status);
	curl_slist_free_all(list);
	return rc == CURLE_OK ? 0 : transport_error(h, &t, rc, detail, e);
}
