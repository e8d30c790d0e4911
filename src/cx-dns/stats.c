#include "stats.h"
#include <cx/buf.h>

struct row {
	const char *name, *labels, *help;
	size_t at;
	int gauge; /* 1: summed, 2: the same in each worker */
};

#define AT(member) offsetof(struct stats, member)

/* Rows of one name stand together, the first one has the help. */
static const struct row rows[] = {
	{"queries", "view=\"host\",transport=\"udp\"", "Queries received.", AT(queries[0][0]), 0},
	{"queries", "view=\"host\",transport=\"tcp\"", NULL, AT(queries[0][1]), 0},
	{"queries", "view=\"container\",transport=\"udp\"", NULL, AT(queries[1][0]), 0},
	{"queries", "view=\"container\",transport=\"tcp\"", NULL, AT(queries[1][1]), 0},
	{"answers", "rcode=\"NOERROR\"", "Answers sent.", AT(answers[0]), 0},
	{"answers", "rcode=\"FORMERR\"", NULL, AT(answers[1]), 0},
	{"answers", "rcode=\"SERVFAIL\"", NULL, AT(answers[2]), 0},
	{"answers", "rcode=\"NXDOMAIN\"", NULL, AT(answers[3]), 0},
	{"answers", "rcode=\"NOTIMP\"", NULL, AT(answers[4]), 0},
	{"answers", "rcode=\"REFUSED\"", NULL, AT(answers[5]), 0},
	{"answers", "rcode=\"BADVERS\"", NULL, AT(answers[16]), 0},
	{"answers", "rcode=\"other\"", NULL, AT(answers[23]), 0},
	{"ignored", NULL, "Messages that got no answer.", AT(ignored), 0},
	{"truncated", NULL, "Answers that were too long for the client's UDP.", AT(truncated), 0},
	{"strangers", NULL, "Queries for other domains of clients that they are not answered for.", AT(refused_clients),
		0},
	{"cache_hits", NULL, "Queries for other domains answered from the cache.", AT(hits), 0},
	{"cache_misses", NULL, "Those that were not.", AT(misses), 0},
	{"merged", NULL, "Queries that joined one that was at a resolver.", AT(merged), 0},
	{"limited", NULL, "Queries refused because too many waited.", AT(limited), 0},
	{"forwarded", NULL, "Messages sent to resolvers.", AT(forwarded), 0},
	{"replies", NULL, "Replies of resolvers that were believed.", AT(replies), 0},
	{"mismatched", NULL, "Messages from resolvers that were not.", AT(mismatched), 0},
	{"timeouts", NULL, "Resolvers that did not answer in time.", AT(timeouts), 0},
	{"failures", NULL, "Resolvers that refused, failed or could not be reached.", AT(failures), 0},
	{"loops", NULL, "Own queries that came back.", AT(loops), 0},
	{"tcp_accepted", NULL, "TCP connections accepted.", AT(accepted), 0},
	{"tcp_evicted", NULL, "Those closed to make room.", AT(evicted), 0},
	{"names", NULL, "Names of the domain.", AT(names), 2},
	{"tcp_connections", NULL, "TCP connections open.", AT(connections), 1},
	{"waiting", NULL, "Queries that wait for resolvers.", AT(waiting), 1},
	{"cache_entries", NULL, "Replies in the cache.", AT(cached), 1},
};

static uint64_t
value(const struct stats *all, unsigned workers, const struct row *r)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < workers; i++) {
		uint64_t one = *(const uint64_t *)(const void *)((const char *)&all[i] + r->at);

		v = r->gauge == 2 ? (one > v ? one : v) : v + one;
	}
	return v;
}

void
stats_text(const struct stats *all, unsigned workers, struct cx_buf *b)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		const char *suffix = r->gauge ? "" : "_total";

		if (r->help)
			cx_buf_addf(b, "# TYPE cx_dns_%s %s\n# HELP cx_dns_%s %s\n", r->name,
				r->gauge ? "gauge" : "counter", r->name, r->help);
		cx_buf_addf(b, "cx_dns_%s%s", r->name, suffix);
		if (r->labels)
			cx_buf_addf(b, "{%s}", r->labels);
		cx_buf_addf(b, " %llu\n", (unsigned long long)value(all, workers, r));
	}
	cx_buf_adds(b, "# EOF\n");
}
