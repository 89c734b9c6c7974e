/* SPDX-License-Identifier: MIT */

/*
 * What libwayland-server and libwlroots themselves do with the descriptors of
 * clients, in a program that stands on them.
 *
 * - Both close them, libwayland even those that no request asked for. If it is a
 *   file whose server does not answer, that waits for ever.
 * - wlroots maps a virtual keyboard's keymap and parses it as a string. A file
 *   that shrinks, or (before wlroots 0.20) one that fills its pages and has no
 *   NUL, ends the session. The only other thing that it maps like that is a table
 *   sent by the compositor that it is nested in.
 * - wlroots reads a gamma table, seeks a DMA-BUF's end, and asks a security
 *   context's socket for its type: these wait for such a file as well.
 *
 * So these calls are answered here if they come from those libraries and are
 * about such a file; all others pass through. What passes is safe in a signal
 * handler where the C library's function is, and so is a close of what is no
 * file. The close of a file that can block takes a lock and memory: neither
 * library does that in a signal handler or between vfork(2) and exec.
 */

/* Both widths of off_t have functions of their own, and inline wrappers would
 * be in the way of either. */
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS
#undef _FORTIFY_SOURCE

#include "library_code.h"
#include "log.h"
#include "policy_env.h"
#include "read_fd.h"
#include "reaper.h"
#include "seal_check.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define CALLER __builtin_return_address(0)

/* Keymaps of four layouts have about 80 KiB, and tables of DMA-BUF formats less. */
#define COPY_MAX ((size_t)4 << 20)

static struct library_code wlroots, libwayland, libffi;
static struct shmguard_policy policy;

/* The functions that ours are called instead of. */
static struct {
	__typeof__(close) *close;
	__typeof__(read) *read;
	__typeof__(mmap) *mmap;
	__typeof__(munmap) *munmap;
	__typeof__(pread) *pread;
	__typeof__(lseek) *lseek;
	__typeof__(fstat) *fstat;
#ifdef __GLIBC__
	__typeof__(mmap64) *mmap64;
	__typeof__(pread64) *pread64;
	__typeof__(lseek64) *lseek64;
	__typeof__(fstat64) *fstat64;
#endif
} next;

static void
find_next_functions(void)
{
	next.close = dlsym(RTLD_NEXT, "close");
	next.read = dlsym(RTLD_NEXT, "read");
	next.mmap = dlsym(RTLD_NEXT, "mmap");
	next.munmap = dlsym(RTLD_NEXT, "munmap");
	next.pread = dlsym(RTLD_NEXT, "pread");
	next.lseek = dlsym(RTLD_NEXT, "lseek");
	next.fstat = dlsym(RTLD_NEXT, "fstat");
#ifdef __GLIBC__
	next.mmap64 = dlsym(RTLD_NEXT, "mmap64");
	next.pread64 = dlsym(RTLD_NEXT, "pread64");
	next.lseek64 = dlsym(RTLD_NEXT, "lseek64");
	next.fstat64 = dlsym(RTLD_NEXT, "fstat64");
#endif
}

__attribute__((constructor))
static void
prepare(void)
{
	find_next_functions();
	policy_from_environment(&policy);
	library_code_find(&libwayland, "libwayland-server");
	library_code_find(&libffi, "libffi");
	library_code_find(&wlroots, "libwlroots");
}

/* Constructors of other libraries may have run before ours. */
#define NEXT(function) \
	(next.function != NULL ? next.function : \
		(find_next_functions(), next.function))

/* ---- Files whose server may not answer ---- */

static bool
file_may_block(int fd)
{
	return policy.blocking != SHMGUARD_BLOCKING_ALLOW &&
		fd_may_be_file(fd) && seal_check(fd, 0, false).may_block;
}

static bool
must_not_wait(const void *caller, int fd)
{
	if (!library_code_contains(&wlroots, caller) || !file_may_block(fd))
		return false;
	guard_log(&policy, SHMGUARD_LOG_INFO, "file refused: %s",
		shmguard_reason_text(SHMGUARD_REASON_MAY_BLOCK));
	errno = EPERM;
	return true;
}

EXPORT ssize_t
read(int fd, void *bytes, size_t size)
{
	return must_not_wait(CALLER, fd) ? -1 : NEXT(read)(fd, bytes, size);
}

EXPORT ssize_t
pread(int fd, void *bytes, size_t size, off_t offset)
{
	return must_not_wait(CALLER, fd) ? -1 :
		NEXT(pread)(fd, bytes, size, offset);
}

EXPORT off_t
lseek(int fd, off_t offset, int whence)
{
	return must_not_wait(CALLER, fd) ? -1 : NEXT(lseek)(fd, offset, whence);
}

EXPORT int
fstat(int fd, struct stat *file)
{
	return must_not_wait(CALLER, fd) ? -1 : NEXT(fstat)(fd, file);
}

/* A function that ends with close() makes a jump of it, and who is returned to
 * then is its caller: of a request's handler that is libffi, of a listener
 * libwayland. */
static bool
closes_for_clients(const void *caller)
{
	return library_code_contains(&wlroots, caller) ||
		library_code_contains(&libffi, caller) ||
		library_code_contains(&libwayland, caller);
}

EXPORT int
close(int fd)
{
	if (!closes_for_clients(CALLER) || !file_may_block(fd))
		return NEXT(close)(fd);
	reaper_close_blocking(fd);
	return 0;
}

/* ---- Keymaps ---- */

static bool
is_keymap(const void *caller, void *address, int protection, int flags)
{
	return address == NULL && protection == PROT_READ &&
		flags == MAP_PRIVATE && library_code_contains(&wlroots, caller);
}

/*
 * The end of the last page is zeros. Text that reaches it gets one more page, so
 * that it is terminated like any other:
 *
 *   |xxxxxxxxxxxxxxxx|xxxxxxxxxxxxxxxx|0000000000000000|
 *   text                      + length
 *
 * Whoever unmaps it does not know of that page; munmap() below does. wlroots has
 * no more than one keymap mapped at a time.
 */
static _Atomic(char *) padded_text;
static _Atomic size_t padded_length;

static bool
keep_padding(char *text, size_t length)
{
	char *none = NULL;
	if (!atomic_compare_exchange_strong(&padded_text, &none, text))
		return false;
	padded_length = length;
	return true;
}

EXPORT int
munmap(void *address, size_t length)
{
	char *text = address;
	if (text != NULL && atomic_load(&padded_text) == text) {
		if (length == padded_length)
			length += (size_t)sysconf(_SC_PAGESIZE);
		atomic_store(&padded_text, NULL);
	}
	return NEXT(munmap)(address, length);
}

/* What the file lacks is left out: text that ends before was always good. */
static bool
read_keymap(char *text, size_t length, int fd, uint64_t offset)
{
	struct fd_verdict verdict = seal_check(fd, length, false);
	if (!read_fd_allowed(&verdict, policy.blocking)) {
		guard_log(&policy, SHMGUARD_LOG_INFO, "keymap refused: %s",
			shmguard_reason_text(verdict.reason));
		return false;
	}
	if (read_fd_copy(fd, offset, text, length) < 0) {
		guard_log(&policy, SHMGUARD_LOG_INFO, "keymap refused: %s",
			strerror(errno));
		return false;
	}
	return true;
}

/* Private memory in place of a mapping. */
static void *
copy_keymap(size_t length, int fd, uint64_t offset)
{
	if (length == 0 || length > COPY_MAX) {
		guard_log(&policy, SHMGUARD_LOG_INFO, "keymap refused: %s",
			shmguard_reason_text(SHMGUARD_REASON_TOO_LARGE));
		errno = length == 0 ? EINVAL : ENOMEM;
		return MAP_FAILED;
	}
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t padding = length % page == 0 ? page : 0;
	char *text = NEXT(mmap)(NULL, length + padding, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (text == MAP_FAILED)
		return MAP_FAILED;
	if (!read_keymap(text, length, fd, offset))
		goto err_text;

	bool ends = padding == 0 || memchr(text, '\0', length) != NULL;
	if (!ends && !keep_padding(text, length)) {
		errno = ENOMEM;
		goto err_text;
	}
	if (ends && padding > 0)
		NEXT(munmap)(text + length, padding);
	mprotect(text, length, PROT_READ);
	return text;

err_text:;
	int saved_errno = errno;
	NEXT(munmap)(text, length + padding);
	errno = saved_errno;
	return MAP_FAILED;
}

EXPORT void *
mmap(void *address, size_t length, int protection, int flags, int fd,
	off_t offset)
{
	if (is_keymap(CALLER, address, protection, flags))
		return copy_keymap(length, fd, (uint64_t)offset);
	return NEXT(mmap)(address, length, protection, flags, fd, offset);
}

#ifdef __GLIBC__

/* What programs that are built for large files call. */

EXPORT void *
mmap64(void *address, size_t length, int protection, int flags, int fd,
	off64_t offset)
{
	if (is_keymap(CALLER, address, protection, flags))
		return copy_keymap(length, fd, (uint64_t)offset);
	return NEXT(mmap64)(address, length, protection, flags, fd, offset);
}

EXPORT ssize_t
pread64(int fd, void *bytes, size_t size, off64_t offset)
{
	return must_not_wait(CALLER, fd) ? -1 :
		NEXT(pread64)(fd, bytes, size, offset);
}

EXPORT off64_t
lseek64(int fd, off64_t offset, int whence)
{
	return must_not_wait(CALLER, fd) ? -1 :
		NEXT(lseek64)(fd, offset, whence);
}

EXPORT int
fstat64(int fd, struct stat64 *file)
{
	return must_not_wait(CALLER, fd) ? -1 : NEXT(fstat64)(fd, file);
}

#endif
