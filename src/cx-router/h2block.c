#include "h2.h"
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

struct piece {
	uint32_t name, value; /* their lengths; both follow */
};

void
h2_block_clear(struct h2 *m)
{
	m->block.n = m->cookie.n = m->fields = 0;
	m->too_large = 0;
}

void
h2_block_free(struct h2 *m)
{
	h2_block_clear(m);
	pool_give(m->c->r, &m->block);
	cx_buf_free(&m->cookie);
}

void
h2_block_add(struct h2 *m, const char *name, size_t name_n, const char *value, size_t value_n)
{
	struct piece p = {(uint32_t)name_n, (uint32_t)value_n};

	/* RFC 9113, 6.5.2 counts so */
	if (m->too_large || m->fields >= HTTP1_FIELDS_MAX || m->block.n + name_n + value_n + 32 > HTTP1_HEAD_MAX) {
		m->too_large = 1;
		return;
	}
	m->fields++;
	pool_take(m->c->r, &m->block);
	cx_buf_add(&m->block, &p, sizeof(p));
	cx_buf_add(&m->block, name, name_n);
	cx_buf_add(&m->block, value, value_n);
}

struct pseudo {
	struct span scheme, authority, protocol;
};

static void
take_pseudo(struct http1 *h, struct pseudo *x, struct span name, struct span value)
{
	if (span_is(name, ":method"))
		h->method = value;
	else if (span_is(name, ":path"))
		h->target = value;
	else if (span_is(name, ":authority"))
		x->authority = value;
	else if (span_is(name, ":scheme"))
		x->scheme = value;
	else if (span_is(name, ":protocol"))
		x->protocol = value;
}

/* All of the block into h; crumbs of a cookie become one again (RFC 9113, 8.2.3). */
static void
read_block(struct h2 *m, struct http1 *h, struct pseudo *x)
{
	const char *p = m->block.p, *end = p ? p + m->block.n : NULL;
	struct http1_field *cookie = NULL;

	memset(h, 0, offsetof(struct http1, fields));
	while (p < end) {
		struct piece k;
		struct http1_field f = {0};

		memcpy(&k, p, sizeof(k));
		f.name = (struct span){p + sizeof(k), k.name};
		f.value = (struct span){f.name.p + k.name, k.value};
		p = f.value.p + k.value;
		if (k.name && f.name.p[0] == ':') {
			take_pseudo(h, x, f.name, f.value);
		} else if (cookie && span_is(f.name, "cookie")) {
			if (!m->cookie.n)
				cx_buf_add(&m->cookie, cookie->value.p, cookie->value.n);
			cx_buf_adds(&m->cookie, "; ");
			cx_buf_add(&m->cookie, f.value.p, f.value.n);
		} else {
			if (span_is(f.name, "cookie"))
				cookie = &h->fields[h->n];
			h->fields[h->n++] = f;
		}
	}
	if (cookie && m->cookie.n)
		cookie->value = (struct span){m->cookie.p, m->cookie.n};
}

/* RFC 8441: for the process it is the upgrade of HTTP/1.1, whose key proves nothing to anybody here. */
static int
upgrade(struct h2 *m, struct http1 *h, const struct pseudo *x)
{
	unsigned char random[16];
	unsigned char key[25];

	if (h->method.n != 7 || memcmp(h->method.p, "CONNECT", 7) != 0 || !x->authority.p)
		return -400;
	if (!span_is(x->protocol, "websocket"))
		return -501;
	if (h->n + 1 >= HTTP1_FIELDS_MAX || RAND_bytes(random, sizeof(random)) != 1)
		return -400;
	for (size_t i = 0; i < h->n; i++)
		if (span_is(h->fields[i].name, "sec-websocket-key") || span_is(h->fields[i].name, "content-length"))
			return -400;
	(void)EVP_EncodeBlock(key, random, sizeof(random));
	memcpy(m->key, key, 24);
	h->method = (struct span){"GET", 3};
	h->fields[h->n++] = (struct http1_field){{"sec-websocket-key", 17}, {m->key, 24}, 0};
	return 0;
}

int
h2_block_request(struct h2 *m, struct http1 *h, struct stream *s)
{
	struct pseudo x = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
	int rc;

	read_block(m, h, &x);
	s->is_head = span_is(h->method, "head");
	if (m->too_large)
		return -400;
	if (!x.protocol.p)
		return http1_from_h2(h, x.authority);
	rc = upgrade(m, h, &x);
	if (rc == 0)
		rc = http1_from_h2(h, x.authority);
	h->upgrades = 1;
	h->upgrade = (struct span){"websocket", 9};
	return rc;
}

int
h2_block_trailer(struct h2 *m, struct http1 *h)
{
	struct pseudo x = {{NULL, 0}, {NULL, 0}, {NULL, 0}};

	read_block(m, h, &x);
	return m->too_large ? -400 : http1_h2_trailer(h);
}
