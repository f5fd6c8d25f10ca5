/* A library that is preloaded into a server. It sets the server's clock ahead by the seconds that are in the
   file AHEAD, as a long. The file may change at any time. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long ahead(void)
{
	static volatile long *seconds;
	if (!seconds) {
		int file = open(getenv("AHEAD"), O_RDONLY | O_CLOEXEC);
		void *content = mmap(NULL, sizeof *seconds, PROT_READ, MAP_SHARED, file, 0);
		if (content == MAP_FAILED)
			abort();
		close(file);
		seconds = content;
	}
	return *seconds;
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
