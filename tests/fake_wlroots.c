/* SPDX-License-Identifier: MIT */
#ifdef SMALL_FILES
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS
#endif

#include "fake_wlroots.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void *
fake_wlroots_mmap(size_t length, int protection, int flags, int fd,
	int64_t offset)
{
	/* Not the last thing: who calls is known by where the call returns to. */
	void *volatile address = mmap(NULL, length, protection, flags, fd,
		(off_t)offset);
	return address;
}

ssize_t
fake_wlroots_keymap(int fd, size_t size)
{
	char *text = fake_wlroots_mmap(size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		return -1;
	size_t length = strlen(text);
	munmap(text, size);
	return (ssize_t)length;
}

ssize_t
fake_wlroots_read(int fd, void *bytes, size_t size)
{
	volatile ssize_t result = read(fd, bytes, size);
	return result;
}

ssize_t
fake_wlroots_pread(int fd, void *bytes, size_t size, int64_t offset)
{
	volatile ssize_t result = pread(fd, bytes, size, (off_t)offset);
	return result;
}

int64_t
fake_wlroots_seek_end(int fd)
{
	volatile off_t result = lseek(fd, 0, SEEK_END);
	return result;
}

int
fake_wlroots_fstat(int fd)
{
	struct stat file;
	volatile int result = fstat(fd, &file);
	return result;
}

int
fake_wlroots_close(int fd)
{
	volatile int result = close(fd);
	return result;
}
