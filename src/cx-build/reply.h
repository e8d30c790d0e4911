/*
 * The engine's reply to a build or a pull: JSON objects, one a line, of
 * BuildKit (traces), of the classic builder and Podman ("stream": text), and
 * of pulls ("status"). A failure comes in the stream, behind a 200.
 */
#ifndef REPLY_H
#define REPLY_H

#include "talk.h"
#include <stddef.h>

struct cx_err;
struct reply;

struct reply *reply_new(struct talk *t, const char *id);
void reply_free(struct reply *r);
/* Takes bytes as they come; the callback of cx_http_req. Non-zero: the reply makes no sense. */
int reply_feed(void *reply, const char *p, size_t n);
/* Shows how much of the source was sent. */
void reply_upload(struct reply *r, long long done, long long total);
/* True when reply_feed gave up. */
int reply_broken(const struct reply *r);
/* At the end of the reply: 0, or -1 (CX_NO) with the cause, after the event that tells it. */
int reply_end(struct reply *r, struct cx_err *e);

#endif
