#include "layout.h"
#include "same.h"
#include <cx/buf.h>
#include <cx/err.h>
#include <string.h>
#include <yaml.h>

#define STEP 2 /* blanks a level */
#define DEPTH_MAX 256

struct block {
	unsigned old, new; /* columns in the file and in the result */
	int map, indentless; /* indentless: a list as deep as the key that it belongs to */
};

struct layout {
	const char *text;
	size_t n;
	const char *eol;
	struct cx_buf *out, *comments;
	yaml_parser_t parser;
	struct block stack[DEPTH_MAX], before[DEPTH_MAX]; /* before: as the stack was behind the last printed token */
	size_t depth, depth_before;
	size_t index, byte; /* libyaml counts characters: a pair that moves forward only */
	size_t end; /* byte behind the last printed token */
	unsigned line_old, line_new; /* where the current line began and begins */
	unsigned blank; /* empty lines that wait for what comes behind them */
	yaml_token_type_t last;
	int start; /* at the start of a line */
	int key; /* a simple key comes: it stands at the column of its map */
	int open_end; /* ends in a block scalar without a last line break: adding one would change it */
	int failed;
};

static size_t
byte_of(struct layout *l, size_t index)
{
	for (; l->index < index && l->byte < l->n; l->index++)
		for (l->byte++; l->byte < l->n && ((unsigned char)l->text[l->byte] & 0xC0) == 0x80; l->byte++)
			;
	return l->byte;
}

static size_t
line_end(const struct layout *l, size_t from, size_t to)
{
	const char *p = memchr(l->text + from, '\n', to - from);

	return p ? (size_t)(p - l->text) : to;
}

/* The end of [from, to) without blanks and without the CR of a CRLF. */
static size_t
trim(const struct layout *l, size_t from, size_t to)
{
	while (to > from && strchr(" \t\r", l->text[to - 1]))
		to--;
	return to;
}

static size_t
blanks(const struct layout *l, size_t from, size_t to)
{
	size_t n = 0;

	while (from + n < to && (l->text[from + n] == ' ' || l->text[from + n] == '\t'))
		n++;
	return n;
}

static void
put_line_start(struct layout *l, size_t column)
{
	if (!l->start)
		cx_buf_adds(l->out, l->eol);
	if (l->blank && l->out->n)
		cx_buf_adds(l->out, l->eol);
	for (size_t i = 0; i < column; i++)
		cx_buf_addc(l->out, ' ');
	l->blank = 0;
	l->start = 0;
}

/* A comment belongs to the innermost block that begins left of it, or to what comes behind it when that stands there.
 */
static unsigned
comment_column(const struct layout *l, size_t column, unsigned old, unsigned new)
{
	struct block best = {0};
	int found = 0;

	for (size_t i = 0; i < l->depth_before; i++)
		if (l->before[i].old <= column && (!found || l->before[i].old > best.old)) {
			best = l->before[i];
			found = 1;
		}
	for (size_t i = 0; i < l->depth; i++)
		if (l->stack[i].old <= column && (!found || l->stack[i].old >= best.old)) {
			best = l->stack[i];
			found = 1;
		}
	return old <= column && (!found || old >= best.old) ? new : best.new;
}

static void
put_comment(struct layout *l, size_t from, size_t to)
{
	cx_buf_add(l->out, l->text + from, to - from);
	cx_buf_add(l->comments, l->text + from, to - from);
	cx_buf_addc(l->comments, '\n');
}

/* What stands between two tokens: blanks, comments and line breaks. old and new: columns of what comes. */
static void
put_gap(struct layout *l, size_t to, unsigned old, unsigned new)
{
	size_t from = l->end;
	int broken = l->start;

	for (int first = !l->start;; first = 0) {
		size_t end = line_end(l, from, to), pad = blanks(l, from, end), stop = trim(l, from, end);

		if (from + pad < stop && l->text[from + pad] == '#') {
			/* Comments may be aligned with each other: what is before one on its line stays. */
			if (first && l->text[from] == ' ')
				cx_buf_add(l->out, l->text + from, strspn(l->text + from, " "));
			else if (first)
				cx_buf_addc(l->out, ' ');
			else
				put_line_start(l, comment_column(l, pad, old, new));
			put_comment(l, from + pad, stop);
		} else if (from + pad < stop) {
			l->failed = 1;
		} else if (!first && end < to) {
			l->blank++;
		}
		if (end >= to)
			break;
		broken = 1;
		from = end + 1;
	}
	if (broken && to < l->n)
		put_line_start(l, new);
	l->end = to;
}

static const char *
separator(yaml_token_type_t last, yaml_token_type_t next)
{
	if (next == YAML_VALUE_TOKEN && (last == YAML_SCALAR_TOKEN || last == YAML_FLOW_SEQUENCE_END_TOKEN))
		return "";
	return " ";
}

/* The lines behind the first of a scalar or flow collection move as their first line did. */
static void
put_rest(struct layout *l, size_t from, size_t to, unsigned least)
{
	while (from < to) {
		size_t end = line_end(l, from, to), pad = blanks(l, from, end), stop = end;
		size_t column = pad + l->line_new;

		if (stop > from && l->text[stop - 1] == '\r')
			stop--;
		column = column > l->line_old ? column - l->line_old : 0;
		cx_buf_adds(l->out, l->eol);
		if (from + pad < stop) {
			for (size_t i = column > least ? column : least; i > 0; i--)
				cx_buf_addc(l->out, ' ');
			cx_buf_add(l->out, l->text + from + pad, stop - from - pad);
		}
		from = end + 1;
	}
}

static void
put_text(struct layout *l, size_t from, size_t to, int flow)
{
	size_t end = line_end(l, from, to);
	unsigned inner = l->depth ? l->stack[l->depth - 1].new : 0;

	cx_buf_add(l->out, l->text + from, end < to && l->text[end - 1] == '\r' ? end - 1 - from : end - from);
	if (end < to)
		put_rest(l, end + 1, to, l->depth && !flow ? inner + STEP : inner);
	l->end = to;
}

/* Where the text of a block scalar stands in the file: as its header says, or as its first line shows. */
static size_t
block_indent(const struct layout *l, size_t from, size_t to, unsigned digit)
{
	const struct block *top = l->depth ? &l->stack[l->depth - 1] : NULL;

	if (digit)
		return (top ? top->old : 0) + digit;
	while (from < to) {
		size_t end = line_end(l, from, to), n = strspn(l->text + from, " ");

		if (from + n < trim(l, from, end) || (from + n < end && l->text[from + n] == '\t'))
			return n;
		from = end + 1;
	}
	return l->n;
}

static void
put_block_lines(struct layout *l, size_t from, size_t to, size_t old, size_t new, int keep)
{
	while (from < to) {
		size_t end = line_end(l, from, to), stop = end, n = strspn(l->text + from, " ");

		if (stop > from && stop < to && l->text[stop - 1] == '\r')
			stop--;
		if (from + n >= stop && n <= old) {
			l->blank++;
		} else {
			for (; l->blank; l->blank--)
				cx_buf_adds(l->out, l->eol);
			for (size_t i = 0; i < new; i++)
				cx_buf_addc(l->out, ' ');
			cx_buf_add(l->out, l->text + from + old, stop - from - old);
			l->open_end = end == to;
			if (end < to)
				cx_buf_adds(l->out, l->eol);
		}
		from = end + 1;
	}
	for (; keep && l->blank; l->blank--)
		cx_buf_adds(l->out, l->eol);
}

static void
put_block_scalar(struct layout *l, size_t from, size_t to)
{
	size_t end = line_end(l, from, to), stop = trim(l, from, end), head = from + 1, comment, old;
	unsigned digit = 0, inner = l->depth ? l->stack[l->depth - 1].new : 0;
	int keep = 0;

	for (; head < stop && strchr("+-123456789", l->text[head]); head++) {
		if (l->text[head] >= '1' && l->text[head] <= '9')
			digit = (unsigned)(l->text[head] - '0');
		keep |= l->text[head] == '+';
	}
	cx_buf_add(l->out, l->text + from, stop - from);
	comment = head + blanks(l, head, stop);
	if (comment < stop) {
		cx_buf_add(l->comments, l->text + comment, stop - comment);
		cx_buf_addc(l->comments, '\n');
	}
	l->end = to;
	if (end >= to)
		return;
	cx_buf_adds(l->out, l->eol);
	l->start = 1;
	old = block_indent(l, end + 1, to, digit);
	put_block_lines(l, end + 1, to, old, digit ? inner + digit : l->depth ? inner + STEP : old, keep);
}

static unsigned
column_of(const struct layout *l, yaml_token_type_t type)
{
	const struct block *top = l->depth ? &l->stack[l->depth - 1] : NULL;

	switch (type) {
	case YAML_SCALAR_TOKEN:
	case YAML_ALIAS_TOKEN:
	case YAML_ANCHOR_TOKEN:
	case YAML_TAG_TOKEN:
	case YAML_FLOW_SEQUENCE_START_TOKEN:
		return !top ? 0 : l->key ? top->new : top->new + STEP;
	default:
		return top ? top->new : 0;
	}
}

static int
is_block_scalar(const yaml_token_t *t)
{
	return t->type == YAML_SCALAR_TOKEN &&
	       (t->data.scalar.style == YAML_LITERAL_SCALAR_STYLE || t->data.scalar.style == YAML_FOLDED_SCALAR_STYLE);
}

/* Prints a token that has text; end: where it ends (a flow collection: with all that is in it). */
static void
place(struct layout *l, const yaml_token_t *t, yaml_token_type_t type, size_t end)
{
	size_t from = byte_of(l, t->start_mark.index), to = byte_of(l, end), had = l->out->n;
	unsigned column = column_of(l, type), old = (unsigned)t->start_mark.column;
	int first = l->start;

	put_gap(l, from, old, column);
	if (first || memchr(l->out->p + had, '\n', l->out->n - had)) {
		l->line_old = old;
		l->line_new = column;
	} else {
		cx_buf_adds(l->out, separator(l->last, type));
	}
	if (is_block_scalar(t))
		put_block_scalar(l, from, to);
	else
		put_text(l, from, to, type == YAML_FLOW_SEQUENCE_START_TOKEN);
	memcpy(l->before, l->stack, l->depth * sizeof(l->stack[0]));
	l->depth_before = l->depth;
	l->last = type == YAML_FLOW_SEQUENCE_START_TOKEN ? YAML_FLOW_SEQUENCE_END_TOKEN : type;
	l->key = 0;
}

static void
push(struct layout *l, unsigned old, int map, int indentless)
{
	unsigned new = l->depth ? l->stack[l->depth - 1].new + STEP : 0;

	if (l->depth < DEPTH_MAX)
		l->stack[l->depth++] = (struct block){old, new, map, indentless};
	else
		l->failed = 1;
}

/* Such a list has no end token: whatever belongs to the map around it ends it. */
static void
end_indentless(struct layout *l)
{
	if (l->depth && l->stack[l->depth - 1].indentless)
		l->depth--;
}

static int
next_token(struct layout *l, yaml_token_t *t)
{
	return yaml_parser_scan(&l->parser, t) ? 1 : (l->failed = 1, 0);
}

/* A flow collection keeps its text: only where its lines begin changes. */
static void
place_flow(struct layout *l, const yaml_token_t *first)
{
	size_t end = 0;
	int level = 1;

	while (level > 0 && !l->failed) {
		yaml_token_t t;

		if (!next_token(l, &t))
			return;
		level += t.type == YAML_FLOW_SEQUENCE_START_TOKEN || t.type == YAML_FLOW_MAPPING_START_TOKEN;
		level -= t.type == YAML_FLOW_SEQUENCE_END_TOKEN || t.type == YAML_FLOW_MAPPING_END_TOKEN;
		l->failed |= t.type == YAML_STREAM_END_TOKEN;
		end = t.end_mark.index;
		yaml_token_delete(&t);
	}
	place(l, first, YAML_FLOW_SEQUENCE_START_TOKEN, end);
}

static void
lay(struct layout *l, const yaml_token_t *t)
{
	switch (t->type) {
	case YAML_STREAM_START_TOKEN:
		return;
	case YAML_STREAM_END_TOKEN:
		put_gap(l, l->n, 0, 0);
		return;
	case YAML_BLOCK_SEQUENCE_START_TOKEN:
	case YAML_BLOCK_MAPPING_START_TOKEN:
		push(l, (unsigned)t->start_mark.column, t->type == YAML_BLOCK_MAPPING_START_TOKEN, 0);
		return;
	case YAML_BLOCK_END_TOKEN:
		end_indentless(l);
		l->depth -= l->depth > 0;
		return;
	case YAML_KEY_TOKEN:
		end_indentless(l);
		l->key = t->start_mark.index == t->end_mark.index;
		if (!l->key)
			place(l, t, t->type, t->end_mark.index);
		return;
	case YAML_FLOW_SEQUENCE_START_TOKEN:
	case YAML_FLOW_MAPPING_START_TOKEN:
		place_flow(l, t);
		return;
	case YAML_VALUE_TOKEN:
		end_indentless(l);
		break;
	case YAML_BLOCK_ENTRY_TOKEN:
		if (l->depth && l->stack[l->depth - 1].map)
			push(l, l->stack[l->depth - 1].old, 0, 1);
		break;
	default:
		break;
	}
	place(l, t, t->type, t->end_mark.index);
}

/* One pass, without proof. */
static int
lay_out(const char *text, size_t n, struct cx_buf *out, struct cx_buf *comments)
{
	struct layout *l = cx_alloc(sizeof(*l));
	const char *lf = memchr(text, '\n', n);
	int done = 0, rc;

	l->text = text;
	l->n = n;
	l->eol = lf && lf > text && lf[-1] == '\r' ? "\r\n" : "\n";
	l->out = out;
	l->comments = comments;
	l->start = 1;
	if (!yaml_parser_initialize(&l->parser))
		abort();
	yaml_parser_set_encoding(&l->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l->parser, (const unsigned char *)text, n);
	while (!done && !l->failed) {
		yaml_token_t t;

		if (!next_token(l, &t))
			break;
		done = t.type == YAML_STREAM_END_TOKEN;
		lay(l, &t);
		yaml_token_delete(&t);
	}
	if (!l->start && out->n && !l->open_end)
		cx_buf_adds(out, l->eol);
	yaml_parser_delete(&l->parser);
	rc = l->failed ? -1 : 0;
	free(l);
	return rc;
}

/* Line breaks that libyaml knows and that editors do not agree on: CR alone, NEL, LS, PS. */
static int
odd_break(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\r' && (i + 1 == n || text[i + 1] != '\n'))
			return 1;
		if (i + 1 < n && memcmp(text + i, "\xC2\x85", 2) == 0)
			return 1;
		if (i + 2 < n && (memcmp(text + i, "\xE2\x80\xA8", 3) == 0 || memcmp(text + i, "\xE2\x80\xA9", 3) == 0))
			return 1;
	}
	return 0;
}

int
layout_text(const char *text, size_t n, struct cx_buf *out, struct cx_err *e)
{
	CX_BUF struct cx_buf once = {0}, twice = {0}, before = {0}, after = {0};
	size_t bom = n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;

	text += bom;
	n -= bom;
	if (odd_break(text, n)) {
		(void)cx_err_set(e, CX_BAD, "the file has line breaks that are neither LF nor CRLF");
		return cx_err_hint(e, "it stays as it is; replace the lone CR, or U+0085, U+2028, U+2029 in it");
	}
	if (lay_out(text, n, &once, &before) < 0 || lay_out(cx_buf_str(&once), once.n, &twice, &after) < 0 ||
		strcmp(cx_buf_str(&once), cx_buf_str(&twice)) != 0 ||
		strcmp(cx_buf_str(&before), cx_buf_str(&after)) != 0 ||
		!same_yaml(text, n, cx_buf_str(&once), once.n)) {
		(void)cx_err_set(e, CX_BAD, "the file cannot be laid out without changing what it means");
		return cx_err_hint(e, "it stays as it is; this is a fault of cx-manifest, please report it");
	}
	cx_buf_add(out, text - bom, bom);
	cx_buf_add(out, cx_buf_str(&once), once.n);
	return 0;
}
