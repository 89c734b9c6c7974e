/* SPDX-License-Identifier: MIT */
#include "reaper_watch.h"

#include "harness.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

atomic_int jobs_done, jobs_done_here;
atomic_int fds_closed, fds_closed_here;

static bool
on_first_thread(void)
{
	return syscall(SYS_gettid) == getpid();
}

void
submit(void (*run)(struct reaper_job *job))
{
	struct reaper_job *job = malloc(sizeof(*job));
	if (job == NULL)
		abort();
	job->run = run;
	reaper_submit(job);
}

void
count_job(struct reaper_job *job)
{
	if (on_first_thread())
		atomic_fetch_add(&jobs_done_here, 1);
	atomic_fetch_add(&jobs_done, 1);
	free(job);
}

static int
counted_close(int fd)
{
	int result = close(fd);
	if (on_first_thread())
		atomic_fetch_add(&fds_closed_here, 1);
	atomic_fetch_add(&fds_closed, 1);
	return result;
}

void
watch_closes(void)
{
	static const struct reaper_syscalls counted = {
		pthread_create, counted_close,
	};
	reaper_syscalls = &counted;
}

int
count_reaper_threads(void)
{
	int count = 0;
	DIR *dir = opendir("/proc/self/task");
	if (dir == NULL)
		return -1;
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		char path[300], name[32] = "";
		snprintf(path, sizeof(path), "/proc/self/task/%s/comm",
			entry->d_name);
		FILE *file = fopen(path, "re");
		if (file == NULL)
			continue;
		if (fgets(name, sizeof(name), file) != NULL &&
				strcmp(name, "shmguard-reaper\n") == 0)
			count++;
		fclose(file);
	}
	closedir(dir);
	return count;
}

void
must_become(atomic_int *value, int expected)
{
	for (int i = 0; i < PATIENCE_SECONDS * 100; i++) {
		if (atomic_load(value) == expected)
			return;
		usleep(10 * 1000);
	}
	ck_assert_int_eq(atomic_load(value), expected);
}

/* The kernel lists a thread for a moment after it was joined. */
void
must_have_reaper_threads(int expected)
{
	for (int i = 0; i < PATIENCE_SECONDS * 100; i++) {
		if (count_reaper_threads() == expected)
			return;
		usleep(10 * 1000);
	}
	ck_assert_int_eq(count_reaper_threads(), expected);
}
