/* SPDX-License-Identifier: MIT */

/* Growing, duplicating and writing client mappings, with the descriptor closed. */

#include "harness.h"

#include "client_mapping_fixture.h"
#include "fake_kernel.h"
#include "memory_look.h"
#include "needs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

TEST(I8_grows_without_a_descriptor)
{
	needs_mremap();
	int client = harness_memfd(page, 1, 0);
	int fd = dup(client);
	fake_kernel.roomy = true;
	fake_kernel_use();
	struct client_mapping mapping = must_open(fd, request(page));
	close(fd);

	void *addr = mapping.addr;
	ck_assert_int_eq(ftruncate(client, (off_t)(3 * page)), 0);
	ck_assert_int_eq(pwrite(client, "\2", 1, (off_t)(2 * page + 1)), 1);
	ck_assert_int_eq(client_mapping_grow(&mapping, 2 * page + 2), 0);
	ck_assert_ptr_eq(mapping.addr, addr);
	ck_assert_uint_eq(mapping.length, 3 * page);
	ck_assert_int_eq(byte_at(&mapping, 0), 1);
	ck_assert_int_eq(byte_at(&mapping, 2 * page + 1), 2);
	ck_assert_int_eq(client_mapping_grow(&mapping, page), 0);
	ck_assert_uint_eq(mapping.length, 3 * page);

	client_mapping_close(&mapping);
	ck_assert_int_eq(count_mappings("memfd:"), 0);
	close(client);
}

TEST(grows_past_the_end_of_the_file)
{
	needs_mremap();
	int fd = harness_memfd(page, 1, F_SEAL_SHRINK | F_SEAL_GROW);
	fake_kernel.roomy = true;
	fake_kernel_use();
	struct client_mapping mapping = must_open(fd, request(page));
	ck_assert_int_eq(client_mapping_grow(&mapping, 2 * page), 0);
	ck_assert(!client_mapping_is_backed(&mapping, page));
	client_mapping_close(&mapping);
	close(fd);
}

TEST(I6_does_not_grow_into_a_neighbour)
{
	needs_mremap();
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
	needs_mremap();
	int client = harness_memfd(2 * page, 1, 0);
	for (int i = 0; i < 2; i++) {
		int fd = reopen_fd(client, i == 0 ? O_RDONLY : O_RDWR);
		struct client_mapping mapping = must_open(fd, request(page));
		struct client_mapping copy;
		close(fd);

		ck_assert_int_eq(client_mapping_duplicate(&mapping, page + 1,
			false, &copy), 0);
		ck_assert_ptr_ne(copy.addr, mapping.addr);
		ck_assert_uint_eq(copy.length, 2 * page);
		ck_assert(copy.shared);
		ck_assert(!copy.writable);
		ck_assert_str_eq(permissions_at(copy.addr), "r--s");
		client_mapping_close(&mapping);
		ck_assert_int_eq(byte_at(&copy, 2 * page - 1), 1);
		client_mapping_close(&copy);
	}
	ck_assert_int_eq(count_mappings("memfd:"), 0);
	close(client);
}

TEST(duplicate_has_the_protection_asked_for)
{
	needs_mremap();
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
		ck_assert_str_eq(permissions_at(copy.addr),
			writable ? "rw-s" : "r--s");
		ck_assert_str_eq(permissions_at(mapping.addr),
			wanted.writable ? "rw-s" : "r--s");
		client_mapping_close(&copy);
		client_mapping_close(&mapping);
	}
	close(fd);
	close(client);
}

TEST(F22_read_only_file_has_no_writable_duplicate)
{
	needs_mremap();
	needs_memfd();
	int client = harness_memfd(page, 1, 0);
	int fd = reopen_fd(client, O_RDONLY);
	struct client_mapping copy, mapping = must_open(fd, request(page));
	ck_assert_fails(client_mapping_duplicate(&mapping, page, true, &copy),
		EACCES);
	ck_assert_int_eq(count_mappings("memfd:"), 1);
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

	ck_assert_str_eq(permissions_at(mapping.addr), "r--s");
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
	int fd = reopen_fd(client, O_RDONLY);
	struct client_mapping mapping = must_open(fd, request(2 * page));
	close(fd);

	/* As the trap leaves it after a fault. */
	ck_assert_ptr_ne(mmap(mapping.addr, page, PROT_READ,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), MAP_FAILED);
	ck_assert_fails(client_mapping_make_writable(&mapping), EACCES);
	ck_assert(!mapping.writable);
	ck_assert_str_eq(permissions_at(mapping.addr), "r--p");
	ck_assert_str_eq(permissions_at((char *)mapping.addr + page), "r--s");
	client_mapping_close(&mapping);
	close(client);
}

TEST(I3_lost_mapping_does_not_grow)
{
	needs_mremap();
	int client = harness_memfd(2 * page, 1, 0);
	struct client_mapping mapping = must_open(client, request(2 * page));
	ck_assert_ptr_ne(mmap((char *)mapping.addr + page, page, PROT_READ,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), MAP_FAILED);
	struct client_mapping before = mapping;
	ck_assert_fails(client_mapping_grow(&mapping, 4 * page), EFAULT);
	ck_assert_mem_eq(&mapping, &before, sizeof(mapping));
	client_mapping_close(&mapping);
	close(client);
}
