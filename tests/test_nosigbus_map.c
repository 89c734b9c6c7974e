/* SPDX-License-Identifier: MIT */

/* Client mappings: opened, hidden from dumps and children, looked at. */

#include "harness.h"

#include "client_mapping_fixture.h"
#include "fake_kernel.h"
#include "huge_page_limit.h"
#include "memory_look.h"
#include "needs.h"
#include "old_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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
	ck_assert_int_eq(count_mappings("memfd:"), 0);
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

/* Two files that cannot be written: one by us, one by anybody. */
static int
open_unwritable(int which)
{
	if (which == 1)
		return harness_memfd(page, 5, F_SEAL_WRITE | F_SEAL_SHRINK);
	int fd = harness_memfd(page, 5, 0);
	int read_only = reopen_fd(fd, O_RDONLY);
	close(fd);
	return read_only;
}

TEST(F22_file_that_cannot_be_written_is_mapped)
{
	for (int which = 0; which < 2; which++) {
		int fd = open_unwritable(which);
		struct client_mapping mapping = must_open(fd, request(page));
		ck_assert(!mapping.writable);
		ck_assert_int_eq(byte_at(&mapping, 0), 5);
		ck_assert_int_eq(client_mapping_make_writable(&mapping), -1);
		ck_assert(errno == EACCES || errno == EPERM ||
			errno == ENOTSUP);
		client_mapping_close(&mapping);
		close(fd);
	}
}

TEST(F22_stores_stay_here_when_the_file_cannot_be_written)
{
	for (int which = 0; which < 2; which++) {
		int fd = open_unwritable(which);
		struct map_request wanted = request(page);
		wanted.writable = true;
		struct client_mapping copy, mapping = must_open(fd, wanted);
		ck_assert(!mapping.shared);
		ck_assert(mapping.writable);
		ck_assert_int_eq(client_mapping_make_writable(&mapping), 0);
		memset(mapping.addr, 6, page);
		ck_assert_int_eq(byte_at(&mapping, 0), 6);
		ck_assert_int_eq(byte_in_file(fd, 0), 5);
		ck_assert_fails(client_mapping_duplicate(&mapping, page, true,
			&copy), ENOTSUP);
		client_mapping_close(&mapping);
		close(fd);
	}
	ck_assert_int_eq(count_mappings("memfd:"), 0);
}

/* Before Linux 6.7. */
TEST(F22_write_sealed_file_is_mapped_by_kernels_that_refuse_sharing)
{
	struct client_mapping copy;
	int fd = harness_memfd(page, 5, F_SEAL_WRITE);
	fake_kernel.refuses_sealed_sharing = true;
	fake_kernel_use();
	struct client_mapping mapping = must_open(fd, request(page));
	ck_assert(!mapping.shared);
	ck_assert(!mapping.writable);
	ck_assert(!mapping.nosigbus);
	ck_assert_str_eq(permissions_at(mapping.addr), "r--p");
	ck_assert_int_eq(byte_at(&mapping, 0), 5);
	ck_assert_fails(client_mapping_make_writable(&mapping), ENOTSUP);
	ck_assert_fails(client_mapping_duplicate(&mapping, page, true, &copy),
		ENOTSUP);
	client_mapping_close(&mapping);
	ck_assert_int_eq(count_mappings("memfd:"), 0);
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

TEST(F16_real_huge_pages)
{
	struct stat st;
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_HUGETLB);
	if (fd < 0)
		SKIP("no huge pages: %s", strerror(errno));
	ck_assert_int_eq(fstat(fd, &st), 0);
	size_t huge = (size_t)st.st_blksize;
	ck_assert_int_eq(ftruncate(fd, st.st_blksize), 0);

	struct client_mapping mapping;
	struct map_request wanted = {
		.length = 1,
		.block_size = huge,
		.hugetlb = true,
		.nosigbus = true,
	};
	bool raised = huge_page_limit_raise(1);
	bool opened = client_mapping_open(&mapping, fd, &wanted) == 0;
	int error = errno;
	bool backed = opened && client_mapping_is_backed(&mapping, huge - 1);
	if (raised)
		huge_page_limit_restore();
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
	ck_assert(has_vm_flag(mapping.addr, "dc"));
	ck_assert(has_vm_flag(mapping.addr, "dd"));
	client_mapping_close(&mapping);
	ck_assert_int_eq(count_mappings("memfd:"), 0);
	close(fd);
}

/* ---- Core dumps and children ---- */

static void
check_hidden(struct client_mapping *mapping, bool from_dumps)
{
	struct client_mapping copy;
	ck_assert(has_vm_flag(mapping->addr, "dc"));
	ck_assert_int_eq(has_vm_flag(mapping->addr, "dd"), from_dumps);
	if (mapping->handle != NULL) {
		ck_assert(has_vm_flag(mapping->handle, "dc"));
		ck_assert_int_eq(has_vm_flag(mapping->handle, "dd"),
			from_dumps);
	}
	ck_assert_int_eq(client_mapping_duplicate(mapping, page, true, &copy),
		0);
	ck_assert(has_vm_flag(copy.addr, "dc"));
	ck_assert_int_eq(has_vm_flag(copy.addr, "dd"), from_dumps);
	client_mapping_close(&copy);
}

TEST(I12_kept_out_of_core_dumps_and_children)
{
	needs_mremap();
	int fd = harness_memfd(4 * page, 1, 0);
	fake_kernel.has_nosigbus = true;
	fake_kernel_use();
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
	fake_kernel.has_nosigbus = true;
	fake_kernel_use();
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

static void
check_what_is_backed(void)
{
	int fd = harness_memfd(2 * page, 1, 0);
	struct client_mapping mapping = must_open(fd, request(4 * page));
	ck_assert(client_mapping_is_backed(&mapping, 0));
	ck_assert(client_mapping_is_backed(&mapping, 2 * page - 1));
	ck_assert(!client_mapping_is_backed(&mapping, 2 * page));
	ck_assert(!client_mapping_is_backed(&mapping, 4 * page - 1));
	ck_assert(!client_mapping_is_backed(&mapping, 4 * page));
	ck_assert_int_eq(ftruncate(fd, (off_t)page - 1), 0);
	ck_assert(client_mapping_is_backed(&mapping, page - 1));
	ck_assert(!client_mapping_is_backed(&mapping, page));
	client_mapping_close(&mapping);
	close(fd);
}

TEST(backed_up_to_the_end_of_the_file)
{
	check_what_is_backed();
}

TEST(backed_by_kernels_without_populate_read)
{
	if (!old_kernel_forget_how_to_look(OLD_KERNEL_POPULATES_NOTHING))
		SKIP("no seccomp filters: %s", strerror(errno));
	check_what_is_backed();
}

TEST(backed_in_sandboxes_that_forbid_reading_memory)
{
	if (!old_kernel_forget_how_to_look(OLD_KERNEL_READS_NOTHING))
		SKIP("no seccomp filters: %s", strerror(errno));
	check_what_is_backed();
}

TEST(not_backed_where_the_kernel_cannot_tell)
{
	if (!old_kernel_forget_how_to_look(OLD_KERNEL_TELLS_NOTHING))
		SKIP("no seccomp filters: %s", strerror(errno));
	int fd = harness_memfd(page, 1, 0);
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
	int refusals = 0, calls = 0;
	do {
		struct client_mapping mapping = {.length = 12345};
		fake_kernel.calls_before_failure = calls;
		fake_kernel.failed = false;
		if (client_mapping_open(&mapping, fd, wanted) == 0) {
			client_mapping_close(&mapping);
		} else {
			ck_assert_int_eq(errno, ENOMEM);
			ck_assert_uint_eq(mapping.length, 12345);
			refusals++;
		}
		ck_assert_int_eq(count_mappings("memfd:"), 0);
	} while (fake_kernel.failed && ++calls < MAX_CALLS);
	ck_assert(!fake_kernel.failed);
	/* The first mmap of a no-SIGBUS mapping has a substitute. */
	ck_assert_int_eq(refusals, wanted->nosigbus ? 0 : 1);
}

static void
change_with_failures(int fd, const struct map_request *wanted)
{
	fake_kernel.calls_before_failure = -1;
	struct client_mapping copy, mapping = must_open(fd, *wanted);
	struct client_mapping before = mapping;
	int count = count_mappings("memfd:");

	for (int calls = 0; calls < 2; calls++) {
		memset(&copy, 0, sizeof(copy));
		fake_kernel.calls_before_failure = calls;
		ck_assert_fails(client_mapping_duplicate(&mapping, 2 * page,
			true, &copy), ENOMEM);
		ck_assert_ptr_null(copy.addr);
		ck_assert_int_eq(count_mappings("memfd:"), count);
		ck_assert_mem_eq(&mapping, &before, sizeof(mapping));
	}

	fake_kernel.calls_before_failure = 0;
	ck_assert_fails(client_mapping_grow(&mapping, 2 * page), ENOMEM);
	ck_assert_mem_eq(&mapping, &before, sizeof(mapping));

	fake_kernel.calls_before_failure = 0;
	ck_assert_fails(client_mapping_make_writable(&mapping),
		mapping.shared ? ENOMEM : ENOTSUP);
	ck_assert_mem_eq(&mapping, &before, sizeof(mapping));

	ck_assert_int_eq(count_mappings("memfd:"), count);
	client_mapping_close(&mapping);
	ck_assert_int_eq(count_mappings("memfd:"), 0);
}

TEST(failures_change_nothing)
{
	needs_mremap();
	needs_memfd();
	int fd = harness_memfd(2 * page, 1, 0);
	fake_kernel.has_nosigbus = true;
	fake_kernel_use();
	ck_assert_int_ne(nosigbus_flag(), 0);

	struct map_request wanted = request(page);
	open_with_failures(fd, &wanted);
	change_with_failures(fd, &wanted);
	wanted.writable = true;
	open_with_failures(fd, &wanted);
	wanted.writable = false;
	wanted.nosigbus = true;
	open_with_failures(fd, &wanted);
	change_with_failures(fd, &wanted);
	close(fd);
}
