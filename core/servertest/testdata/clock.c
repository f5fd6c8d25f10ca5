/* A library that is preloaded into a server. It sets the server's clock AHEAD seconds ahead. */

#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long ahead(void)
{
	const char *seconds = getenv("AHEAD");
	return seconds ? atol(seconds) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	int result = syscall(SYS_clock_gettime, clock, now);
	if (clock == CLOCK_REALTIME)
		now->tv_sec += ahead();
	return result;
}

int gettimeofday(struct timeval *now, void *zone)
{
	int result = syscall(SYS_gettimeofday, now, zone);
	now->tv_sec += ahead();
	return result;
}

time_t time(time_t *now)
{
	struct timeval t;
	gettimeofday(&t, NULL);
	if (now)
		*now = t.tv_sec;
	return t.tv_sec;
}
