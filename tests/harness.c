/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "heap_count.h"
#include "sanitizers.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif

#ifdef SANITIZED
#define TEST_SECONDS 120
#else
#define TEST_SECONDS 60
#endif

/* Threads that a test rightly does not wait for may still be closing and
 * freeing things when it ends. */
#define SETTLE_TRIES 1000
#define SETTLE_NANOSECONDS (10 * 1000 * 1000)

#define MAX_FD 65536

struct test {
	const TTest *ttest;
	int signal;
	const char *name;
};

static struct test *tests;
static size_t test_count;

/* The child says here what libcheck has no words for. */
static struct from_child {
	bool returned;
	bool skipped;
	char reason[256];
} *from_child;

static const struct test *current;
/* Of tests/kernel/count_mappings.c, where that is preloaded. */
static const char *(*count_mappings)(void);
static pid_t harness_pid;
static unsigned char fds_before[MAX_FD / 8], fds_after[MAX_FD / 8];
static long blocks_before;
static unsigned long threads_before; /* sanitizers have some */

void
harness_register(const TTest *ttest, int signal, const char *name)
{
	struct test *grown = realloc(tests, (test_count + 1) * sizeof(*tests));
	if (grown == NULL)
		abort();
	tests = grown;
	tests[test_count++] = (struct test){ttest, signal, name};
}

void
harness_skip(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(from_child->reason, sizeof(from_child->reason), format, args);
	va_end(args);
	from_child->skipped = true;
}

void
harness_lacks(const char *call)
{
	int error = errno;
	if (getpid() == harness_pid)
		ck_abort_msg("%s: %s", call, strerror(error));
	harness_skip("%s: %s", call, strerror(error));
	from_child->returned = true;
	_exit(EXIT_SUCCESS);
}

bool
harness_long(void)
{
	return getenv("SHMGUARD_TEST_LONG") != NULL;
}

/* Returns how many there are; `set`, a bit for each, may be NULL. */
static int
list_fds(unsigned char *set)
{
	DIR *dir = opendir("/proc/self/fd");
	if (dir == NULL)
		ck_abort_msg("cannot list descriptors: %s", strerror(errno));

	if (set != NULL)
		memset(set, 0, MAX_FD / 8);
	int count = 0;
	for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
		int fd = atoi(entry->d_name);
		if (entry->d_name[0] == '.' || fd == dirfd(dir))
			continue;
		count++;
		if (set != NULL && fd < MAX_FD)
			set[fd / 8] |= 1 << (fd % 8);
	}
	closedir(dir);
	return count;
}

int
harness_open_fds(void)
{
	return list_fds(NULL);
}

/* A directory for each, which its parent has a link for. */
static unsigned long
count_threads(void)
{
	struct stat threads;
	if (stat("/proc/self/task", &threads) < 0)
		ck_abort_msg("cannot count threads: %s", strerror(errno));
	return threads.st_nlink;
}

bool
harness_is_alone(void)
{
	return count_threads() <= threads_before;
}

static bool
is_lack(int error)
{
	return error == ENOSYS || error == EPERM || error == EINVAL;
}

static int
make_memfd(int seals)
{
	int fd = memfd_create("test",
		MFD_CLOEXEC | (seals >= 0 ? MFD_ALLOW_SEALING : 0));
	if (fd >= 0 && fcntl(fd, F_GET_SEALS) >= 0)
		return fd;
	if (!is_lack(errno))
		ck_abort_msg("memfd_create: %s", strerror(errno));
	if (seals > 0)
		harness_lacks(fd < 0 ? "memfd_create" : "F_GET_SEALS");
	if (fd >= 0)
		close(fd);
	fd = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		ck_abort_msg("/dev/shm: %s", strerror(errno));
	return fd;
}

int
harness_memfd(size_t size, int fill, int seals)
{
	int fd = make_memfd(seals);
	if (ftruncate(fd, (off_t)size) < 0)
		ck_abort_msg("ftruncate to %zu: %s", size, strerror(errno));

	char chunk[65536];
	memset(chunk, fill, sizeof(chunk));
	for (size_t done = 0; fill != 0 && done < size;) {
		size_t left = size - done;
		ssize_t written = pwrite(fd, chunk,
			left < sizeof(chunk) ? left : sizeof(chunk), (off_t)done);
		if (written <= 0)
			ck_abort_msg("pwrite: %s", strerror(errno));
		done += (size_t)written;
	}

	if (seals > 0)
		harness_add_seals(fd, seals);
	return fd;
}

void
harness_add_seals(int fd, int seals)
{
	if (fcntl(fd, F_ADD_SEALS, seals) == 0)
		return;
	int error = errno;
	int other = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (other < 0 && is_lack(errno))
		harness_lacks("memfd_create");
	if (fcntl(other, F_GET_SEALS) < 0 && is_lack(errno))
		harness_lacks("F_GET_SEALS");
	ck_abort_msg("F_ADD_SEALS %#x: %s", seals, strerror(error));
}

int
harness_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0 && is_lack(errno))
		harness_lacks("eventfd");
	if (fd < 0)
		ck_abort_msg("eventfd: %s", strerror(errno));
	return fd;
}

/* Appends one sentence for each descriptor that came or went. */
static void
describe_fds(FILE *out)
{
	for (int fd = 0; fd < MAX_FD; fd++) {
		int bit = 1 << (fd % 8);
		bool before = fds_before[fd / 8] & bit;
		bool after = fds_after[fd / 8] & bit;
		if (before && !after)
			fprintf(out, "descriptor %d was closed; ", fd);
		if (before || !after)
			continue;

		char path[64], target[256] = "";
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, target, sizeof(target) - 1) < 0)
			strcpy(target, "?");
		fprintf(out, "descriptor %d (%s) was left open; ", fd, target);
	}
}

/* Runs in the child, before the body. */
static void
before_body(void)
{
	/* A test's output must not end up between the lines of TAP. */
	if (getpid() != harness_pid)
		dup2(STDERR_FILENO, STDOUT_FILENO);

	if (current->signal != 0) {
		/* Sanitizers install handlers for some of them. */
		signal(current->signal, SIG_DFL);
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
	}

	/* What libc and libcheck allocate once and keep. */
	tzset();
	(void)strerror(-1);
	mark_point();

	threads_before = count_threads();
	list_fds(fds_before);
	blocks_before = heap_count_live();
}

#ifdef HAVE_ASAN
int __lsan_do_recoverable_leak_check(void);
#endif

/* Asks whoever watches the heap; the report goes to stderr. */
static bool
heap_is_clean(void)
{
#ifdef HAVE_ASAN
	if (__lsan_do_recoverable_leak_check() != 0)
		return false;
#endif
#ifdef VALGRIND_DO_LEAK_CHECK
	unsigned long leaked = 0, dubious = 0, reachable = 0, suppressed = 0;
	VALGRIND_DO_LEAK_CHECK;
	VALGRIND_COUNT_LEAKS(leaked, dubious, reachable, suppressed);
	if (leaked != 0)
		return false;
	(void)dubious;
	(void)reachable;
	(void)suppressed;
#endif
	return true;
}

/* Runs in the child, after the body returned. */
static void
after_body(void)
{
	from_child->returned = true;

	long blocks;
	for (int tries = 0; tries < SETTLE_TRIES; tries++) {
		bool alone = harness_is_alone();
		list_fds(fds_after);
		blocks = heap_count_live() - blocks_before;
		if (alone || (blocks == 0 &&
				memcmp(fds_before, fds_after, MAX_FD / 8) == 0))
			break;
		nanosleep(&(struct timespec){0, SETTLE_NANOSECONDS}, NULL);
	}

	char message[1024] = "";
	FILE *out = fmemopen(message, sizeof(message), "w");
	if (out == NULL)
		ck_abort_msg("fmemopen: %s", strerror(errno));
	describe_fds(out);
	if (blocks != 0)
		fprintf(out, "%+ld heap blocks; ", blocks);
	/* Before LeakSanitizer, which makes one of its own. */
	if (waitpid(-1, NULL, WNOHANG) != -1)
		fprintf(out, "a child process was not waited for; ");
	if (!heap_is_clean())
		fprintf(out, "leaks were found, see stderr; ");
	fclose(out);

	size_t length = strlen(message);
	if (length > 2)
		ck_abort_msg("after the test: %.*s", (int)length - 2, message);
}

/* `result` may be NULL: libcheck did not run the test. */
static void
print_diagnostic(const struct test *test, TestResult *result)
{
	const char *file = result != NULL ? tr_lfile(result) : NULL;
	int line = file != NULL ? tr_lno(result) : test->ttest->line;
	const char *message = "did not run";
	if (result != NULL && tr_rtype(result) == CK_PASS)
		message = "exited without returning";
	else if (result != NULL)
		message = tr_msg(result);

	printf("# %s:%d: ", file != NULL ? file : test->ttest->file, line);
	for (; *message != '\0'; message++) {
		putchar(*message);
		if (*message == '\n')
			printf("# ");
	}
	putchar('\n');
}

/* Returns false if the test failed. */
static bool
run_test(const struct test *test, int number)
{
	TCase *tcase = tcase_create(test->name);
	tcase_set_timeout(tcase, harness_long() ? 20 * TEST_SECONDS : TEST_SECONDS);
	tcase_add_checked_fixture(tcase, before_body, after_body);
	tcase_add_test_raise_signal(tcase, test->ttest, test->signal);
	Suite *suite = suite_create(test->name);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);

	current = test;
	*from_child = (struct from_child){0};
	fflush(stdout);
	srunner_run_all(runner, CK_SILENT);

	TestResult **results = srunner_results(runner);
	TestResult *result = srunner_ntests_run(runner) == 1 ? results[0] : NULL;
	bool passed = result != NULL && tr_rtype(result) == CK_PASS &&
		(from_child->returned || test->signal != 0);
	/* A test that must die and cannot run here has returned instead. */
	bool skipped = from_child->skipped && (passed || test->signal != 0);

	printf("%s %d %s", passed || skipped ? "ok" : "not ok", number,
		test->name);
	if (skipped)
		printf(" # SKIP %s", from_child->reason);
	putchar('\n');
	if (!passed && !skipped)
		print_diagnostic(test, result);
	const char *mappings = count_mappings != NULL ? count_mappings() : NULL;
	if (mappings != NULL)
		printf("# mappings: %s\n", mappings);
	fflush(stdout);

	free(results);
	srunner_free(runner);
	return passed || skipped;
}

/* Whether private mappings with the flag of the proposed MAP_NOSIGBUS show zeros
 * where their file has no page. The kernel reads the byte for us. */
static bool
has_nosigbus(void)
{
	int fd = memfd_create("harness", MFD_CLOEXEC), pipe_fds[2];
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	if (fd < 0 || pipe2(pipe_fds, O_CLOEXEC) != 0)
		return false;
	void *addr = mmap(NULL, page, PROT_READ, MAP_PRIVATE | 0x200000, fd, 0);
	char byte = 1;
	bool result = addr != MAP_FAILED && write(pipe_fds[1], addr, 1) == 1 &&
		read(pipe_fds[0], &byte, 1) == 1 && byte == 0;
	if (addr != MAP_FAILED)
		munmap(addr, page);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(fd);
	return result;
}

static bool
selected(const struct test *test, char **patterns)
{
	for (char **pattern = patterns; *pattern != NULL; pattern++) {
		if (fnmatch(*pattern, test->name, 0) == 0)
			return true;
	}
	return *patterns == NULL;
}

int
main(int argc, char **argv)
{
	char **patterns = argv + 1;
	bool list = argc > 1 && strcmp(argv[1], "--list") == 0;
	if (list)
		patterns++;

	from_child = mmap(NULL, sizeof(*from_child), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (from_child == MAP_FAILED) {
		perror("mmap");
		return EXIT_FAILURE;
	}
	harness_pid = getpid();
	*(void **)&count_mappings = dlsym(RTLD_DEFAULT, "test_mappings");
	/* The message would be freed by a test that looks for something as well. */
	while (dlerror() != NULL)
		continue;
	if (getenv("SHMGUARD_TEST_EXPECT_NOSIGBUS") != NULL &&
			!has_nosigbus()) {
		puts("Bail out! This kernel has no no-SIGBUS mappings.");
		return EXIT_FAILURE;
	}
	if (count_mappings != NULL)
		count_mappings();

	int planned = 0;
	for (size_t i = 0; i < test_count; i++) {
		if (!selected(&tests[i], patterns))
			continue;
		if (list)
			puts(tests[i].name);
		planned++;
	}
	if (!list)
		printf("1..%d%s\n", planned,
			planned == 0 ? " # SKIP no test is selected" : "");

	int number = 0, failures = 0;
	for (size_t i = 0; i < test_count && !list; i++) {
		if (selected(&tests[i], patterns))
			failures += !run_test(&tests[i], ++number);
	}
	free(tests);
	munmap(from_child, sizeof(*from_child));
	return failures > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/*
 * Tests decide what SIGBUS does, so the sanitizers' handlers must not be there
 * before them. Stacks are named by whatever is installed for that. Too much memory
 * is NULL with ENOMEM, as everywhere else.
 */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *
__asan_default_options(void)
{
	return "handle_sigbus=0:allow_addr2line=1:"
		"allocator_may_return_null=1";
}

const char *
__tsan_default_options(void)
{
	return "handle_sigbus=0:allow_addr2line=1:"
		"allocator_may_return_null=1";
}
