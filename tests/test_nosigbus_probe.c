/* SPDX-License-Identifier: MIT */
/* Kernels with and without no-SIGBUS mappings. */
#include "fake_kernel.h"
#include "harness.h"
#include "memory_look.h"
#include "nosigbus_map.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The bit that the library tries on Linux, spelled out on purpose. */
#define FLAG 0x200000

static void
use_honouring_kernel(void)
{
	fake_kernel.has_nosigbus = true;
	fake_kernel_use();
}

/* Reads past the end of a file through a mapping with the flag. */
static bool
survives_missing_page(void)
{
	int status;
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		signal(SIGBUS, SIG_DFL);
		int fd = memfd_create("test", MFD_CLOEXEC);
		volatile char *addr = mmap(NULL, page_size(), PROT_READ,
			MAP_PRIVATE | FLAG, fd, 0);
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
	ck_assert_int_eq(count_mappings("memfd:"), 0);
}

TEST(probe_finds_a_kernel_that_honours_the_flag)
{
	use_honouring_kernel();
	ck_assert_int_eq(nosigbus_probe(), FLAG);
	ck_assert_int_eq(count_mappings("memfd:"), 0);
}

TEST(probe_finds_a_kernel_that_refuses_the_flag)
{
	use_honouring_kernel();
	fake_kernel.refuses_nosigbus = true;
	ck_assert_int_eq(nosigbus_probe(), 0);
}

TEST(probe_result_is_kept)
{
	use_honouring_kernel();
	ck_assert_int_eq(nosigbus_flag(), FLAG);
	fake_kernel.refuses_nosigbus = true;
	ck_assert_int_eq(nosigbus_flag(), FLAG);
}

TEST(probe_that_ran_out_of_memory_is_repeated)
{
	use_honouring_kernel();
	fake_kernel.calls_before_failure = 0;
	ck_assert_int_eq(nosigbus_probe(), -1);
	fake_kernel.calls_before_failure = 0;
	ck_assert_int_eq(nosigbus_flag(), 0);
	ck_assert_int_eq(nosigbus_flag(), FLAG);
}

TEST(probe_that_ran_out_of_descriptors_is_repeated)
{
	struct rlimit limit;
	int fds[64], count = 0;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 64;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	use_honouring_kernel();
	while ((fds[count] = dup(STDERR_FILENO)) >= 0)
		count++;
	ck_assert_int_ge(count, 3);
	/* With none, one or two left it lacks the file or its pipe. */
	for (int left = 0; left < 3; left++) {
		ck_assert_int_eq(nosigbus_flag(), 0);
		close(fds[--count]);
	}
	ck_assert_int_eq(nosigbus_flag(), FLAG);
	while (count > 0)
		close(fds[--count]);
}

/* ---- Mappings on a kernel that has the flag ---- */

static struct client_mapping
must_open_nosigbus(int fd, size_t length)
{
	struct client_mapping mapping;
	struct map_request request = {
		.length = length,
		.block_size = page_size(),
		.nosigbus = true,
	};
	ck_assert_int_eq(client_mapping_open(&mapping, fd, &request), 0);
	return mapping;
}

TEST(I7_missing_pages_read_as_zeros)
{
	size_t page = page_size();
	int fd = numbered_memfd(1);
	use_honouring_kernel();
	struct client_mapping mapping = must_open_nosigbus(fd, 3 * page);
	const unsigned char *bytes = mapping.addr;
	ck_assert(mapping.nosigbus);
	ck_assert(!mapping.shared);
	ck_assert_str_eq(permissions_at(mapping.addr), "r--p");
	ck_assert_int_eq(bytes[page - 1], page_byte(0));
	ck_assert_int_eq(bytes[page], 0);
	ck_assert_int_eq(bytes[3 * page - 1], 0);
	client_mapping_close(&mapping);
	ck_assert_int_eq(count_mappings("memfd:"), 0);
	close(fd);
}

TEST(I8_nosigbus_mapping_keeps_a_handle)
{
	size_t page = page_size();
	int client = numbered_memfd(1);
	int fd = dup(client);
	use_honouring_kernel();
	struct client_mapping copy, mapping = must_open_nosigbus(fd, page);
	close(fd);
	ck_assert_str_eq(permissions_at(mapping.handle), "---s");
	ck_assert_fails(client_mapping_make_writable(&mapping), ENOTSUP);

	for (int writable = 0; writable < 2; writable++) {
		ck_assert_int_eq(client_mapping_duplicate(&mapping, page,
			writable, &copy), 0);
		ck_assert(copy.shared);
		ck_assert(!copy.nosigbus);
		ck_assert_ptr_null(copy.handle);
		ck_assert_str_eq(permissions_at(copy.addr),
			writable ? "rw-s" : "r--s");
		ck_assert_int_eq(*(unsigned char *)copy.addr, page_byte(0));
		if (writable)
			memset(copy.addr, 0xee, page);
		client_mapping_close(&copy);
	}
	ck_assert_int_eq(byte_in_file(client, page - 1), 0xee);
	ck_assert_int_eq(*(unsigned char *)mapping.addr, 0xee);

	client_mapping_close(&mapping);
	ck_assert_int_eq(count_mappings("memfd:"), 0);
	close(client);
}

TEST(nosigbus_mapping_does_without_a_handle)
{
	size_t page = page_size();
	int fd = harness_memfd(page, 1, F_SEAL_WRITE);
	use_honouring_kernel();
	fake_kernel.refuses_sealed_sharing = true;
	struct client_mapping copy, mapping = must_open_nosigbus(fd, page);
	ck_assert(mapping.nosigbus);
	ck_assert_ptr_null(mapping.handle);
	ck_assert_int_eq(*(unsigned char *)mapping.addr, 1);
	ck_assert_fails(client_mapping_duplicate(&mapping, page, false, &copy),
		ENOTSUP);
	client_mapping_close(&mapping);
	ck_assert_int_eq(count_mappings("memfd:"), 0);
	close(fd);
}

TEST(nosigbus_is_used_where_it_fits)
{
	int fd = numbered_memfd(1);
	use_honouring_kernel();
	for (int i = 0; i < 8; i++) {
		struct client_mapping mapping;
		struct map_request request = {
			.length = 1,
			.block_size = page_size(),
			.nosigbus = i & 1,
			.writable = i & 2,
			.hugetlb = i & 4,
		};
		ck_assert_int_eq(client_mapping_open(&mapping, fd, &request),
			0);
		ck_assert_int_eq(mapping.nosigbus, i == 1);
		ck_assert_int_eq(mapping.shared, i != 1);
		ck_assert_int_eq(mapping.writable, request.writable);
		client_mapping_close(&mapping);
	}
	close(fd);
}

TEST(nosigbus_refused_for_one_file_falls_back)
{
	int fd = numbered_memfd(1);
	use_honouring_kernel();
	ck_assert_int_eq(nosigbus_flag(), FLAG);
	fake_kernel.refuses_nosigbus = true;
	struct client_mapping mapping = must_open_nosigbus(fd, 1);
	ck_assert(!mapping.nosigbus);
	ck_assert(mapping.shared);
	ck_assert_ptr_null(mapping.handle);
	client_mapping_close(&mapping);
	close(fd);
}

/* The real thing, where there is one. */
TEST(I7_kernel_keeps_what_the_flag_promises)
{
	size_t page = page_size();
	if (nosigbus_flag() == 0)
		SKIP("this kernel has no no-SIGBUS mappings");
	int fd = numbered_memfd(2);
	struct client_mapping copy, mapping = must_open_nosigbus(fd, 2 * page);
	const volatile unsigned char *bytes = mapping.addr;
	ck_assert(mapping.nosigbus);
	ck_assert_int_eq(bytes[0], page_byte(0));

	/* There may be no room to grow. */
	if (client_mapping_grow(&mapping, 4 * page) == 0)
		ck_assert_int_eq(bytes[3 * page], 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)page), 0);
	ck_assert_int_eq(bytes[0], page_byte(0));
	ck_assert_int_eq(bytes[page], 0);
	ck_assert_int_eq(client_mapping_duplicate(&mapping, page, false,
		&copy), 0);
	ck_assert_int_eq(*(unsigned char *)copy.addr, page_byte(0));
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(bytes[0], 0);

	client_mapping_close(&copy);
	client_mapping_close(&mapping);
	close(fd);
}
