/* SPDX-License-Identifier: MIT */
#include "seal_check.h"
#include "filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/magic.h>
#include <linux/major.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#else
#include <sys/param.h>
#include <sys/mount.h>
#endif

#ifndef O_PATH
#define O_PATH 0
#endif

/* What can be learnt about a file without asking whoever serves it. */
struct quick_look {
	mode_t type;    /* S_IFMT bits */
	bool may_block; /* its file system */
	bool harmless_device;
	bool secret;
};

#ifdef __linux__

/*
 * Not statx(3): C libraries emulate it where the kernel has none, with calls
 * that a FUSE server can leave unanswered.
 */
static bool
statx_cached(int fd, struct statx *file)
{
	return syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		STATX_TYPE | STATX_MNT_ID, file) == 0 &&
		(file->stx_mask & STATX_TYPE) != 0;
}

/*
 * Whether the file lives where the kernel keeps memfd_secret(2) files, found by
 * making one. A name under /proc/self/fd would prove nothing: a FUSE server can
 * call its file "/secretmem".
 */
static bool
is_secret(const struct statx *file)
{
#ifdef SYS_memfd_secret
	int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	if (fd < 0)
		return false;
	struct statx ours;
	bool same = statx_cached(fd, &ours) &&
		ours.stx_dev_major == file->stx_dev_major &&
		ours.stx_dev_minor == file->stx_dev_minor;
	close(fd);
	return same;
#else
	(void)file;
	return false;
#endif
}

static bool
look_at(int fd, struct quick_look *look)
{
	struct statx file;
	if (!statx_cached(fd, &file))
		return false;
	struct mount_identity identity = {
		.mount_id = file.stx_mask & STATX_MNT_ID ? file.stx_mnt_id : 0,
		.dev_major = file.stx_dev_major,
		.dev_minor = file.stx_dev_minor,
	};
	look->type = file.stx_mode & S_IFMT;
	look->may_block = filesystem_may_block(&identity);
	/* /dev/null and its like. */
	look->harmless_device = file.stx_rdev_major == MEM_MAJOR;
	look->secret = look->may_block && is_secret(&file);
	return true;
}

/* By its name, which the kernel makes without asking anybody: "socket:[1]" for what is
 * in no file system, a path for what is. Not snprintf(3): for handlers, too. */
static bool
is_named_as_file(int fd)
{
	char path[32] = "/proc/self/fd/", name[1];
	size_t end = strlen(path);
	int power = 1;
	while (fd / power >= 10)
		power *= 10;
	for (; power > 0; power /= 10)
		path[end++] = (char)('0' + fd / power % 10);
	return readlink(path, name, 1) == 1 && (name[0] == '/' || name[0] == '(');
}

bool
fd_may_be_file(int fd)
{
	struct statx file;
	int saved_errno = errno;
	bool may_be;
	if (statx_cached(fd, &file))
		may_be = S_ISREG(file.stx_mode) || S_ISDIR(file.stx_mode);
	else if (errno == ENOSYS || errno == EPERM)
		/* A kernel that lacks the call, or a sandbox. */
		may_be = is_named_as_file(fd);
	else
		/* FUSE tells nothing to other users than the server's. The rest
		 * is a descriptor that is not open. */
		may_be = errno != EBADF;
	errno = saved_errno;
	return may_be;
}

#else

/*
 * The BSDs have no stat that is promised not to wait. Only files of FUSE and
 * network mounts that the administrator allowed can keep these two waiting.
 */
static bool
look_at(int fd, struct quick_look *look)
{
	struct statfs filesystem;
	struct stat file;
	if (fstatfs(fd, &filesystem) < 0 || fstat(fd, &file) < 0)
		return false;
	look->type = file.st_mode & S_IFMT;
	look->may_block = (filesystem.f_flags & MNT_LOCAL) == 0 ||
		filesystem_type_may_block(filesystem.f_fstypename);
	look->harmless_device = false;
	look->secret = false;
	return true;
}

bool
fd_may_be_file(int fd)
{
	struct stat file;
	int saved_errno = errno;
	bool may_be = fstat(fd, &file) == 0 &&
		(S_ISREG(file.st_mode) || S_ISDIR(file.st_mode));
	errno = saved_errno;
	return may_be;
}

#endif

static void
refuse(struct fd_verdict *verdict, enum shmguard_reason reason)
{
	verdict->reason = reason;
	verdict->refused = true;
}

/*
 * A descriptor that cannot be mapped is closed at once, and that can block as
 * well: devices may wait for their output to drain, block devices write back,
 * sockets linger. The last descriptor of a detached mount takes the file system
 * down with it, even if it was opened with O_PATH. Only files in our own mounts
 * are known not to block; pipes, sockets and epoll are in none of ours.
 */
static bool
close_may_block(const struct quick_look *look)
{
	return look->may_block || S_ISBLK(look->type) ||
		(S_ISCHR(look->type) && !look->harmless_device);
}

/*
 * Where the kernel has no seals (built without memfd_create(2), or in a sandbox) shared
 * memory and huge pages are files like others, on a mount of ours: then it can be asked.
 */
static bool
get_local_kind(int fd, struct fd_verdict *verdict)
{
#ifdef __linux__
	struct statfs filesystem;
	if (fstatfs(fd, &filesystem) < 0)
		return false;
	verdict->fills_holes = (uint32_t)filesystem.f_type == TMPFS_MAGIC;
	if ((uint32_t)filesystem.f_type == HUGETLBFS_MAGIC) {
		verdict->hugetlb = true;
		verdict->block_size = (size_t)filesystem.f_bsize;
		verdict->reason = SHMGUARD_REASON_HUGETLB;
	}
#else
	(void)fd;
	(void)verdict;
#endif
	return true;
}

static void
judge_other(int fd, struct fd_verdict *verdict)
{
	struct quick_look look;
	if (!look_at(fd, &look)) {
		/* An old kernel, or a sandbox. mmap refuses what is no file. */
		verdict->reason = SHMGUARD_REASON_MAY_BLOCK;
		verdict->may_block = true;
	} else if (look.secret) {
		refuse(verdict, SHMGUARD_REASON_SECRET);
	} else if (!S_ISREG(look.type)) {
		refuse(verdict, SHMGUARD_REASON_NOT_REGULAR);
		verdict->may_block = close_may_block(&look);
	} else {
		verdict->reason = look.may_block ? SHMGUARD_REASON_MAY_BLOCK :
			SHMGUARD_REASON_LOCAL_FILE;
		verdict->may_block = look.may_block;
		if (!look.may_block && !get_local_kind(fd, verdict))
			refuse(verdict, SHMGUARD_REASON_UNMAPPABLE);
	}
}

#ifdef F_GET_SEALS

static int
get_seals(int fd)
{
	return fcntl(fd, F_GET_SEALS);
}

/* Tells huge pages, false where that fails. They are larger than ordinary ones, and
 * so then is the block size; but tmpfs with transparent huge pages says so too. */
static bool
get_page_kind(int fd, const struct stat *file, struct fd_verdict *verdict)
{
#ifdef __linux__
	if ((size_t)file->st_blksize <= verdict->block_size)
		return true;
	struct statfs filesystem;
	if (fstatfs(fd, &filesystem) < 0)
		return false;
	verdict->hugetlb = (uint32_t)filesystem.f_type == HUGETLBFS_MAGIC;
	if (verdict->hugetlb)
		verdict->block_size = (size_t)filesystem.f_bsize;
#else
	(void)fd;
	(void)file;
	(void)verdict;
#endif
	return true;
}

/* Refused for descriptors opened read-only. The size as it was before the seal
 * proves nothing. */
static bool
adopt_seal(int fd, struct stat *file)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0 && fstat(fd, file) == 0;
}

static void
judge_shmem(int fd, int seals, size_t size, bool adopt,
	struct fd_verdict *verdict)
{
	if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		verdict->can_write = false;

	/* After the seals: the other way round the file could shrink between the
	 * two. */
	struct stat file;
	if (fstat(fd, &file) < 0 || !get_page_kind(fd, &file, verdict)) {
		refuse(verdict, SHMGUARD_REASON_UNMAPPABLE);
		return;
	}
	if (verdict->hugetlb) {
		/* A hole is as bad as a shorter file where no huge page is free
		 * to fill it, and no seal keeps a file from having holes. */
		verdict->reason = SHMGUARD_REASON_HUGETLB;
		return;
	}

	verdict->fills_holes = true;
	verdict->reason = SHMGUARD_REASON_SEALED;
	if (!(seals & F_SEAL_SHRINK)) {
		verdict->reason = seals & F_SEAL_SEAL ?
			SHMGUARD_REASON_UNSEALABLE : SHMGUARD_REASON_SEALABLE;
		if (!adopt || !adopt_seal(fd, &file))
			return;
		verdict->reason = SHMGUARD_REASON_ADOPTED;
	}
	if ((uint64_t)file.st_size < size) {
		verdict->reason = SHMGUARD_REASON_SHORT;
		return;
	}
	verdict->sealed = true;
}

#else

static int
get_seals(int fd)
{
	(void)fd;
	return -1;
}

static void
judge_shmem(int fd, int seals, size_t size, bool adopt,
	struct fd_verdict *verdict)
{
	(void)seals;
	(void)size;
	(void)adopt;
	judge_other(fd, verdict);
}

#endif

struct fd_verdict
seal_check(int fd, size_t size, bool adopt)
{
	struct fd_verdict verdict = {
		.block_size = (size_t)sysconf(_SC_PAGESIZE),
	};
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0) {
		refuse(&verdict, SHMGUARD_REASON_BAD_FD);
		/* A security module can keep an open descriptor from us. */
		verdict.may_block = errno != EBADF;
		return verdict;
	}
	int access = flags & O_ACCMODE;
	bool can_read = access == O_RDONLY || access == O_RDWR;
	verdict.can_write = access == O_RDWR;

	/* Answers at once for every file, and only shmem and hugetlbfs have
	 * seals: after this nothing that is asked of such a file can block. */
	int seals = get_seals(fd);
	if (seals >= 0)
		judge_shmem(fd, seals, size, adopt && can_read, &verdict);
	else
		judge_other(fd, &verdict);

	if (flags & O_PATH)
		refuse(&verdict, SHMGUARD_REASON_PATH_ONLY);
	else if (!can_read)
		refuse(&verdict, SHMGUARD_REASON_WRITE_ONLY);
	return verdict;
}

int
refusal_errno(enum shmguard_reason reason)
{
	switch (reason) {
	case SHMGUARD_REASON_BAD_FD:
	case SHMGUARD_REASON_PATH_ONLY:
		return EBADF;
	case SHMGUARD_REASON_WRITE_ONLY:
		return EACCES;
	case SHMGUARD_REASON_POLICY:
	case SHMGUARD_REASON_MAY_BLOCK:
		return EPERM;
	default:
		return EINVAL;
	}
}
