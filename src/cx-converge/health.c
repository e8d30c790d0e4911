/*
 * Health checks with libcurl's multi interface, so that a slow one holds up
 * nobody: GET path on the container's own address; 200 to 399 is healthy, as
 * the ALB's matcher would be set. The certificate of an https target is not
 * verified, as an ALB does not: the connection does not leave the bridge.
 */
#include "converge.h"
#include <curl/curl.h>
#include <cx/buf.h>
#include <cx/own.h>
#include <string.h>

#define STEADY_SECONDS 2.0 /* how long a process without a port must stay up */
#define UNHEALTHY_AFTER 3 /* failed checks in a row, once it was healthy */

struct health {
	CURLM *multi;
};

struct check {
	CURL *curl;
	struct curl_slist *headers;
	struct memo *memo;
	char error[CURL_ERROR_SIZE];
};

struct health *
health_new(void)
{
	struct health *h = cx_alloc(sizeof(*h));

	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	h->multi = curl_multi_init();
	if (!h->multi)
		abort();
	return h;
}

void
health_drop(struct conv *c, struct memo *m)
{
	struct check *k = m->check;

	if (!k)
		return;
	(void)curl_multi_remove_handle(c->health->multi, k->curl);
	curl_easy_cleanup(k->curl);
	curl_slist_free_all(k->headers);
	free(k);
	m->check = NULL;
}

static size_t
swallow(char *p, size_t size, size_t n, void *arg)
{
	(void)p, (void)arg;
	return size * n;
}

static void
begin(struct conv *c, struct box *b, const char *url, const char *host, long timeout)
{
	struct check *k = cx_alloc(sizeof(*k));
	CX_FREE char *header = cx_fmt("Host: %s", host);

	k->memo = b->memo;
	k->curl = curl_easy_init();
	if (!k->curl)
		abort();
	k->headers = curl_slist_append(NULL, header);
	(void)curl_easy_setopt(k->curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(k->curl, CURLOPT_HTTPHEADER, k->headers);
	(void)curl_easy_setopt(k->curl, CURLOPT_USERAGENT, "cx-health");
	(void)curl_easy_setopt(k->curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(k->curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(k->curl, CURLOPT_TIMEOUT_MS, timeout * 1000L);
	(void)curl_easy_setopt(k->curl, CURLOPT_FRESH_CONNECT, 1L);
	(void)curl_easy_setopt(k->curl, CURLOPT_FORBID_REUSE, 1L);
	(void)curl_easy_setopt(k->curl, CURLOPT_SSL_VERIFYPEER, 0L);
	(void)curl_easy_setopt(k->curl, CURLOPT_SSL_VERIFYHOST, 0L);
	(void)curl_easy_setopt(k->curl, CURLOPT_WRITEFUNCTION, swallow);
	(void)curl_easy_setopt(k->curl, CURLOPT_ERRORBUFFER, k->error);
	(void)curl_easy_setopt(k->curl, CURLOPT_PRIVATE, k);
	b->memo->check = k;
	(void)curl_multi_add_handle(c->health->multi, k->curl);
}

static void
finish(struct check *k, CURLcode rc)
{
	struct memo *m = k->memo;
	long status = 0;

	(void)curl_easy_getinfo(k->curl, CURLINFO_RESPONSE_CODE, &status);
	m->attempts++;
	if (rc == CURLE_OK && status >= 200 && status < 400) {
		m->healthy = m->ever = 1;
		m->fails = 0;
		m->said[0] = '\0';
		return;
	}
	m->fails++;
	if (m->fails >= UNHEALTHY_AFTER)
		m->healthy = 0;
	if (rc == CURLE_OK)
		(void)snprintf(m->said, sizeof(m->said), "answered %ld", status);
	else if (rc == CURLE_COULDNT_CONNECT)
		(void)snprintf(m->said, sizeof(m->said), "connection refused");
	else if (rc == CURLE_OPERATION_TIMEDOUT)
		(void)snprintf(m->said, sizeof(m->said), "no answer in time");
	else
		(void)snprintf(m->said, sizeof(m->said), "%.200s", k->error[0] ? k->error : curl_easy_strerror(rc));
}

static void
harvest(struct conv *c)
{
	int left, running;
	CURLMsg *msg;

	(void)curl_multi_perform(c->health->multi, &running);
	while ((msg = curl_multi_info_read(c->health->multi, &left)) != NULL) {
		char *priv = NULL;
		CURLcode rc = msg->data.result;

		if (msg->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &priv);
		finish((struct check *)(void *)priv, rc);
		health_drop(c, ((struct check *)(void *)priv)->memo);
	}
}

void
health_visit(struct conv *c, struct box *b, const json_t *entry)
{
	const json_t *h = json_object_get(entry, "health"), *port = json_object_get(entry, "port");
	long long n = cx_json_int(port, "port", 0), interval = cx_json_int(h, "interval", 5);
	struct memo *m = b->memo;
	double now = now_s();

	harvest(c);
	if (b->state != RUNNING) {
		m->healthy = 0;
		return;
	}
	if (n == 0 || cx_json_true(h, "disable")) {
		m->healthy = now - m->running_since >= STEADY_SECONDS;
		m->ever |= m->healthy;
		c->busy |= !m->healthy;
		return;
	}
	c->busy |= !m->healthy;
	if (m->check || now < m->next_check || !b->ip[0])
		return;
	/* Before the first success look often: a deploy should not wait out an interval. */
	m->next_check = now + (m->ever ? (double)interval : m->attempts < 20 ? 0.1 : 1.0);
	CX_FREE char *host = want_host(c, b->app, b->service);
	CX_FREE char *url =
		cx_fmt("%s://%s:%lld%s", cx_json_strd(port, "scheme", "http"), b->ip, n, cx_json_strd(h, "path", "/"));

	begin(c, b, url, host, (long)cx_json_int(h, "timeout", 4));
}

void
health_wait(struct health *h, const int *fds, size_t n, int ms)
{
	struct curl_waitfd w[8];
	int ready;

	for (size_t i = 0; i < n && i < 8; i++)
		w[i] = (struct curl_waitfd){.fd = fds[i], .events = CURL_WAIT_POLLIN};
	(void)curl_multi_poll(h->multi, w, (unsigned)(n < 8 ? n : 8), ms, &ready);
}
