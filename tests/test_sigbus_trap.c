/* SPDX-License-Identifier: MIT */

/* What the handler repairs, and how often it has to. */

#include "harness.h"

#include "memory_look.h"
#include "old_kernel.h"
#include "sigbus_trap.h"
#include "spare_mappings.h"
#include "trapped_memory.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Signals that one mapping may ever cost, however its file changes. */
#define MAX_SIGNALS 9

static struct trapped_memory memory;

static void
set_up(size_t pages)
{
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	spare_mappings_fill();
	trapped_memory_init(&memory, pages, PROT_READ, -1);
}

static void
tear_down(void)
{
	trapped_memory_finish(&memory);
	sigbus_trap_unref();
}

static unsigned int
signals_taken(void)
{
	return memory.range->faults;
}

/* ---- What is repaired, and how often ---- */

TEST(I7_tail_is_lost_prefix_stays)
{
	set_up(64);
	trapped_memory_truncate(&memory, 24);
	ck_assert(!memory.lost);
	ck_assert_int_eq(trapped_memory_read(&memory, 40), 0);
	ck_assert(memory.lost);
	trapped_memory_check(&memory, 24);
	ck_assert_uint_eq(signals_taken(), 1);
	tear_down();
}

TEST(I7_all_of_the_file_is_lost)
{
	set_up(8);
	trapped_memory_truncate(&memory, 0);
	trapped_memory_check(&memory, 0);
	ck_assert_uint_eq(signals_taken(), 1);
	tear_down();
}

TEST(I7_file_ends_within_a_page)
{
	set_up(4);
	size_t end = memory.page + 100;
	ck_assert_int_eq(ftruncate(memory.fd, (off_t)end), 0);
	for (size_t i = 0; i < 4 * memory.page; i++) {
		int expected = i < end ? page_byte(i / memory.page) : 0;
		ck_assert_int_eq(memory.bytes[i], expected);
	}
	ck_assert_uint_eq(signals_taken(), 1);
	tear_down();
}

TEST(I7_order_of_access_does_not_matter)
{
	enum { PAGES = 256, KEPT = 100 };
	for (int order = 0; order < 3; order++) {
		set_up(PAGES);
		trapped_memory_truncate(&memory, KEPT);
		for (size_t i = 0; i < PAGES; i++) {
			size_t page = order == 0 ? i : PAGES - 1 - i;
			if (order == 2)
				page = i * 97 % PAGES;
			ck_assert_int_eq(trapped_memory_read(&memory, page),
				page < KEPT ? page_byte(page) : 0);
		}
		ck_assert_uint_eq(signals_taken(), 1);
		tear_down();
	}
}

TEST(I7_each_truncation_takes_one_signal)
{
	unsigned int truncations = 0;
	set_up(256);
	for (size_t kept = 250; kept > 100; kept -= 40) {
		trapped_memory_truncate(&memory, kept);
		trapped_memory_check(&memory, kept);
		ck_assert_uint_eq(signals_taken(), ++truncations);
	}
	tear_down();
}

TEST(I7_signals_are_bounded_and_then_all_is_zero)
{
	enum { PAGES = 128 };
	set_up(PAGES);
	for (size_t kept = PAGES - 1; kept > 0; kept--) {
		trapped_memory_truncate(&memory, kept);
		ck_assert_int_eq(trapped_memory_read(&memory, kept), 0);
	}
	ck_assert_uint_eq(signals_taken(), MAX_SIGNALS);
	trapped_memory_check(&memory, 0);
	tear_down();
}

TEST(I7_lost_page_stays_zero_when_the_file_grows_again)
{
	set_up(4);
	trapped_memory_truncate(&memory, 2);
	ck_assert_int_eq(trapped_memory_read(&memory, 3), 0);
	ck_assert_int_eq(pwrite(memory.fd, "x", 1, (off_t)(3 * memory.page)), 1);
	trapped_memory_check(&memory, 2);
	tear_down();
}

TEST(I7_page_that_came_back_before_it_was_missed)
{
	set_up(4);
	trapped_memory_truncate(&memory, 2);
	trapped_memory_truncate(&memory, 4);
	trapped_memory_check(&memory, 2);
	ck_assert_uint_eq(signals_taken(), 0);
	ck_assert(!memory.lost);
	tear_down();
}

TEST(I7_lost_memory_takes_stores_where_it_was_writable)
{
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	trapped_memory_init(&memory, 4, PROT_READ | PROT_WRITE, -1);
	trapped_memory_truncate(&memory, 1);
	memory.bytes[2 * memory.page] = 7;
	memory.bytes[3 * memory.page] = 8;
	ck_assert_int_eq(trapped_memory_read(&memory, 1), 0);
	ck_assert_int_eq(trapped_memory_read(&memory, 2), 7);
	ck_assert_int_eq(trapped_memory_read(&memory, 3), 8);
	ck_assert_int_eq(byte_in_file(memory.fd, 2 * memory.page), -1);
	ck_assert_uint_eq(signals_taken(), 1);
	tear_down();
}

/* A pool of gigabytes must not be refused its zeros for want of memory that it
 * will never use. */
TEST(I7_zeros_reserve_no_memory)
{
	ck_assert_int_eq(sigbus_trap_ref(), 0);
	trapped_memory_init(&memory, 4, PROT_READ | PROT_WRITE, -1);
	trapped_memory_truncate(&memory, 1);
	ck_assert_int_eq(trapped_memory_read(&memory, 2), 0);
	ck_assert(has_vm_flag((void *)(memory.bytes + 2 * memory.page), "nr"));
	tear_down();
}

TEST(I7_read_only_memory_stays_read_only)
{
	set_up(4);
	trapped_memory_truncate(&memory, 2);
	ck_assert_int_eq(trapped_memory_read(&memory, 2), 0);
	ck_assert_str_eq(permissions_at((void *)(memory.bytes + 2 * memory.page)),
		"r--p");
	ck_assert_str_eq(permissions_at((void *)memory.bytes), "r--s");
	tear_down();
}

TEST(I3_neighbours_are_not_touched)
{
	struct trapped_memory other;
	set_up(4);
	trapped_memory_init(&other, 4, PROT_READ, -1);
	trapped_memory_truncate(&memory, 0);
	trapped_memory_check(&memory, 0);
	trapped_memory_check(&other, 4);
	ck_assert(!other.lost);
	trapped_memory_finish(&other);
	tear_down();
}

static void
check_one_precise_repair(void)
{
	set_up(64);
	trapped_memory_truncate(&memory, 24);
	ck_assert_int_eq(trapped_memory_read(&memory, 50), 0);
	trapped_memory_check(&memory, 24);
	ck_assert_uint_eq(signals_taken(), 1);
	tear_down();
}

TEST(I7_kernel_without_populate_read)
{
	if (!old_kernel_forget_how_to_look(OLD_KERNEL_POPULATES_NOTHING))
		SKIP("no seccomp filters: %s", strerror(errno));
	check_one_precise_repair();
}

TEST(I7_sandbox_that_forbids_reading_memory)
{
	if (!old_kernel_forget_how_to_look(OLD_KERNEL_READS_NOTHING))
		SKIP("no seccomp filters: %s", strerror(errno));
	check_one_precise_repair();
}

TEST(I7_kernel_that_cannot_tell_what_is_there)
{
	if (!old_kernel_forget_how_to_look(OLD_KERNEL_TELLS_NOTHING))
		SKIP("no seccomp filters: %s", strerror(errno));
	set_up(64);
	trapped_memory_truncate(&memory, 24);
	/* What lies before the fault may be there: only looking can tell. */
	ck_assert_int_eq(trapped_memory_read(&memory, 50), 0);
	ck_assert_int_eq(trapped_memory_read(&memory, 30), 0);
	ck_assert_int_eq(trapped_memory_read(&memory, 24), 0);
	trapped_memory_check(&memory, 24);
	ck_assert_uint_eq(signals_taken(), 3);
	tear_down();
}

TEST(I7_kernel_that_cannot_tell_takes_few_signals)
{
	if (!old_kernel_forget_how_to_look(OLD_KERNEL_TELLS_NOTHING))
		SKIP("no seccomp filters: %s", strerror(errno));
	set_up(256);
	trapped_memory_truncate(&memory, 0);
	for (size_t i = 256; i-- > 0;)
		ck_assert_int_eq(trapped_memory_read(&memory, i), 0);
	ck_assert_uint_le(signals_taken(), MAX_SIGNALS);
	tear_down();
}

/* ---- Memory errors ---- */

/* As the kernel reports a page that the hardware has lost. */
static void
send_memory_error(int code, const volatile void *address)
{
	siginfo_t info = {.si_signo = SIGBUS, .si_code = code};
	info.si_addr = (void *)address;
	ck_assert_int_eq(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS,
		&info), 0);
}

TEST(F20_memory_error_costs_one_page)
{
	static const int codes[] = {BUS_MCEERR_AR, BUS_MCEERR_AO};
	for (int i = 0; i < 2; i++) {
		set_up(8);
		send_memory_error(codes[i], memory.bytes + 5 * memory.page + 123);
		ck_assert(memory.lost);
		for (size_t page = 0; page < 8; page++)
			ck_assert_int_eq(trapped_memory_read(&memory, page),
				page == 5 ? 0 : page_byte(page));
		ck_assert_uint_eq(signals_taken(), 1);
		tear_down();
	}
}

TEST(F20_memory_error_then_truncation)
{
	set_up(64);
	send_memory_error(BUS_MCEERR_AR, memory.bytes + 63 * memory.page);
	trapped_memory_check(&memory, 63);
	trapped_memory_truncate(&memory, 10);
	trapped_memory_check(&memory, 10);
	ck_assert_uint_le(signals_taken(), 3);
	tear_down();
}

/* As with huge pages, of which one may be had and the next not. */
TEST(F16_lost_blocks_on_both_sides_are_one_repair)
{
	set_up(64);
	memory.range->has_holes = true;
	trapped_memory_truncate(&memory, 24);
	ck_assert_int_eq(trapped_memory_read(&memory, 40), 0);
	trapped_memory_check(&memory, 24);
	ck_assert_uint_eq(signals_taken(), 1);
	tear_down();
}
