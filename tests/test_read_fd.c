/* SPDX-License-Identifier: MIT */

/* shmguard_read_fd(): small files copied out of a peer's hands. */

#include "fuse_file.h"
#include "harness.h"
#include "memory_look.h"
#include "needs.h"
#include "reaper_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <shmguard/map.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LIMIT ((size_t)1 << 20)

/* Far longer than anything here takes that does not wait for a server. */
#define WATCHDOG_SECONDS 10

static const struct shmguard_policy allow_blocking = {
	.blocking = SHMGUARD_BLOCKING_ALLOW,
};

static void
must_read(int fd, size_t offset, size_t size, const char *expected,
	enum shmguard_reason kind)
{
	enum shmguard_reason reason;
	char *bytes = shmguard_read_fd(fd, offset, size, LIMIT, NULL, &reason);
	ck_assert_msg(bytes != NULL, "%s", strerror(errno));
	ck_assert_mem_eq(bytes, expected, size);
	ck_assert_int_eq(bytes[size], '\0');
	ck_assert_str_eq(shmguard_reason_text(reason),
		shmguard_reason_text(kind));
	free(bytes);
	ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
}

/* The harness counts descriptors: what is not closed fails the test. */
static void
must_refuse(int fd, size_t offset, size_t size, int error,
	enum shmguard_reason expected)
{
	enum shmguard_reason reason;
	void *bytes = shmguard_read_fd(fd, offset, size, LIMIT, NULL, &reason);
	int got = errno;
	ck_assert_ptr_null(bytes);
	ck_assert_str_eq(shmguard_reason_text(reason),
		shmguard_reason_text(expected));
	ck_assert_int_eq(got, error);
}

static int
must_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);
	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	return fd;
}

static int
text_file(const char *text, unsigned int flags)
{
	int fd = memfd_create("test", MFD_CLOEXEC | flags);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)),
		(ssize_t)strlen(text));
	return fd;
}

static bool
gets_closed(int fd)
{
	for (int i = 0; i < PATIENCE_SECONDS * 100 &&
			fcntl(fd, F_GETFD) >= 0; i++)
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	return fcntl(fd, F_GETFD) < 0;
}

/* ---- What can be read ---- */

TEST(F24_bytes_are_copied_and_a_nul_follows)
{
	must_read(text_file("keymap", 0), 0, 6, "keymap",
		SHMGUARD_REASON_UNSEALABLE);
	must_read(text_file("keymap", MFD_ALLOW_SEALING), 0, 3, "key",
		SHMGUARD_REASON_SEALABLE);

	int fd = text_file("", 0);
	size_t page = page_size();
	ck_assert_int_eq(pwrite(fd, "x", 1, (off_t)page - 1), 1);
	char *bytes = shmguard_read_fd(fd, 0, page, page, NULL, NULL);
	ck_assert_ptr_nonnull(bytes);
	ck_assert_int_eq(bytes[page - 1], 'x');
	ck_assert_int_eq(bytes[page], '\0');
	free(bytes);
}

TEST(offset_is_honoured)
{
	must_read(text_file("header profile", 0), 7, 7, "profile",
		SHMGUARD_REASON_UNSEALABLE);
	must_refuse(text_file("header profile", 0), 8, 7, EFAULT,
		SHMGUARD_REASON_TRUNCATED);
	must_refuse(text_file("header profile", 0), 1000, 1, EFAULT,
		SHMGUARD_REASON_TRUNCATED);
	must_refuse(text_file("header profile", 0), SIZE_MAX - 1, 1, EFAULT,
		SHMGUARD_REASON_TRUNCATED);
	must_refuse(text_file("header profile", 0), SIZE_MAX - 1, 100, EFAULT,
		SHMGUARD_REASON_TRUNCATED);
}

TEST(position_of_the_descriptor_does_not_matter)
{
	int fd = text_file("keymap", 0);
	ck_assert_int_eq(lseek(fd, 3, SEEK_SET), 3);
	must_read(fd, 0, 6, "keymap", SHMGUARD_REASON_UNSEALABLE);
}

TEST(F22_read_only_and_sealed_files_are_read)
{
	int fd = text_file("keymap", MFD_ALLOW_SEALING);
	int reader = reopen_fd(fd, O_RDONLY);
	harness_add_seals(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	must_read(reader, 0, 6, "keymap", SHMGUARD_REASON_SEALED);
	must_read(fd, 0, 6, "keymap", SHMGUARD_REASON_SEALED);
}

TEST(local_files_are_read)
{
	needs_statx();
	char path[] = "/tmp/test-read-fd-XXXXXX";
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	unlink(path);
	ck_assert_int_eq(write(fd, "keymap", 6), 6);
	/* tmpfs has seals that cannot be added to. */
	bool shmem = fcntl(fd, F_GET_SEALS) >= 0;
	must_read(fd, 0, 6, "keymap", shmem ? SHMGUARD_REASON_UNSEALABLE :
		SHMGUARD_REASON_LOCAL_FILE);
}

TEST(F18_holes_are_read_without_filling_them)
{
	int fd = text_file("", 0), again = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	ck_assert_int_eq(ftruncate(fd, LIMIT), 0);
	char *bytes = shmguard_read_fd(fd, 0, LIMIT, LIMIT, NULL, NULL);
	ck_assert_ptr_nonnull(bytes);
	size_t zeros = 0;
	for (size_t i = 0; i <= LIMIT; i++)
		zeros += bytes[i] == 0;
	ck_assert_uint_eq(zeros, LIMIT + 1);
	free(bytes);
	struct stat file;
	ck_assert_int_eq(fstat(again, &file), 0);
	ck_assert_int_eq(file.st_blocks, 0);
	close(again);
}

TEST(F16_huge_pages_that_are_not_there_read_as_zeros)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_HUGETLB);
	if (fd < 0)
		SKIP("no huge pages: %s", strerror(errno));
	struct stat file;
	ck_assert_int_eq(fstat(fd, &file), 0);
	ck_assert_int_eq(ftruncate(fd, file.st_blksize), 0);
	must_read(fd, 5, 10, "\0\0\0\0\0\0\0\0\0\0", SHMGUARD_REASON_HUGETLB);
}

/* ---- What cannot, and why ---- */

TEST(F24_file_is_shorter_than_announced)
{
	must_refuse(text_file("keymap", 0), 0, 7, EFAULT,
		SHMGUARD_REASON_TRUNCATED);
	must_refuse(text_file("", 0), 0, LIMIT, EFAULT,
		SHMGUARD_REASON_TRUNCATED);
	int fd = text_file("keymap", MFD_ALLOW_SEALING);
	harness_add_seals(fd, F_SEAL_SHRINK);
	must_refuse(fd, 0, 7, EFAULT, SHMGUARD_REASON_TRUNCATED);
}

TEST(sizes_out_of_bounds_are_told_apart)
{
	must_refuse(text_file("keymap", 0), 0, 0, ENODATA,
		SHMGUARD_REASON_EMPTY);
	must_refuse(text_file("keymap", 0), 0, LIMIT + 1, EFBIG,
		SHMGUARD_REASON_OVER_LIMIT);
	ck_assert_ptr_null(shmguard_read_fd(text_file("keymap", 0), 0, SIZE_MAX,
		SIZE_MAX, NULL, NULL));
	ck_assert_int_eq(errno, EFBIG);
}

TEST(memory_that_is_not_there_is_told_apart)
{
	enum shmguard_reason reason;
	ck_assert_ptr_null(shmguard_read_fd(text_file("keymap", 0), 0,
		SIZE_MAX / 2 + 1, SIZE_MAX, NULL, &reason));
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_int_eq(reason, SHMGUARD_REASON_NO_MEMORY);
}

TEST(descriptors_that_cannot_be_read_are_told_apart)
{
	needs_statx();
	must_refuse(-1, 0, 1, EBADF, SHMGUARD_REASON_BAD_FD);
	must_refuse(must_open("/proc/self/exe", O_PATH), 0, 1, EBADF,
		SHMGUARD_REASON_PATH_ONLY);
	int fd = text_file("keymap", 0), writer = reopen_fd(fd, O_WRONLY);
	close(fd);
	must_refuse(writer, 0, 1, EACCES, SHMGUARD_REASON_WRITE_ONLY);
	must_refuse(must_open("/", O_RDONLY | O_DIRECTORY), 0, 1, EINVAL,
		SHMGUARD_REASON_NOT_REGULAR);
	must_refuse(must_open("/dev/zero", O_RDONLY), 0, 1, EINVAL,
		SHMGUARD_REASON_NOT_REGULAR);
}

TEST(I10_pipes_and_sockets_are_refused)
{
	needs_statx();
	int ends[2];
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	must_refuse(ends[0], 0, 1, EINVAL, SHMGUARD_REASON_NOT_REGULAR);
	ck_assert(gets_closed(ends[0]));
	close(ends[1]);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
		ends), 0);
	must_refuse(ends[0], 0, 1, EINVAL, SHMGUARD_REASON_NOT_REGULAR);
	ck_assert(gets_closed(ends[0]));
	close(ends[1]);
}

TEST(secret_memory_is_refused)
{
	needs_statx();
#ifdef SYS_memfd_secret
	int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	if (fd < 0)
		SKIP("memfd_secret: %s", strerror(errno));
	ck_assert_int_eq(ftruncate(fd, 100), 0);
	must_refuse(fd, 0, 1, EINVAL, SHMGUARD_REASON_SECRET);
	ck_assert(gets_closed(fd));
#else
	SKIP("built without memfd_secret");
#endif
}

/* ---- What the peer does meanwhile ---- */

static atomic_bool stop;

static void *
shrink_and_grow(void *data)
{
	int fd = *(int *)data;
	while (!stop) {
		if (ftruncate(fd, 0) < 0 || ftruncate(fd, LIMIT) < 0)
			break;
	}
	return NULL;
}

TEST(F24_file_that_shrinks_while_it_is_read)
{
	int fd = text_file("", 0);
	pthread_t thread;
	ck_assert_int_eq(ftruncate(fd, LIMIT), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, shrink_and_grow, &fd), 0);
	for (int i = 0; i < 500; i++) {
		enum shmguard_reason reason;
		char *bytes = shmguard_read_fd(fcntl(fd, F_DUPFD_CLOEXEC, 0), 0,
			LIMIT, LIMIT, NULL, &reason);
		if (bytes == NULL)
			ck_assert_int_eq(reason, SHMGUARD_REASON_TRUNCATED);
		else
			ck_assert_int_eq(bytes[LIMIT], '\0');
		free(bytes);
	}
	stop = true;
	pthread_join(thread, NULL);
	close(fd);
}

TEST(F19_last_close_of_a_large_file_is_made_elsewhere)
{
	watch_closes();
	must_read(text_file("keymap", 0), 0, 6, "keymap",
		SHMGUARD_REASON_UNSEALABLE);
	ck_assert_int_eq(fds_closed_here, 1);

	int fd = text_file("keymap", 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)64 << 20), 0);
	free(shmguard_read_fd(fd, 0, 6, LIMIT, NULL, NULL));
	must_become(&fds_closed, 2);
	ck_assert_int_eq(fds_closed_here, 1);
	must_have_reaper_threads(0);
}

/* ---- Files that somebody serves ---- */

struct reading {
	int fd;
	size_t size;
	const struct shmguard_policy *policy;
	char *bytes;
	enum shmguard_reason reason;
	int error;
};

static void *
read_it(void *data)
{
	struct reading *reading = data;
	reading->bytes = shmguard_read_fd(reading->fd, 0, reading->size, LIMIT,
		reading->policy, &reading->reason);
	reading->error = errno;
	return NULL;
}

/* False if it waited for the server, which then is stopped. */
static bool
read_in_time(struct fuse_file *file, struct reading *reading)
{
	struct timespec deadline;
	pthread_t thread;
	ck_assert_int_eq(pthread_create(&thread, NULL, read_it, reading), 0);
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += WATCHDOG_SECONDS;
	bool in_time = pthread_timedjoin_np(thread, NULL, &deadline) == 0;
	if (!in_time) {
		fuse_file_stop(file);
		pthread_join(thread, NULL);
	}
	return in_time;
}

TEST(I10_silent_server_is_not_asked)
{
	static const int modes[] = {O_RDWR, O_RDONLY, O_WRONLY};
	static const enum shmguard_reason reasons[] = {
		SHMGUARD_REASON_MAY_BLOCK, SHMGUARD_REASON_MAY_BLOCK,
		SHMGUARD_REASON_WRITE_ONLY,
	};
	struct fuse_file *file = fuse_file_start(100, FUSE_FILE_SILENT);
	if (file == NULL)
		SKIP("no FUSE: %s", fuse_file_problem());
	int fds[3];
	for (int i = 0; i < 3; i++) {
		struct reading reading = {
			.fd = fuse_file_open(file, modes[i]), .size = 100,
		};
		ck_assert_int_ge(reading.fd, 0);
		ck_assert_msg(read_in_time(file, &reading), "it waited");
		ck_assert_ptr_null(reading.bytes);
		ck_assert_str_eq(shmguard_reason_text(reading.reason),
			shmguard_reason_text(reasons[i]));
		ck_assert_int_eq(reading.error, i == 2 ? EACCES : EPERM);
		fds[i] = reading.fd;
	}
	fuse_file_stop(file);
	for (int i = 0; i < 3; i++)
		ck_assert(gets_closed(fds[i]));
}

/* With a server that the policy trusts. */
static struct reading
read_served(size_t size, enum fuse_file_mode mode)
{
	struct reading reading = {.size = size, .policy = &allow_blocking};
	struct fuse_file *file = fuse_file_start(100, FUSE_FILE_NORMAL);
	if (file == NULL) {
		reading.fd = -1;
		return reading;
	}
	reading.fd = fuse_file_open(file, O_RDONLY);
	ck_assert_int_ge(reading.fd, 0);
	ck_assert_int_eq(fuse_file_set_mode(file, mode), 0);
	ck_assert_msg(read_in_time(file, &reading), "no answer");
	fuse_file_stop(file);
	ck_assert(gets_closed(reading.fd));
	return reading;
}

TEST(trusted_server_is_asked)
{
	struct reading reading = read_served(100, FUSE_FILE_NORMAL);
	if (reading.fd < 0)
		SKIP("no FUSE: %s", fuse_file_problem());
	ck_assert_ptr_nonnull(reading.bytes);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(reading.bytes[i], FUSE_FILE_BYTE);
	ck_assert_int_eq(reading.bytes[100], '\0');
	free(reading.bytes);
}

TEST(server_that_fails_is_told_apart)
{
	struct reading reading = read_served(100, FUSE_FILE_ERROR);
	if (reading.fd < 0)
		SKIP("no FUSE: %s", fuse_file_problem());
	ck_assert_ptr_null(reading.bytes);
	ck_assert_int_eq(reading.error, EIO);
	ck_assert_int_eq(reading.reason, SHMGUARD_REASON_READ_ERROR);
}

TEST(server_that_cuts_its_file_is_told_apart)
{
	struct reading reading = read_served(100, FUSE_FILE_SHORT);
	if (reading.fd < 0)
		SKIP("no FUSE: %s", fuse_file_problem());
	ck_assert_ptr_null(reading.bytes);
	ck_assert_int_eq(reading.error, EFAULT);
	ck_assert_int_eq(reading.reason, SHMGUARD_REASON_TRUNCATED);
}
