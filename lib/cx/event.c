#include <cx/event.h>
#include <cx/spool.h>
#include <string.h>

static json_t *
lines(const char *log)
{
	json_t *a = json_array();

	while (log && *log) {
		size_t n = strcspn(log, "\n");

		/* Bytes of a container need not be UTF-8: what is not is left out, not the whole event. */
		(void)json_array_append_new(
			a, cx_utf8_valid(log, n) ? json_stringn(log, n) : json_string("(binary line)"));
		log += n + (log[n] == '\n');
	}
	return a;
}

json_t *
cx_event_json(const struct cx_event *ev, long long *seq)
{
	static long long own;
	const struct {
		const char *key, *value;
	} strings[] = {{"app", ev->app}, {"build", ev->build}, {"release", ev->release}, {"attempt", ev->attempt},
		{"at", ev->at}, {"id", ev->id}, {"process", ev->process}, {"state", ev->state}, {"text", ev->text},
		{"reason", ev->reason}, {"hint", ev->hint}};
	json_t *j = json_object();
	char now[32];

	cx_time_now(now);
	cx_json_seti(j, "v", 1);
	cx_json_seti(j, "seq", ++*(seq ? seq : &own));
	cx_json_set(j, "time", now);
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		const char *v = strings[i].value;

		if (v)
			cx_json_set(j, strings[i].key, cx_utf8_valid(v, strlen(v)) ? v : "(binary)");
	}
	if (ev->total > 0) {
		cx_json_seti(j, "current", ev->current);
		cx_json_seti(j, "total", ev->total);
	}
	if (ev->log)
		(void)json_object_set_new(j, "log", lines(ev->log));
	return j;
}
