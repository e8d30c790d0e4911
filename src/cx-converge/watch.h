/* What wakes a pass: changes in the spool (inotify), the engine's events (a child that reads the stream), the clock. */
#ifndef WATCH_H
#define WATCH_H

struct conv;
struct cx_err;

struct watch {
	int inotify, events; /* descriptors to wait for */
	int child; /* pid of the reader of the engine's events; -1: none */
	double next_child, settles;
};

int watch_open(struct watch *w, struct cx_err *e);
/* Adds watches for folders that are new; starts the reader of events when there is none. */
void watch_refresh(struct watch *w, struct conv *c);
/* Drops what was read: that something happened is all that counts. */
void watch_drain(struct watch *w);
void watch_close(struct watch *w);

#endif
