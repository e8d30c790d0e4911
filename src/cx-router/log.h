/*
 * The access log: a line a request, gathered in memory, written by a thread of
 * its own in large pieces, so that a slow disk holds up no request. What does
 * not fit in LOG_BUFFER while the disk is slow is dropped and counted.
 */
#ifndef LOG_H
#define LOG_H

struct log;
struct router;
struct stream;

enum log_format { LOG_JSON, LOG_ALB };

/* Takes the descriptor; -1: no log. */
struct log *log_open(int fd, enum log_format format);
/* A request has ended: it is counted, and logged. */
void log_request(struct stream *s);
/* Hands over what was gathered. */
void log_flush(struct router *r);
/* From now on to another file; takes the descriptor. */
void log_replace(struct router *r, int fd);
/* Writes what is left, for at most two seconds. */
void log_close(struct router *r);

#endif
