/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include "nosigbus_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The bit that the library tries on Linux, spelled out on purpose. */
#define FLAG 0x200000

#define ck_assert_fails(call, error) \
	do { \
		errno = 0; \
		ck_assert_int_eq((call), -1); \
		ck_assert_int_eq(errno, (error)); \
	} while (0)

static size_t page;

__attribute__((constructor))
static void
find_page_size(void)
{
	page = sysconf(_SC_PAGESIZE);
}

static struct map_request
request(size_t length)
{
	return (struct map_request){.length = length, .block_size = page};
}

static struct client_mapping
must_open(int fd, struct map_request wanted)
{
	struct client_mapping mapping;
	if (client_mapping_open(&mapping, fd, &wanted) != 0)
		ck_abort_msg("client_mapping_open: %s", strerror(errno));
	return mapping;
}

static int
byte_at(const struct client_mapping *mapping, size_t offset)
{
	return ((const volatile unsigned char *)mapping->addr)[offset];
}

static int
byte_in_file(int fd, off_t offset)
{
	unsigned char byte;
	return pread(fd, &byte, 1, offset) == 1 ? byte : -1;
}

/* A second open file description: `flags` decides, not the memfd's. */
static int
reopen(int fd, int flags)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int again = open(path, flags | O_CLOEXEC);
	ck_assert_int_ge(again, 0);
	return again;
}

/* How many mappings of harness_memfd() files there are. */
static int
count_mappings(void)
{
	char line[1024];
	int count = 0;
	FILE *maps = fopen("/proc/self/maps", "re");
	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (strstr(line, "/memfd:") != NULL)
			count++;
	}
	fclose(maps);
	return count;
}

/* Copies the line of smaps that starts with `key`, for the mapping at `addr`;
 * an empty key means its first line. */
static void
read_smaps(void *addr, const char *key, char *line, int size)
{
	char start[32];
	bool found = false;
	snprintf(start, sizeof(start), "%08lx-", (unsigned long)addr);
	FILE *smaps = fopen("/proc/self/smaps", "re");
	ck_assert_ptr_nonnull(smaps);
	while (fgets(line, size, smaps) != NULL) {
		if (strncmp(line, start, strlen(start)) == 0)
			found = true;
		if (found && strncmp(line, key, strlen(key)) == 0)
			break;
	}
	fclose(smaps);
	ck_assert_msg(found, "nothing is mapped at %p", addr);
}

static bool
has_vm_flag(void *addr, const char *flag)
{
	char line[1024];
	read_smaps(addr, "VmFlags:", line, sizeof(line));
	return strstr(line, flag) != NULL;
}

static bool
is_writable(void *addr)
{
	char line[1024], permissions[8];
	read_smaps(addr, "", line, sizeof(line));
	ck_assert_int_eq(sscanf(line, "%*s %7s", permissions), 1);
	return permissions[1] == 'w';
}

/* ---- Kernels that are not this one ---- */

static struct map_syscalls fake;

static void
use_fake(void)
{
	map_syscalls = &fake;
}

/* A kernel whose private mappings do what the flag promises, at the moment of
 * mapping: past the end of the file there are zeros. */
static void *
honouring_mmap(void *addr, size_t length, int prot, int flags, int fd,
	off_t offset)
{
	struct stat st;
	if ((flags & FLAG) == 0)
		return mmap(addr, length, prot, flags, fd, offset);
	if ((flags & MAP_TYPE) != MAP_PRIVATE) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	char *result = mmap(addr, length, prot, flags & ~FLAG, fd, offset);
	if (result == MAP_FAILED || fstat(fd, &st) != 0)
		return MAP_FAILED;
	size_t backed = (st.st_size + page - 1) / page * page;
	if (backed < length)
		mmap(result + backed, length - backed, prot,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	return result;
}

static void
use_honouring_kernel(void)
{
	fake = real_map_syscalls;
	fake.mmap = honouring_mmap;
	use_fake();
}

/* One where a condition on the mmap flags decides about refusal. */
static int refused_mask, refused_bits, refused_errno;

static void *
refusing_mmap(void *addr, size_t length, int prot, int flags, int fd,
	off_t offset)
{
	if ((flags & refused_mask) == refused_bits) {
		errno = refused_errno;
		return MAP_FAILED;
	}
	return honouring_mmap(addr, length, prot, flags, fd, offset);
}

static void
use_refusing_kernel(int mask, int bits, int error)
{
	fake = real_map_syscalls;
	fake.mmap = refusing_mmap;
	refused_mask = mask;
	refused_bits = bits;
	refused_errno = error;
	use_fake();
}

/* One where the call number `calls_until_failure` fails, unmapping excepted. */
static int calls_until_failure;

static bool
fails_now(void)
{
	if (calls_until_failure-- != 0)
		return false;
	errno = ENOMEM;
	return true;
}

static void *
failing_mmap(void *addr, size_t length, int prot, int flags, int fd,
	off_t offset)
{
	return fails_now() ? MAP_FAILED
		: honouring_mmap(addr, length, prot, flags, fd, offset);
}

static void *
failing_mremap(void *old, size_t old_length, size_t length, int flags,
	void *fixed)
{
	return fails_now() ? MAP_FAILED
		: real_map_syscalls.mremap(old, old_length, length, flags, fixed);
}

static int
failing_mprotect(void *addr, size_t length, int prot)
{
	return fails_now() ? -1 : mprotect(addr, length, prot);
}

static int
failing_madvise(void *addr, size_t length, int advice)
{
	return fails_now() ? -1 : madvise(addr, length, advice);
}

static void
use_failing_kernel(int succeeding_calls)
{
	fake = (struct map_syscalls){
		.mmap = failing_mmap,
		.munmap = munmap,
		.mremap = failing_mremap,
		.mprotect = failing_mprotect,
		.madvise = failing_madvise,
	};
	calls_until_failure = succeeding_calls;
	use_fake();
}

/* One where there is room behind a new mapping: Linux puts mappings one below
 * the other. */
static void *
roomy_mmap(void *addr, size_t length, int prot, int flags, int fd,
	off_t offset)
{
	size_t with_room = length + 16 * page;
	addr = mmap(addr, with_room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		-1, 0);
	munmap(addr, with_room);
	return mmap(addr, length, prot, flags | MAP_FIXED_NOREPLACE, fd, offset);
}

static void
use_roomy_kernel(void)
{
	fake = real_map_syscalls;
	fake.mmap = roomy_mmap;
	use_fake();
}

/* ---- The probe ---- */

/* Reads past the end of a file through a mapping with the flag. */
static bool
survives_missing_page(void)
{
	int status;
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		int fd = memfd_create("test", MFD_CLOEXEC);
		volatile char *addr = mmap(NULL, page, PROT_READ,
			MAP_PRIVATE | FLAG, fd, 0);
		signal(SIGBUS, SIG_DFL);
		_exit(addr == MAP_FAILED ? 2 : addr[0]);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status) || WTERMSIG(status) == SIGBUS);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(probe_says_what_a_fault_would_do)
{
	int expected = survives_missing_page() ? FLAG : 0;
	ck_assert_int_eq(nosigbus_probe(), expected);
	ck_assert_int_eq(nosigbus_flag(), expected);
}

TEST(probe_finds_a_kernel_that_honours_the_flag)
{
	use_honouring_kernel();
	ck_assert_int_eq(nosigbus_probe(), FLAG);
}

TEST(probe_finds_a_kernel_that_refuses_the_flag)
{
	use_refusing_kernel(FLAG, FLAG, EOPNOTSUPP);
	ck_assert_int_eq(nosigbus_probe(), 0);
}

TEST(probe_result_is_kept)
{
	use_honouring_kernel();
	ck_assert_int_eq(nosigbus_flag(), FLAG);
	use_refusing_kernel(FLAG, FLAG, EINVAL);
	ck_assert_int_eq(nosigbus_flag(), FLAG);
}

TEST(probe_that_ran_out_of_memory_is_repeated)
{
	use_refusing_kernel(FLAG, FLAG, ENOMEM);
	ck_assert_int_eq(nosigbus_probe(), -1);
	ck_assert_int_eq(nosigbus_flag(), 0);
	use_honouring_kernel();
	ck_assert_int_eq(nosigbus_flag(), FLAG);
}

TEST(probe_that_ran_out_of_descriptors_is_repeated)
{
	int fds[64], count = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){64, 64}), 0);
	use_honouring_kernel();
	while ((fds[count] = dup(STDERR_FILENO)) >= 0)
		count++;
	/* With none, one or two left it lacks the file or its pipe. */
	for (int left = 0; left < 3; left++) {
		ck_assert_int_eq(nosigbus_flag(), 0);
		close(fds[--count]);
	}
	ck_assert_int_eq(nosigbus_flag(), FLAG);
	while (count > 0)
		close(fds[--count]);
}

TEST(probe_leaves_no_mapping)
{
	nosigbus_probe();
	use_honouring_kernel();
	nosigbus_probe();
	ck_assert_int_eq(count_mappings(), 0);
}

/* ---- Opening ---- */

TEST(open_rounds_up_to_blocks)
{
	int fd = harness_memfd(3 * page, 7, 0);
	struct client_mapping mapping = must_open(fd, request(page + 1));
	ck_assert_uint_eq(mapping.length, 2 * page);
	ck_assert_int_eq(byte_at(&mapping, 2 * page - 1), 7);
	client_mapping_close(&mapping);

	struct map_request wanted = request(1);
	wanted.block_size = 2 * page;
	mapping = must_open(fd, wanted);
	ck_assert_uint_eq(mapping.length, 2 * page);
	client_mapping_close(&mapping);
	ck_assert_int_eq(count_mappings(), 0);
	close(fd);
}

TEST(lengths_do_not_overflow)
{
	int fd = harness_memfd(page, 0, 0);
	struct client_mapping mapping, copy;
	struct map_request wanted = request(SIZE_MAX);
	ck_assert_fails(client_mapping_open(&mapping, fd, &wanted), EOVERFLOW);
	wanted.length = SIZE_MAX - page + 2;
	ck_assert_fails(client_mapping_open(&mapping, fd, &wanted), EOVERFLOW);
	wanted.length = 0;
	ck_assert_fails(client_mapping_open(&mapping, fd, &wanted), EINVAL);

	mapping = must_open(fd, request(page));
	ck_assert_fails(client_mapping_grow(&mapping, SIZE_MAX), EOVERFLOW);
	ck_assert_fails(client_mapping_duplicate(&mapping, SIZE_MAX, false,
		&copy), EOVERFLOW);
	client_mapping_close(&mapping);
	close(fd);
}

TEST(F22_read_only_descriptor_is_mapped)
{
	int fd = harness_memfd(page, 5, 0);
	int read_only = reopen(fd, O_RDONLY);
	struct map_request wanted = request(page);
	for (int i = 0; i < 2; i++) {
		wanted.writable = i == 1;
		struct client_mapping mapping = must_open(read_only, wanted);
		ck_assert(mapping.shared);
		ck_assert(!mapping.writable);
		ck_assert(!is_writable(mapping.addr));
		ck_assert_int_eq(byte_at(&mapping, 0), 5);
		ck_assert_fails(client_mapping_make_writable(&mapping), EACCES);
		client_mapping_close(&mapping);
	}
	close(read_only);
	close(fd);
}

TEST(F22_write_sealed_file_is_mapped)
{
	int fd = harness_memfd(page, 5, F_SEAL_WRITE | F_SEAL_SHRINK);
	struct map_request wanted = request(page);
	for (int i = 0; i < 2; i++) {
		wanted.writable = i == 1;
		struct client_mapping mapping = must_open(fd, wanted);
		ck_assert(!mapping.writable);
		ck_assert(!is_writable(mapping.addr));
		ck_assert_int_eq(byte_at(&mapping, 0), 5);
		ck_assert_int_eq(client_mapping_make_writable(&mapping), -1);
		ck_assert(errno == EACCES || errno == EPERM || errno == ENOTSUP);
		client_mapping_close(&mapping);
	}
	close(fd);
}

/* Before Linux 6.7. */
TEST(F22_write_sealed_file_is_mapped_by_kernels_that_refuse_sharing)
{
	struct client_mapping copy;
	int fd = harness_memfd(page, 5, F_SEAL_WRITE);
	use_refusing_kernel(MAP_TYPE, MAP_SHARED, EPERM);
	struct map_request wanted = request(page);
	wanted.writable = true;
	struct client_mapping mapping = must_open(fd, wanted);
	ck_assert(!mapping.shared);
	ck_assert(!mapping.writable);
	ck_assert(!mapping.nosigbus);
	ck_assert_int_eq(byte_at(&mapping, 0), 5);
	ck_assert_fails(client_mapping_make_writable(&mapping), ENOTSUP);
	ck_assert_fails(client_mapping_duplicate(&mapping, page, true, &copy),
		ENOTSUP);
	client_mapping_close(&mapping);
	ck_assert_int_eq(count_mappings(), 0);
	close(fd);
}

TEST(open_reports_what_mmap_said)
{
	struct client_mapping mapping;
	struct map_request wanted = request(page);
	int fds[2];
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	ck_assert_fails(client_mapping_open(&mapping, fds[0], &wanted), ENODEV);
	wanted.writable = true;
	ck_assert_fails(client_mapping_open(&mapping, fds[0], &wanted), ENODEV);
	close(fds[0]);
	close(fds[1]);
	ck_assert_fails(client_mapping_open(&mapping, fds[0], &wanted), EBADF);
}

/* ---- Growing, duplicating, writing: with the descriptor closed ---- */

TEST(I8_grows_without_a_descriptor)
{
	int client = harness_memfd(page, 1, 0);
	int fd = dup(client);
	use_roomy_kernel();
	struct client_mapping mapping = must_open(fd, request(page));
	close(fd);

	void *addr = mapping.addr;
	ck_assert_int_eq(ftruncate(client, 3 * page), 0);
	ck_assert_int_eq(pwrite(client, "\2", 1, 2 * page + 1), 1);
	ck_assert_int_eq(client_mapping_grow(&mapping, 2 * page + 2), 0);
	ck_assert_ptr_eq(mapping.addr, addr);
	ck_assert_uint_eq(mapping.length, 3 * page);
	ck_assert_int_eq(byte_at(&mapping, 0), 1);
	ck_assert_int_eq(byte_at(&mapping, 2 * page + 1), 2);
	ck_assert_int_eq(client_mapping_grow(&mapping, page), 0);
	ck_assert_uint_eq(mapping.length, 3 * page);

	client_mapping_close(&mapping);
	ck_assert_int_eq(count_mappings(), 0);
	close(client);
}

TEST(grows_past_the_end_of_the_file)
{
	int fd = harness_memfd(page, 1, F_SEAL_SHRINK | F_SEAL_GROW);
	use_roomy_kernel();
	struct client_mapping mapping = must_open(fd, request(page));
	ck_assert_int_eq(client_mapping_grow(&mapping, 2 * page), 0);
	ck_assert(!client_mapping_is_backed(&mapping, page));
	client_mapping_close(&mapping);
	close(fd);
}

TEST(I6_does_not_grow_into_a_neighbour)
{
	int fd = harness_memfd(2 * page, 1, 0);
	struct client_mapping mapping = must_open(fd, request(page));
	char *next = (char *)mapping.addr + mapping.length;
	char *neighbour = mmap(next, page, PROT_READ,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ck_assert(neighbour == next || errno == EEXIST);

	ck_assert_fails(client_mapping_grow(&mapping, 2 * page), ENOMEM);
	ck_assert_uint_eq(mapping.length, page);
	ck_assert_int_eq(byte_at(&mapping, 0), 1);

	if (neighbour != MAP_FAILED)
		munmap(neighbour, page);
	client_mapping_close(&mapping);
	close(fd);
}

TEST(I8_duplicates_without_a_descriptor)
{
	int client = harness_memfd(2 * page, 1, 0);
	for (int i = 0; i < 2; i++) {
		int fd = reopen(client, i == 0 ? O_RDONLY : O_RDWR);
		struct client_mapping copy, mapping = must_open(fd, request(page));
		close(fd);

		ck_assert_int_eq(client_mapping_duplicate(&mapping, page + 1,
			false, &copy), 0);
		ck_assert_ptr_ne(copy.addr, mapping.addr);
		ck_assert_uint_eq(copy.length, 2 * page);
		ck_assert(copy.shared);
		ck_assert(!copy.writable);
		ck_assert(!is_writable(copy.addr));
		client_mapping_close(&mapping);
		ck_assert_int_eq(byte_at(&copy, 2 * page - 1), 1);
		client_mapping_close(&copy);
	}
	ck_assert_int_eq(count_mappings(), 0);
	close(client);
}

TEST(duplicate_has_the_protection_asked_for)
{
	int client = harness_memfd(page, 1, 0);
	int fd = dup(client);
	struct map_request wanted = request(page);
	for (int i = 0; i < 4; i++) {
		bool writable = i & 1;
		wanted.writable = i & 2;
		struct client_mapping copy, mapping = must_open(fd, wanted);
		ck_assert_int_eq(client_mapping_duplicate(&mapping, page,
			writable, &copy), 0);
		ck_assert_int_eq(copy.writable, writable);
		ck_assert_int_eq(is_writable(copy.addr), writable);
		ck_assert_int_eq(is_writable(mapping.addr), wanted.writable);
		client_mapping_close(&copy);
		client_mapping_close(&mapping);
	}
	close(fd);
	close(client);
}

TEST(F22_read_only_file_has_no_writable_duplicate)
{
	int client = harness_memfd(page, 1, 0);
	int fd = reopen(client, O_RDONLY);
	struct client_mapping copy, mapping = must_open(fd, request(page));
	ck_assert_fails(client_mapping_duplicate(&mapping, page, true, &copy),
		EACCES);
	ck_assert_int_eq(count_mappings(), 1);
	client_mapping_close(&mapping);
	close(fd);
	close(client);
}

TEST(I8_becomes_writable_without_a_descriptor)
{
	int client = harness_memfd(2 * page, 1, 0);
	int fd = dup(client);
	struct client_mapping mapping = must_open(fd, request(2 * page));
	close(fd);

	ck_assert(!is_writable(mapping.addr));
	ck_assert_int_eq(client_mapping_make_writable(&mapping), 0);
	ck_assert(mapping.writable);
	memset(mapping.addr, 9, 2 * page);
	ck_assert_int_eq(byte_in_file(client, 2 * page - 1), 9);
	ck_assert_int_eq(client_mapping_make_writable(&mapping), 0);
	client_mapping_close(&mapping);
	close(client);
}

TEST(refused_write_access_changes_nothing)
{
	int client = harness_memfd(2 * page, 1, 0);
	int fd = reopen(client, O_RDONLY);
	struct client_mapping mapping = must_open(fd, request(2 * page));
	close(fd);

	/* As the trap leaves it after a fault. */
	mmap(mapping.addr, page, PROT_READ,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ck_assert_fails(client_mapping_make_writable(&mapping), EACCES);
	ck_assert(!mapping.writable);
	ck_assert(!is_writable(mapping.addr));
	ck_assert(!is_writable((char *)mapping.addr + page));
	client_mapping_close(&mapping);
	close(client);
}

TEST(I3_lost_mapping_does_not_grow)
{
	int client = harness_memfd(2 * page, 1, 0);
	struct client_mapping mapping = must_open(client, request(2 * page));
	mmap((char *)mapping.addr + page, page, PROT_READ,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	struct client_mapping before = mapping;
	ck_assert_fails(client_mapping_grow(&mapping, 4 * page), EFAULT);
	ck_assert_mem_eq(&mapping, &before, sizeof(mapping));
	client_mapping_close(&mapping);
	close(client);
}

/* ---- Where the kernel has no-SIGBUS mappings ---- */

TEST(nosigbus_mapping_keeps_a_handle)
{
	int client = harness_memfd(page, 1, 0);
	use_honouring_kernel();
	struct map_request wanted = request(3 * page);
	wanted.nosigbus = true;
	int fd = dup(client);
	struct client_mapping copy, mapping = must_open(fd, wanted);
	close(fd);
	ck_assert(mapping.nosigbus);
	ck_assert(!mapping.shared);
	ck_assert(!mapping.writable);
	ck_assert_ptr_nonnull(mapping.handle);
	ck_assert_int_eq(byte_at(&mapping, page - 1), 1);
	ck_assert_int_eq(byte_at(&mapping, 3 * page - 1), 0);
	ck_assert_fails(client_mapping_make_writable(&mapping), ENOTSUP);

	for (int writable = 0; writable < 2; writable++) {
		ck_assert_int_eq(client_mapping_duplicate(&mapping, page,
			writable, &copy), 0);
		ck_assert(copy.shared);
		ck_assert(!copy.nosigbus);
		ck_assert_ptr_null(copy.handle);
		ck_assert_int_eq(is_writable(copy.addr), writable);
		ck_assert_int_eq(byte_at(&copy, 0), 1);
		if (writable)
			memset(copy.addr, 4, page);
		client_mapping_close(&copy);
	}
	ck_assert_int_eq(byte_in_file(client, 0), 4);
	ck_assert_int_eq(byte_at(&mapping, 0), 4);

	client_mapping_close(&mapping);
	ck_assert_int_eq(count_mappings(), 0);
	close(client);
}

TEST(nosigbus_mapping_does_without_a_handle)
{
	struct client_mapping copy;
	int fd = harness_memfd(page, 1, 0);
	use_refusing_kernel(MAP_TYPE, MAP_SHARED, EPERM);
	struct map_request wanted = request(page);
	wanted.nosigbus = true;
	struct client_mapping mapping = must_open(fd, wanted);
	ck_assert(mapping.nosigbus);
	ck_assert_ptr_null(mapping.handle);
	ck_assert_int_eq(byte_at(&mapping, 0), 1);
	ck_assert_fails(client_mapping_duplicate(&mapping, page, false, &copy),
		ENOTSUP);
	client_mapping_close(&mapping);
	ck_assert_int_eq(count_mappings(), 0);
	close(fd);
}

TEST(nosigbus_is_not_used_where_it_does_not_fit)
{
	int fd = harness_memfd(page, 1, 0);
	use_honouring_kernel();
	struct map_request wanted = request(page);
	struct client_mapping mapping = must_open(fd, wanted);
	ck_assert(!mapping.nosigbus);
	client_mapping_close(&mapping);

	wanted.nosigbus = true;
	wanted.writable = true;
	mapping = must_open(fd, wanted);
	ck_assert(!mapping.nosigbus);
	ck_assert(mapping.shared);
	ck_assert(mapping.writable);
	client_mapping_close(&mapping);

	wanted.writable = false;
	wanted.hugetlb = true;
	mapping = must_open(fd, wanted);
	ck_assert(!mapping.nosigbus);
	client_mapping_close(&mapping);
	close(fd);
}

TEST(nosigbus_refused_for_one_file_falls_back)
{
	int fd = harness_memfd(page, 1, 0);
	use_honouring_kernel();
	ck_assert_int_eq(nosigbus_flag(), FLAG);
	use_refusing_kernel(FLAG, FLAG, EOPNOTSUPP);
	struct map_request wanted = request(page);
	wanted.nosigbus = true;
	struct client_mapping mapping = must_open(fd, wanted);
	ck_assert(!mapping.nosigbus);
	ck_assert(mapping.shared);
	ck_assert_ptr_null(mapping.handle);
	client_mapping_close(&mapping);
	close(fd);
}

/* ---- Huge pages ---- */

TEST(F16_huge_pages_neither_grow_nor_duplicate)
{
	int fd = harness_memfd(4 * page, 1, 0);
	struct map_request wanted = request(page);
	wanted.hugetlb = true;
	wanted.block_size = 2 * page;
	struct client_mapping copy, mapping = must_open(fd, wanted);
	ck_assert_fails(client_mapping_grow(&mapping, 4 * page), ENOTSUP);
	ck_assert_fails(client_mapping_duplicate(&mapping, page, false, &copy),
		ENOTSUP);
	ck_assert_int_eq(client_mapping_make_writable(&mapping), 0);
	client_mapping_close(&mapping);
	close(fd);
}

#define HUGE_PAGES "/proc/sys/vm/nr_overcommit_hugepages"

static long
read_number(const char *path)
{
	long number = -1;
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return -1;
	if (fscanf(file, "%ld", &number) != 1)
		number = -1;
	fclose(file);
	return number;
}

static bool
write_number(const char *path, long number)
{
	FILE *file = fopen(path, "we");
	if (file == NULL)
		return false;
	fprintf(file, "%ld\n", number);
	return fclose(file) == 0;
}

TEST(F16_real_huge_pages)
{
	struct stat st;
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_HUGETLB);
	if (fd < 0)
		SKIP("no huge pages: %s", strerror(errno));
	ck_assert_int_eq(fstat(fd, &st), 0);
	size_t huge = st.st_blksize;
	ck_assert_int_eq(ftruncate(fd, huge), 0);

	struct client_mapping mapping;
	struct map_request wanted = {
		.length = 1,
		.block_size = huge,
		.hugetlb = true,
		.nosigbus = true,
	};
	long before = read_number(HUGE_PAGES);
	bool raised = write_number(HUGE_PAGES, before + 1);
	bool opened = client_mapping_open(&mapping, fd, &wanted) == 0;
	int error = errno;
	bool backed = opened && client_mapping_is_backed(&mapping, huge - 1);
	if (raised)
		write_number(HUGE_PAGES, before);
	if (!opened || !backed) {
		if (opened)
			client_mapping_close(&mapping);
		close(fd);
		SKIP("no huge page to be had: %s", strerror(error));
	}

	ck_assert_uint_eq(mapping.length, huge);
	ck_assert(mapping.shared);
	ck_assert_int_eq(byte_at(&mapping, huge - 1), 0);
	ck_assert_int_eq(client_mapping_make_writable(&mapping), 0);
	memset(mapping.addr, 3, 1);
	ck_assert_int_eq(byte_in_file(fd, 0), 3);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert(!client_mapping_is_backed(&mapping, page));
	ck_assert(has_vm_flag(mapping.addr, " dc"));
	ck_assert(has_vm_flag(mapping.addr, " dd"));
	client_mapping_close(&mapping);
	ck_assert_int_eq(count_mappings(), 0);
	close(fd);
}

/* ---- Core dumps and children ---- */

static void
check_hidden(struct client_mapping *mapping, bool from_dumps)
{
	struct client_mapping copy;
	ck_assert(has_vm_flag(mapping->addr, " dc"));
	ck_assert_int_eq(has_vm_flag(mapping->addr, " dd"), from_dumps);
	if (mapping->handle != NULL) {
		ck_assert(has_vm_flag(mapping->handle, " dc"));
		ck_assert_int_eq(has_vm_flag(mapping->handle, " dd"), from_dumps);
	}
	ck_assert_int_eq(client_mapping_duplicate(mapping, page, true, &copy), 0);
	ck_assert(has_vm_flag(copy.addr, " dc"));
	ck_assert_int_eq(has_vm_flag(copy.addr, " dd"), from_dumps);
	client_mapping_close(&copy);
}

TEST(I12_kept_out_of_core_dumps_and_children)
{
	int fd = harness_memfd(4 * page, 1, 0);
	use_honouring_kernel();
	for (int i = 0; i < 8; i++) {
		struct map_request wanted = request(2 * page);
		wanted.nosigbus = i & 1;
		wanted.writable = i & 2;
		wanted.dump = i & 4;
		struct client_mapping mapping = must_open(fd, wanted);
		check_hidden(&mapping, !wanted.dump);
		client_mapping_close(&mapping);
	}
	close(fd);
}

TEST(I12_forked_child_has_no_client_memory)
{
	int fd = harness_memfd(page, 1, 0);
	use_honouring_kernel();
	struct map_request wanted = request(page);
	wanted.nosigbus = true;
	struct client_mapping mapping = must_open(fd, wanted);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0)
		_exit(msync(mapping.addr, page, MS_ASYNC) == -1 &&
			msync(mapping.handle, page, MS_ASYNC) == -1 ? 0 : 1);
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	client_mapping_close(&mapping);
	close(fd);
}

/* ---- Looking without touching ---- */

TEST(backed_up_to_the_end_of_the_file)
{
	int fd = harness_memfd(2 * page, 1, 0);
	struct client_mapping mapping = must_open(fd, request(4 * page));
	if (madvise(mapping.addr, page, MADV_POPULATE_READ) != 0) {
		ck_assert(!client_mapping_is_backed(&mapping, 0));
		client_mapping_close(&mapping);
		close(fd);
		SKIP("the kernel has no MADV_POPULATE_READ");
	}
	ck_assert(client_mapping_is_backed(&mapping, 0));
	ck_assert(client_mapping_is_backed(&mapping, 2 * page - 1));
	ck_assert(!client_mapping_is_backed(&mapping, 2 * page));
	ck_assert(!client_mapping_is_backed(&mapping, 4 * page - 1));
	ck_assert(!client_mapping_is_backed(&mapping, 4 * page));
	ck_assert_int_eq(ftruncate(fd, page - 1), 0);
	ck_assert(client_mapping_is_backed(&mapping, page - 1));
	ck_assert(!client_mapping_is_backed(&mapping, page));
	client_mapping_close(&mapping);
	close(fd);
}

static int
old_madvise(void *addr, size_t length, int advice)
{
	if (advice != MADV_POPULATE_READ)
		return madvise(addr, length, advice);
	errno = EINVAL;
	return -1;
}

TEST(not_backed_where_the_kernel_cannot_tell)
{
	int fd = harness_memfd(page, 1, 0);
	fake = real_map_syscalls;
	fake.madvise = old_madvise;
	use_fake();
	struct client_mapping mapping = must_open(fd, request(page));
	ck_assert(!client_mapping_is_backed(&mapping, 0));
	client_mapping_close(&mapping);
	close(fd);
}

/* ---- Each call fails in turn ---- */

#define MAX_CALLS 16

static void
open_with_failures(int fd, const struct map_request *wanted)
{
	int failed = 0, calls = 0;
	for (; calls < MAX_CALLS; calls++) {
		struct client_mapping mapping = {.length = 12345};
		use_failing_kernel(calls);
		int result = client_mapping_open(&mapping, fd, wanted);
		bool injected = calls_until_failure < 0;
		if (result == 0) {
			client_mapping_close(&mapping);
		} else {
			failed++;
			ck_assert_int_eq(errno, ENOMEM);
			ck_assert_uint_eq(mapping.length, 12345);
		}
		ck_assert_int_eq(count_mappings(), 0);
		if (!injected)
			break;
	}
	ck_assert_int_lt(calls, MAX_CALLS);
	/* The first mmap of a no-SIGBUS mapping has a substitute. */
	ck_assert_int_eq(failed, wanted->nosigbus ? 0 : 1);
}

TEST(failed_open_leaves_nothing)
{
	int fd = harness_memfd(page, 1, 0);
	struct map_request wanted = request(page);
	open_with_failures(fd, &wanted);
	wanted.writable = true;
	open_with_failures(fd, &wanted);
	wanted.writable = false;
	use_honouring_kernel();
	ck_assert_int_eq(nosigbus_flag(), FLAG);
	wanted.nosigbus = true;
	open_with_failures(fd, &wanted);
	close(fd);
}

static void
change_with_failures(int fd, const struct map_request *wanted)
{
	map_syscalls = &real_map_syscalls;
	if (wanted->nosigbus)
		use_honouring_kernel();
	struct client_mapping copy, mapping = must_open(fd, *wanted);
	struct client_mapping before = mapping;
	int count = count_mappings();

	for (int calls = 0; calls < 2; calls++) {
		use_failing_kernel(calls);
		memset(&copy, 0, sizeof(copy));
		ck_assert_fails(client_mapping_duplicate(&mapping, 2 * page,
			true, &copy), ENOMEM);
		ck_assert_ptr_null(copy.addr);
		ck_assert_int_eq(count_mappings(), count);
		ck_assert_mem_eq(&mapping, &before, sizeof(mapping));
	}

	use_failing_kernel(0);
	ck_assert_fails(client_mapping_grow(&mapping, 2 * page), ENOMEM);
	ck_assert_mem_eq(&mapping, &before, sizeof(mapping));

	if (mapping.shared) {
		use_failing_kernel(0);
		ck_assert_fails(client_mapping_make_writable(&mapping), ENOMEM);
		ck_assert_mem_eq(&mapping, &before, sizeof(mapping));
	}
	ck_assert_int_eq(count_mappings(), count);
	client_mapping_close(&mapping);
	ck_assert_int_eq(count_mappings(), 0);
}

TEST(failed_changes_change_nothing)
{
	int fd = harness_memfd(2 * page, 1, 0);
	struct map_request wanted = request(page);
	change_with_failures(fd, &wanted);
	use_honouring_kernel();
	ck_assert_int_eq(nosigbus_flag(), FLAG);
	wanted.nosigbus = true;
	change_with_failures(fd, &wanted);
	close(fd);
}
