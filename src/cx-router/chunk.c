/* Chunked bodies (RFC 9112, 7.1). */
#include "http1.h"

enum { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF };

static int
hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* One byte that is not body. -1 broken, 1 the body has ended. */
static int
chunk_byte(struct http1_chunk *c, char b)
{
	unsigned char u = (unsigned char)b;

	switch (c->state) {
	case SIZE:
		if (hex(b) >= 0) {
			c->left = c->left * 16 + (unsigned)hex(b);
			return ++c->digits > 15 ? -1 : 0;
		}
		c->line = 0;
		c->state = b == ';' ? EXTENSION : SIZE_LF;
		return c->digits && (b == '\r' || b == ';') ? 0 : -1;
	case EXTENSION:
		if (c->line++ == 0 ? !http1_is_token(u)
				   : (u < 0x20 && b != '\r' && b != '\t') || u == 0x7f || c->line > 1024)
			return -1;
		if (b == '\r')
			c->state = SIZE_LF;
		return 0;
	case SIZE_LF:
		c->digits = 0;
		c->line = 0;
		if (b != '\n')
			return -1;
		c->state = c->left ? DATA : SIZE;
		return c->left ? 0 : 1;
	case DATA_CR:
		c->state = DATA_LF;
		return b == '\r' ? 0 : -1;
	default:
		c->state = SIZE;
		return b == '\n' ? 0 : -1;
	}
}

int
http1_chunk(struct http1_chunk *c, const char *p, size_t n, size_t *used, const char **data, size_t *data_n)
{
	*used = *data_n = 0;
	while (*used < n) {
		int rc;

		if (c->state == DATA) {
			size_t take = n - *used < c->left ? n - *used : (size_t)c->left;

			*data = p + *used;
			*data_n = take;
			*used += take;
			c->left -= take;
			if (c->left == 0)
				c->state = DATA_CR;
			return 0;
		}
		rc = chunk_byte(c, p[(*used)++]);
		if (rc)
			return rc;
	}
	return 0;
}
