/*
 * One daemon of the rack as its supervisor sees it: started, ready, ended,
 * started again later each time. All lines that it prints go to its log.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include <cx/json.h>
#include <sys/types.h>

struct cx_err;

#define LINE_MAX 4096

enum phase { STOPPED, STARTING, UP, BACKOFF, FAILED };

struct daemon {
	char name[32];
	enum phase phase;
	pid_t pid;
	unsigned long long birth; /* start time of the pid, ticks since boot */
	int out, ready; /* our ends: its output, the byte that says it is ready */
	int log; /* directory of the spool, borrowed */
	double since, next; /* monotonic seconds: of the phase, of the next start */
	double delay;
	unsigned restarts;
	int exit; /* status, or 128 + signal; -1: none yet */
	char since_text[32], last[512];
	char line[LINE_MAX];
	size_t n;
};

double daemon_now(void);
void daemon_init(struct daemon *d, const char *name, int spool_dir);
void daemon_start(struct daemon *d);
/* Reads its output into the log. */
void daemon_read(struct daemon *d);
/* Looks at the byte of readiness. True when the phase changed. */
int daemon_check_ready(struct daemon *d);
/* It ended with this wait status. */
void daemon_ended(struct daemon *d, int status);
json_t *daemon_json(const struct daemon *d);
/* Start time of a process (field 22 of /proc/PID/stat), 0 when it is gone. */
unsigned long long daemon_birth(pid_t pid);

/* Appends a line with its time to log/NAME.log, which is rotated to .1 at LOG_MAX bytes. */
void daemon_log(struct daemon *d, const char *line, size_t n);

#endif
