#include "decode.h"
#include <cx/err.h>
#include <string.h>

void
decode_free(struct decoder *d)
{
	cx_buf_free(&d->piece);
	cx_buf_free(&d->out);
	for (int i = 0; i < 3; i++)
		cx_buf_free(&d->line[i].text);
}

static void
put_line(struct decoder *d, int stream)
{
	struct line *l = &d->line[stream];

	cx_buf_addf(&d->out, "%s %d ", l->time, stream);
	cx_buf_add(&d->out, l->text.p, l->text.n);
	cx_buf_addc(&d->out, '\n');
	l->text.n = 0;
	l->begun = 0;
}

/* TIME TEXT[\n], one message of the engine. */
static void
put_piece(struct decoder *d, int stream)
{
	struct line *l = &d->line[stream];
	const char *p = cx_buf_str(&d->piece), *end = p + d->piece.n;
	const char *space = memchr(p, ' ', d->piece.n < TIME_MAX ? d->piece.n : TIME_MAX - 1);

	if (!space || memchr(p, '\n', (size_t)(space - p)) || memchr(p, '\0', (size_t)(space - p)))
		return;
	if (!l->begun)
		(void)snprintf(l->time, sizeof(l->time), "%.*s", (int)(space - p), p);
	for (p = space + 1; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		l->begun = 1;
		cx_buf_add(&l->text, p, (size_t)((nl ? nl : end) - p));
		if (nl || l->text.n > LINE_MAX_BYTES)
			put_line(d, stream);
		p = nl ? nl + 1 : end;
	}
}

static int
on_frame(void *arg, int stream, const char *p, size_t n)
{
	struct decoder *d = arg;

	if (d->piece.n + n > 2 * LINE_MAX_BYTES)
		return 1;
	cx_buf_add(&d->piece, p, n);
	if (d->demux.left == n) { /* the frame's last bytes */
		put_piece(d, stream ? stream : 1);
		d->piece.n = 0;
	}
	return 0;
}

int
decode_framed(struct decoder *d, const char *p, size_t n, struct cx_err *e)
{
	int rc = cx_demux(&d->demux, p, n, on_frame, d, e);

	return rc > 0 ? cx_err_set(e, CX_SYS, "the container engine sent a frame that is too large") : rc;
}

void
decode_terminal(struct decoder *d, const char *p, size_t n)
{
	for (; n; p++, n--) {
		if (*p == '\n' || d->piece.n > LINE_MAX_BYTES) {
			if (d->piece.n && d->piece.p[d->piece.n - 1] == '\r')
				d->piece.n--;
			cx_buf_addc(&d->piece, '\n');
			put_piece(d, 1);
			d->piece.n = 0;
		}
		if (*p != '\n')
			cx_buf_addc(&d->piece, *p);
	}
}

void
decode_end(struct decoder *d)
{
	for (int i = 1; i < 3; i++)
		if (d->line[i].begun)
			put_line(d, i);
}

int
record_cut(char *p, size_t n, struct record *r)
{
	char *space = memchr(p, ' ', n < TIME_MAX ? n : TIME_MAX);

	if (!space || (size_t)(space - p) + 3 > n || space[2] != ' ' || (space[1] != '1' && space[1] != '2'))
		return 0;
	*space = '\0';
	r->time = p;
	r->stream = space[1] - '0';
	r->text = space + 3;
	r->text_n = n - (size_t)(space + 3 - p);
	return 1;
}
