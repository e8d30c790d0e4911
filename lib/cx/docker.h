/*
 * The instructions of a Dockerfile, one at a time: continuation lines joined,
 * comments and here-documents left out, the directive "escape" obeyed.
 *
 *	struct cx_docker s = {.p = text, .n = n};
 *	CX_BUF struct cx_buf b = {0};
 *	while (cx_docker_next(&s, &b)) { const char *p = b.p; size_t w = cx_docker_word(&p); ... }
 */
#ifndef CX_DOCKER_H
#define CX_DOCKER_H

#include <stddef.h>

struct cx_buf;

#define CX_DOCKERFILE_MAX ((size_t)1 << 20)

struct cx_docker {
	const char *p;
	size_t n;
	/* Called for each comment line, from its "#", with its offset; NULL: not wanted. */
	void (*comment)(void *arg, size_t start, const char *p, size_t n);
	void *arg;
	unsigned line; /* where the last instruction begins, 1-based */
	/* private */
	size_t at;
	unsigned read; /* lines that were read */
	char escape;
	int body; /* past the parser directives at the top */
};

/* The next instruction in b; 0 at the end. */
int cx_docker_next(struct cx_docker *s, struct cx_buf *b);
/* Words of an instruction; quotes hold a word together. Skips blanks at *p and returns the length of the word
 * there, 0 at the end; the caller steps over it. */
size_t cx_docker_word(const char **p);
/* True when the instruction is this keyword; *rest is what follows it. */
int cx_docker_is(const char *instruction, const char *keyword, const char **rest);

#endif
