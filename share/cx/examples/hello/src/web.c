/* Answers a greeting (GREETING, or else the image's file), and what the api says when asked at API_URL. */
#include "fetch.h"
#include "serve.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char greeting[512];

static int
say(const char *path, char *text)
{
	char said[1024], why[256];
	const char *url = getenv("API_URL");

	if (strcmp(path, "/health") == 0)
		return snprintf(text, REPLY_MAX, "ok\n"), 200;
	if (strcmp(path, "/") != 0)
		return snprintf(text, REPLY_MAX, "no such path\n"), 404;
	if (fetch(url ? url : "", said, sizeof(said), why, sizeof(why)) < 0) {
		(void)snprintf(text, REPLY_MAX, "%s\nweb process %s cannot ask %s: %s\n", greeting, process_id(),
			url ? url : "the api (API_URL is not set)", why);
		return 502;
	}
	(void)snprintf(text, REPLY_MAX, "%s\nweb process %s asked %s: %s", greeting, process_id(), url, said);
	return 200;
}

int
main(void)
{
	FILE *f = fopen("/greeting", "re");
	const char *said = getenv("GREETING");

	if (!f || !fgets(greeting, sizeof(greeting), f)) {
		(void)fprintf(stderr, "/greeting cannot be read\n");
		return 1;
	}
	(void)fclose(f);
	if (said && *said)
		(void)snprintf(greeting, sizeof(greeting), "%s", said);
	greeting[strcspn(greeting, "\n")] = 0;
	if (fetch_init() < 0) {
		(void)fprintf(stderr, "no certificate authorities: is SSL_CERT_FILE right?\n");
		return 1;
	}
	return serve(3000, say);
}
