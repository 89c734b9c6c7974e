/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include "memory_look.h"
#include "view_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define GIB ((size_t)1 << 30)

static size_t
size_of(int fd)
{
	struct stat file;
	ck_assert_int_eq(fstat(fd, &file), 0);
	return (size_t)file.st_size;
}

static long
blocks_of(int fd)
{
	struct stat file;
	ck_assert_int_eq(fstat(fd, &file), 0);
	return (long)file.st_blocks;
}

static struct view_copy *
must_copy(int fd, size_t offset, size_t length, bool writable)
{
	struct view_copy *copy =
		view_copy_create(fd, (off_t)offset, length, writable, &fd);
	ck_assert_ptr_nonnull(copy);
	return copy;
}

/* ---- Reading ---- */

TEST(copies_what_was_asked_for)
{
	static const struct {
		size_t offset, length;
	} parts[] = {
		{0, 1}, {4095, 2}, {1, 4096}, {12345, 3}, {0, 300 << 10},
		{100001, 700001}, {(1 << 20) - 1, 1}, {0, 1 << 20},
	};
	size_t size = 1 << 20;
	int fd = harness_memfd(size, 0, 0);
	unsigned char *bytes = malloc(size);
	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)(i * 2654435761u >> 24);
	ck_assert_int_eq(pwrite(fd, bytes, size, 0), (ssize_t)size);

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct view_copy *copy =
			must_copy(fd, parts[i].offset, parts[i].length, false);
		ck_assert_mem_eq(view_copy_data(copy), bytes + parts[i].offset,
			parts[i].length);
		ck_assert(!view_copy_finish(copy, fd));
	}
	free(bytes);
	close(fd);
}

TEST(gives_its_owner_back)
{
	int owner, fd = harness_memfd(1, 1, 0);
	struct view_copy *copy = view_copy_create(fd, 0, 1, false, &owner);
	ck_assert_ptr_eq(view_copy_owner(copy), &owner);
	ck_assert(!view_copy_finish(copy, fd));
	close(fd);
}

TEST(F18_sparse_gigabyte_costs_nothing)
{
	int fd = harness_memfd(GIB, 0, 0);
	ck_assert_int_eq(pwrite(fd, "x", 1, (off_t)(GIB / 2 + 5)), 1);
	long blocks = blocks_of(fd), anonymous = anonymous_memory();

	struct view_copy *copy = must_copy(fd, 0, GIB, false);
	const unsigned char *data = view_copy_data(copy);
	ck_assert_int_eq(data[GIB / 2 + 5], 'x');
	ck_assert_int_eq(blocks_of(fd), blocks);
	ck_assert_int_lt(anonymous_memory(), anonymous + 4096);
	for (size_t i = 0; i < GIB; i += 7654321)
		ck_assert_int_eq(data[i], 0);
	ck_assert(!view_copy_finish(copy, fd));
	ck_assert_int_eq(blocks_of(fd), blocks);
	close(fd);
}

TEST(what_the_file_lacks_reads_as_zeros_and_is_reported)
{
	size_t page = page_size();
	int fd = numbered_memfd(2);
	struct view_copy *copy = must_copy(fd, page, 100 * page, false);
	const unsigned char *data = view_copy_data(copy);
	size_t wrong = 0;
	for (size_t i = 0; i < 100 * page; i++)
		wrong += data[i] != (i < page ? page_byte(1) : 0);
	ck_assert_uint_eq(wrong, 0);
	ck_assert(view_copy_finish(copy, fd));

	copy = must_copy(fd, 5 * page, page, false);
	ck_assert_int_eq(*(unsigned char *)view_copy_data(copy), 0);
	ck_assert(view_copy_finish(copy, fd));
	ck_assert_uint_eq(size_of(fd), 2 * page);
	close(fd);
}

TEST(file_that_cannot_be_read_is_reported)
{
	int fd = harness_memfd(100, 1, 0);
	int write_only = reopen_fd(fd, O_WRONLY);
	struct view_copy *copy = must_copy(write_only, 0, 100, false);
	ck_assert_int_eq(*(unsigned char *)view_copy_data(copy), 0);
	ck_assert(view_copy_finish(copy, write_only));
	close(write_only);
	close(fd);
}

TEST(copy_does_not_change_with_the_file)
{
	size_t page = page_size();
	int fd = numbered_memfd(2);
	struct view_copy *copy = must_copy(fd, 0, 2 * page, false);
	const unsigned char *data = view_copy_data(copy);
	ck_assert_int_eq(pwrite(fd, "\377", 1, 0), 1);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(data[0], page_byte(0));
	ck_assert_int_eq(data[2 * page - 1], page_byte(1));
	/* All the bytes that were asked for have been seen. */
	ck_assert(!view_copy_finish(copy, fd));
	close(fd);
}

/* ---- Writing ---- */

TEST(writes_back_what_was_stored)
{
	size_t page = page_size();
	int fd = numbered_memfd(3);
	struct view_copy *copy = must_copy(fd, page - 1, page + 2, true);
	unsigned char *data = view_copy_data(copy);
	memset(data + 1, 9, page);
	ck_assert_int_eq(byte_in_file(fd, page), page_byte(1));
	ck_assert(!view_copy_finish(copy, fd));
	for (size_t i = 0; i < 3 * page; i++)
		ck_assert_int_eq(byte_in_file(fd, i),
			i / page == 1 ? 9 : page_byte(i / page));
	close(fd);
}

TEST(reading_writes_nothing)
{
	int fd = harness_memfd(100, 1, 0);
	struct view_copy *copy = must_copy(fd, 0, 100, false);
	ck_assert_int_eq(pwrite(fd, "\7", 1, 50), 1);
	ck_assert(!view_copy_finish(copy, fd));
	ck_assert_int_eq(byte_in_file(fd, 50), 7);
	close(fd);
}

TEST(shrunken_file_is_reported_and_does_not_grow_again)
{
	size_t page = page_size();
	int fd = numbered_memfd(4);
	struct view_copy *copy = must_copy(fd, page, 3 * page, true);
	memset(view_copy_data(copy), 9, 3 * page);
	ck_assert_int_eq(ftruncate(fd, (off_t)(2 * page + 10)), 0);
	ck_assert(view_copy_finish(copy, fd));
	ck_assert_uint_eq(size_of(fd), 2 * page + 10);
	ck_assert_int_eq(byte_in_file(fd, page - 1), page_byte(0));
	ck_assert_int_eq(byte_in_file(fd, page), 9);
	ck_assert_int_eq(byte_in_file(fd, 2 * page + 9), 9);

	copy = must_copy(fd, 3 * page, page, true);
	ck_assert(view_copy_finish(copy, fd));
	ck_assert_uint_eq(size_of(fd), 2 * page + 10);
	close(fd);
}

TEST(file_that_cannot_be_written_is_reported)
{
	int fd = harness_memfd(100, 1, 0);
	struct view_copy *copy = must_copy(fd, 0, 100, true);
	harness_add_seals(fd, F_SEAL_WRITE);
	ck_assert(view_copy_finish(copy, fd));
	ck_assert_int_eq(byte_in_file(fd, 0), 1);
	close(fd);
}

/* ---- Memory ---- */

TEST(out_of_memory_is_an_error)
{
	int fd = harness_memfd(GIB, 0, 0);
	struct rlimit before, little;
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
	little = before;
	little.rlim_cur = (rlim_t)number_in_status("VmSize") * 1024 + GIB / 2;
	if (setrlimit(RLIMIT_AS, &little) != 0) {
		close(fd);
		SKIP("address space cannot be limited: %s", strerror(errno));
	}
	errno = 0;
	struct view_copy *copy = view_copy_create(fd, 0, GIB, false, NULL);
	int error = errno;
	setrlimit(RLIMIT_AS, &before);
	ck_assert_ptr_null(copy);
	ck_assert_int_eq(error, ENOMEM);
	close(fd);
}

TEST(memory_is_given_back)
{
	int fd = harness_memfd(1 << 20, 1, 0);
	ck_assert(!view_copy_finish(must_copy(fd, 0, 1 << 20, true), fd));
	long before = number_in_status("VmSize");
	for (int i = 0; i < 50; i++)
		ck_assert(!view_copy_finish(must_copy(fd, 0, 1 << 20, true), fd));
	ck_assert_int_le(number_in_status("VmSize"), before + (25 << 10));
	close(fd);
}
