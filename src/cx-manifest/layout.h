/*
 * The one layout of a YAML file, made of libyaml's tokens: blocks are indented
 * by two, lists in maps too, one blank between tokens, at most one empty line,
 * no blanks at line ends. Comments, anchors, quotes, block scalars, flow
 * collections and line breaks (LF or CRLF) stay as they are.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <stddef.h>

struct cx_buf;
struct cx_err;

/*
 * Appends the laid-out text to out. The result was read again: it has the same
 * values, styles, anchors and comments, and laying it out once more changes
 * nothing. -1 with e set (CX_BAD) when text is not YAML, or cannot be laid out
 * without changing it.
 */
int layout_text(const char *text, size_t n, struct cx_buf *out, struct cx_err *e);

#endif
