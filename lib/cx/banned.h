/* Functions that cannot be used safely do not compile. Included by the compiler's command line. */
#ifndef CX_BANNED_H
#define CX_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok tmpnam mktemp system popen

#endif
