/*
 * The display of events. On a terminal each running step is one live line,
 * redrawn in place, that becomes a permanent line when it ends; elsewhere each
 * start and end is a plain line. Progress output of a step is shown dimmed.
 */
#include <cx/buf.h>
#include <cx/event.h>
#include <cx/own.h>
#include <cx/proc.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define LIVE_MAX 20

struct step {
	char *key, *label, *note;
	double start;
};

struct cx_display {
	struct step live[LIVE_MAX];
	size_t n;
	size_t drawn; /* live lines on the screen */
	int tty, colour, json, columns;
	double last;
};

static double
now_s(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

struct cx_display *
cx_display_new(void)
{
	struct cx_display *d = cx_alloc(sizeof(*d));
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	struct winsize ws;

	d->json = cx_json_wanted();
	d->tty = !d->json && isatty(2) && !(term && strcmp(term, "dumb") == 0);
	d->colour = d->tty && !(no_color && *no_color);
	d->columns = ioctl(2, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 20 ? ws.ws_col : 80;
	return d;
}

/* Foreign text on a terminal: control bytes must not act. Cut to `max` bytes at a character. */
static void
put_text(const char *s, size_t max)
{
	size_t n = strlen(s);

	if (n > max)
		for (n = max; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80;)
			n--;
	for (size_t i = 0; i < n; i++)
		fputc((unsigned char)s[i] < 0x20 || s[i] == 0x7f ? ' ' : s[i], stderr);
}

static void
put_coloured(const struct cx_display *d, const char *code, const char *s)
{
	(void)fprintf(stderr, d->colour ? "\033[%sm%s\033[0m" : "%.0s%s", code, s);
}

static void
erase_live(struct cx_display *d)
{
	for (; d->drawn; d->drawn--)
		fputs("\033[1A\033[2K", stderr);
}

static void
draw_live(struct cx_display *d)
{
	double t = now_s();

	if (!d->tty)
		return;
	for (size_t i = 0; i < d->n; i++, d->drawn++) {
		const struct step *s = &d->live[i];
		char elapsed[24];
		size_t room = (size_t)d->columns - 12, used = strlen(s->label);

		(void)snprintf(elapsed, sizeof(elapsed), "%5.1fs", t - s->start);
		fputs("  ", stderr);
		put_coloured(d, "33", elapsed);
		fputs("  ", stderr);
		put_text(s->label, room);
		if (s->note && used + 2 < room) {
			fputs("  ", stderr);
			put_text(s->note, room - used - 2);
		}
		fputc('\n', stderr);
	}
}

static struct step *
find_step(struct cx_display *d, const char *key)
{
	for (size_t i = 0; i < d->n; i++)
		if (strcmp(d->live[i].key, key) == 0)
			return &d->live[i];
	return NULL;
}

static void
start_step(struct cx_display *d, const char *key, const char *label)
{
	struct step *s = find_step(d, key);

	if (s || d->n == LIVE_MAX)
		return;
	s = &d->live[d->n++];
	s->key = cx_strdup(key);
	s->label = cx_strdup(label);
	s->note = NULL;
	s->start = now_s();
}

/* Removes the step; returns its seconds, or -1 when there was none. */
static double
end_step(struct cx_display *d, const char *key)
{
	struct step *s = find_step(d, key);
	double t;

	if (!s)
		return -1;
	t = now_s() - s->start;
	free(s->key);
	free(s->label);
	free(s->note);
	*s = d->live[--d->n];
	return t;
}

static void
put_detail(const struct cx_display *d, const json_t *ev)
{
	const char *reason = cx_json_str(ev, "reason"), *hint = cx_json_str(ev, "hint");
	const json_t *log = json_object_get(ev, "log"), *line;
	size_t i;

	if (reason) {
		fputs("          ", stderr);
		put_text(reason, 2000);
		fputc('\n', stderr);
	}
	json_array_foreach (log, i, line) {
		fputs("          | ", stderr);
		put_text(json_string_value(line) ? json_string_value(line) : "", 2000);
		fputc('\n', stderr);
	}
	if (hint) {
		fputs("          ", stderr);
		put_coloured(d, "36", "hint: ");
		put_text(hint, 2000);
		fputc('\n', stderr);
	}
}

static void
put_end(struct cx_display *d, const json_t *ev, const char *label, const char *state, double t)
{
	static const struct {
		const char *state, *mark, *colour;
	} marks[] = {{"done", "ok", "32"}, {"fail", "FAIL", "31"}, {"skip", "same", "2"}, {"warn", "warn", "33"}};
	const char *mark = state, *colour = "0", *text = cx_json_str(ev, "text");
	char padded[16];

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (strcmp(marks[i].state, state) == 0) {
			mark = marks[i].mark;
			colour = marks[i].colour;
		}
	(void)snprintf(padded, sizeof(padded), "%6s", mark);
	fputs("  ", stderr);
	put_coloured(d, colour, padded);
	fputs("  ", stderr);
	put_text(label, 2000);
	if (text) {
		fputs("  ", stderr);
		put_text(text, 2000);
	}
	if (t >= 0.05)
		(void)fprintf(stderr, "  (%.1fs)", t);
	fputc('\n', stderr);
	put_detail(d, ev);
}

static void
note_progress(struct cx_display *d, const json_t *ev, const char *key)
{
	const char *text = cx_json_strd(ev, "text", "");
	struct step *s = find_step(d, key);
	long long total = cx_json_int(ev, "total", 0);

	if (!s)
		return;
	free(s->note);
	s->note = total > 0 ? cx_fmt("%s %lld%%", text, cx_json_int(ev, "current", 0) * 100 / total) : cx_strdup(text);
}

void
cx_display_event(struct cx_display *d, const json_t *ev)
{
	const char *at = cx_json_strd(ev, "at", ""), *id = cx_json_strd(ev, "id", "");
	const char *state = cx_json_strd(ev, "state", ""), *process = cx_json_str(ev, "process");
	CX_FREE char *key = cx_fmt("%s/%s/%s", at, id, process ? process : "");
	CX_FREE char *label =
		cx_fmt("%-8s %s", at, *id ? id : cx_json_strd(ev, "release", cx_json_strd(ev, "build", "")));
	double t;

	if (d->json) {
		CX_FREE char *text = cx_json_text(ev);

		(void)fprintf(stderr, "%s\n", text);
		return;
	}
	if (strcmp(state, "progress") == 0) {
		note_progress(d, ev, key);
		if (!d->tty || now_s() - d->last < 0.1)
			return;
		erase_live(d);
	} else {
		erase_live(d);
		if (strcmp(state, "start") == 0) {
			start_step(d, key, label);
			note_progress(d, ev, key); /* what it does, until it says more */
		} else {
			t = end_step(d, key);
			put_end(d, ev, label, state, t);
		}
	}
	d->last = now_s();
	draw_live(d);
}

void
cx_display_free(struct cx_display *d)
{
	if (!d)
		return;
	erase_live(d);
	while (d->n)
		(void)end_step(d, d->live[0].key);
	free(d);
}
