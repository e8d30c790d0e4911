/*
 * BuildKit's progress: protobuf messages of type StatusResponse (moby/buildkit
 * api/services/control/control.proto), base64 in the engine's reply. A decoder
 * of that message alone, which allocates nothing: the strings that a callback
 * gets point into the message and are not NUL-terminated.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stddef.h>
#include <stdint.h>

struct cx_err;

struct trace_str {
	const char *p; /* NULL when absent */
	size_t n;
};

/* A step of the build. */
struct trace_vertex {
	struct trace_str digest, name, error;
	int cached, started, completed;
};

/* Progress within a step; total 0 when it is not known. */
struct trace_status {
	struct trace_str vertex, id;
	int64_t current, total;
	int completed;
};

/* Output of a step; stream is 1 or 2. */
struct trace_log {
	struct trace_str vertex, text;
	int64_t stream;
};

struct trace_ops {
	void (*vertex)(void *arg, const struct trace_vertex *v);
	void (*status)(void *arg, const struct trace_status *s);
	void (*log)(void *arg, const struct trace_log *l);
};

/* Decodes one message; CX_SYS when it is malformed. */
int trace_decode(const void *p, size_t n, const struct trace_ops *ops, void *arg, struct cx_err *e);
/* Decodes base64 (RFC 4648, padding at the end alone) in place; returns the bytes, or -1. */
long trace_base64(char *p, size_t n);

#endif
