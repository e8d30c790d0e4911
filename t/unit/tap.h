/* The little of TAP that unit tests need: ok() prints a line, done() the plan and gives the exit status. */
#ifndef TAP_H
#define TAP_H

#include <stdio.h>

static int tap_n, tap_bad;

static void
ok(int good, const char *promise)
{
	tap_bad += !good;
	printf("%sok %d %s\n", good ? "" : "not ", ++tap_n, promise);
}

static int
done(void)
{
	printf("1..%d\n", tap_n);
	return tap_bad != 0;
}

#endif
