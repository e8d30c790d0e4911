#include "hint.h"
#include <cx/buf.h>
#include <string.h>

static const char *const noise[] = {"failed to solve with frontend dockerfile.v0: ",
	"failed to solve with frontend gateway.v0: ", "failed to solve: ", "failed to create LLB definition: ",
	"failed to build LLB: ", "rpc error: code = Unknown desc = "};

static const struct {
	const char *words, *hint;
} hints[] = {
	{"no such host", "the engine cannot find the registry: is there a network, and is the image's name right?"},
	{"i/o timeout", "the engine cannot reach the registry: is there a network?"},
	{"connection refused", "the engine cannot reach the registry: is the address right?"},
	{"pull access denied",
		"check the image's name; a private image must be pulled by hand first (docker login, docker pull)"},
	{"manifest unknown", "the image has no such tag"},
	{"unknown instruction", "look at that line of the Dockerfile"},
	{"parse error", "look at that line of the Dockerfile"},
	{"failed to compute cache key", "is the file there, and not left out by .dockerignore?"},
	{"COPY failed", "is the file there, and not left out by .dockerignore?"},
	{"ADD failed", "is the file there, and not left out by .dockerignore?"},
	{"failed to reach build target", "build.target names no stage of the Dockerfile"},
	{"target stage", "build.target names no stage of the Dockerfile"},
	{"no space left on device", "free some space: docker system df shows what takes it"},
	{"exit code: 137", "the step was killed, most often for lack of memory"},
	{"exit code: 127", "the step runs a command that the image does not have"},
	{"exit code: 126", "the step runs a file that is not executable"},
	{"non-zero code: 137", "the step was killed, most often for lack of memory"},
	{"non-zero code: 127", "the step runs a command that the image does not have"},
	{"non-zero code: 126", "the step runs a file that is not executable"},
};

/* The number behind the last occurrence of `mark`, at the end of the message, or NULL. */
static const char *
exit_code(const char *message, const char *mark)
{
	const char *found = NULL;

	for (const char *p = strstr(message, mark); p; p = strstr(p + 1, mark))
		found = p + strlen(mark);
	return found && *found && strspn(found, "0123456789") == strlen(found) ? found : NULL;
}

char *
hint_reason(const char *message)
{
	static const char *const marks[] = {"exit code: ", "returned a non-zero code: "};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		const char *code = exit_code(message, marks[i]);

		if (code)
			return cx_fmt("the command ended with exit status %s", code);
	}
	for (size_t i = 0; i < sizeof(noise) / sizeof(noise[0]);) {
		size_t n = strlen(noise[i]);

		if (strncmp(message, noise[i], n) == 0) {
			message += n;
			i = 0;
		} else {
			i++;
		}
	}
	return cx_strdup(message);
}

const char *
hint_find(const char *message)
{
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (strstr(message, hints[i].words))
			return hints[i].hint;
	return NULL;
}
