/* SPDX-License-Identifier: MIT */
#ifndef HARNESS_H
#define HARNESS_H

/*
 * Tests on top of libcheck: each TEST runs in a process of its own, and after
 * it returns the harness compares open descriptors and live heap blocks with
 * what there was before, and looks for child processes nobody waited for. Link
 * harness.c, which has main().
 *
 *   TEST(I6_pointer_survives_resize) { ck_assert_int_eq(f(), 0); }
 *   TEST_DIES(I4_foreign_sigbus_dumps_core, SIGBUS) { raise(SIGBUS); }
 *
 * Output is TAP; what a test prints goes to stderr. Arguments select tests by
 * name (fnmatch patterns), --list names them all. CK_FORK=no in the environment
 * runs them without fork, for a debugger.
 */

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

void harness_register(const TTest *test, int signal, const char *name);

#define HARNESS_TEST_(name, signal) \
	static void name##_body(int); \
	static const TTest name##_test = {#name, name##_body, __FILE__, __LINE__}; \
	__attribute__((constructor)) static void name##_register(void) \
	{ harness_register(&name##_test, signal, #name); } \
	static void name##_body(int unused_ __attribute__((unused)))

/* Must return normally. */
#define TEST(name) HARNESS_TEST_(name, 0)
/* Must be killed by `signal`. */
#define TEST_DIES(name, signal) HARNESS_TEST_(name, signal)

/* Returns -1 with this errno. */
#define ck_assert_fails(call, error) \
	do { \
		errno = 0; \
		ck_assert_int_eq((call), -1); \
		ck_assert_int_eq(errno, (error)); \
	} while (0)

/* Ends the test: it cannot run here, and why (one line, printf-like). */
__attribute__((format(printf, 1, 2)))
void harness_skip(const char *format, ...);
#define SKIP(...) do { harness_skip(__VA_ARGS__); return; } while (0)

/* The same from anywhere in a test: it needs a call that has just failed, with errno, in
 * a way that says that it is not to be had here. */
__attribute__((noreturn))
void harness_lacks(const char *call);

/* Whether the caller of the suite has time: ./test --long. */
bool harness_long(void);

/* Open descriptors of this process. */
int harness_open_fds(void);

/* Whether the threads that the test has made have ended: nothing is going to change then
 * that this one does not change. */
bool harness_is_alone(void);

/* A memfd of `size` bytes, every byte `fill`, with these F_SEAL_* bits added.
 * `seals` < 0: created without MFD_ALLOW_SEALING. Fails the test on error. Where there
 * are no memfds, or none with seals, it is a file in /dev/shm, as clients then make
 * them; or the test is skipped if there are to be seals. */
int harness_memfd(size_t size, int fill, int seals);

/* Adds F_SEAL_* bits to a file of harness_memfd(), with `seals` >= 0. Fails the test on
 * error; skips it where there are none. */
void harness_add_seals(int fd, int seals);

/* An eventfd that does not block. Fails the test on error; skips it where there are
 * none. */
int harness_eventfd(void);

#endif
