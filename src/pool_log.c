/* SPDX-License-Identifier: MIT */
#include "pool_log.h"

#include "client_quota.h"
#include "guard.h"
#include "guarded_map.h"
#include "hole_check.h"
#include "log.h"
#include "shm_pool.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/magic.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#endif

static bool
is_wanted(const struct shmguard_policy *policy)
{
	return policy->log_debug && policy->log != NULL;
}

/* ---- Files ---- */

/* The client chose it: nothing of it may look like another key or line. */
static void
escape(char *to, const char *name, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)name[i];
		bool plain = byte < 0x80 && isgraph(byte) && byte != '%' &&
			byte != '=' && byte != '"' && byte != '\\';
		to += sprintf(to, plain ? "%c" : "%%%02X", byte);
	}
	*to = '\0';
}

static const char *
access_word(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return "-";
#ifdef O_PATH
	if (flags & O_PATH)
		return "path";
#endif
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return "r";
	case O_WRONLY:
		return "w";
	default:
		return "rw";
	}
}

#ifdef __linux__

/* As the kernel's list of descriptors has it: that asks no file system. */
static void
look_at_name(struct file_look *look, int fd)
{
	static const char deleted[] = " (deleted)";
	const size_t deleted_length = sizeof(deleted) - 1;
	char link[sizeof("/proc/self/fd/") + 3 * sizeof(fd)], name[4096];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t got = readlink(link, name, sizeof(name));
	size_t length = got > 0 ? (size_t)got : 0;
	if (length > deleted_length && memcmp(name + length - deleted_length,
			deleted, deleted_length) == 0)
		length -= deleted_length;
	escape(look->name, name,
		length < FILE_NAME_LENGTH ? length : FILE_NAME_LENGTH);
}

/* Files that have seals are served by the kernel: statfs cannot wait. */
static const char *
shmem_word(const struct file_look *look, int fd)
{
	static const char memfd[] = "/memfd:";
	struct statfs filesystem;
	if (fstatfs(fd, &filesystem) == 0 &&
			(uint32_t)filesystem.f_type == HUGETLBFS_MAGIC)
		return "hugetlb";
	return strncmp(look->name, memfd, sizeof(memfd) - 1) == 0 ?
		"memfd" : "tmpfs";
}

static void
look_at_file(struct file_look *look, int fd)
{
	look_at_name(look, fd);
	look->seals = fcntl(fd, F_GET_SEALS);
	struct statx file;
	/* As in seal_check.c: of this no file system is asked. */
	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
			STATX_TYPE | STATX_SIZE | STATX_BLOCKS | STATX_INO,
			&file) == 0) {
		look->kind = S_ISREG(file.stx_mode) ? "file" : "other";
		if (file.stx_mask & STATX_INO)
			look->inode = file.stx_ino;
		if (file.stx_mask & STATX_SIZE)
			look->size = (int64_t)file.stx_size;
		if (file.stx_mask & STATX_BLOCKS)
			look->resident = (int64_t)file.stx_blocks * 512;
	}
	if (look->seals >= 0)
		look->kind = shmem_word(look, fd);
}

#else

static void
look_at_file(struct file_look *look, int fd)
{
#ifdef F_GET_SEALS
	look->seals = fcntl(fd, F_GET_SEALS);
	if (look->seals >= 0)
		look->kind = "memfd";
#else
	(void)look;
	(void)fd;
#endif
}

#endif

void
file_look_at(struct file_look *look, const struct shmguard_policy *policy,
	int fd)
{
	*look = (struct file_look){.seals = -1, .size = -1, .resident = -1};
	if (!is_wanted(policy))
		return;
	look->kind = "-";
	look->access = access_word(fd);
	look_at_file(look, fd);
}

/* ---- Lines ---- */

/* Room for a number, or for a dash where it is not known. */
struct number {
	char text[24];
};

static const char *
number_word(struct number *number, const char *format, int64_t value)
{
	if (value < 0)
		return "-";
	snprintf(number->text, sizeof(number->text), format, (long long)value);
	return number->text;
}

static void
log_file(const struct client_quota *quota, const char *event, unsigned int id,
	size_t size, enum shmguard_tier tier, enum shmguard_reason reason,
	const struct file_look *look)
{
	struct number seals, file_size, resident;
	guard_log(&quota->guard->policy, SHMGUARD_LOG_DEBUG,
		"pool event=%s pid=%d id=%u size=%zu tier=%s reason=%s kind=%s "
		"seals=%s access=%s inode=%llu file_size=%s resident=%s name=%s",
		event, (int)quota->pid, id, size, shmguard_tier_name(tier),
		shmguard_reason_name(reason), look->kind,
		number_word(&seals, "0x%llx", look->seals), look->access,
		(unsigned long long)look->inode,
		number_word(&file_size, "%lld", look->size),
		number_word(&resident, "%lld", look->resident),
		look->name[0] != '\0' ? look->name : "-");
}

void
pool_log_client(const struct shmguard_policy *policy, pid_t pid)
{
	if (is_wanted(policy))
		guard_log(policy, SHMGUARD_LOG_DEBUG, "client event=bind pid=%d",
			(int)pid);
}

void
pool_log_create(struct shm_pool *pool, const struct file_look *look)
{
	/* Of all displays that there are: they write to one log. */
	static _Atomic unsigned int count;
	if (look->kind == NULL)
		return;
	pool->number = atomic_fetch_add(&count, 1) + 1;
	log_file(pool->quota, "create", pool->number,
		shmguard_map_size(pool->map), shmguard_map_tier(pool->map),
		shmguard_map_reason(pool->map), look);
}

void
pool_log_refuse(const struct client_quota *quota, const struct file_look *look,
	int32_t size, enum shmguard_reason reason)
{
	if (look->kind != NULL)
		log_file(quota, "refuse", 0, (size_t)size,
			SHMGUARD_TIER_REJECTED, reason, look);
}

/* Whether the kernel tells which pages there are, and nobody else is asked. */
static bool
is_shmem(enum shmguard_reason reason)
{
	switch (reason) {
	case SHMGUARD_REASON_SEALED:
	case SHMGUARD_REASON_ADOPTED:
	case SHMGUARD_REASON_SHORT:
	case SHMGUARD_REASON_SEALABLE:
	case SHMGUARD_REASON_UNSEALABLE:
		return true;
	default:
		return false;
	}
}

static int64_t
resident_bytes(const struct shm_pool *pool)
{
	size_t size = shmguard_map_size(pool->map);
	if (!is_shmem(shmguard_map_reason(pool->map)) || !hole_check_works())
		return -1;
	struct trap_range *range = guarded_map_pin(pool->map);
	if (range == NULL)
		return -1;
	size_t absent = hole_check_absent(range->addr, size);
	map_generation_unpin(range);
	return (int64_t)(size - absent);
}

static void
log_change(const struct shm_pool *pool, const char *event)
{
	if (pool->number == 0 || !is_wanted(&pool->quota->guard->policy))
		return;
	struct number resident;
	guard_log(&pool->quota->guard->policy, SHMGUARD_LOG_DEBUG,
		"pool event=%s pid=%d id=%u size=%zu tier=%s reason=%s "
		"resident=%s", event, (int)pool->quota->pid, pool->number,
		shmguard_map_size(pool->map),
		shmguard_tier_name(shmguard_map_tier(pool->map)),
		shmguard_reason_name(shmguard_map_reason(pool->map)),
		number_word(&resident, "%lld", resident_bytes(pool)));
}

void
pool_log_resize(const struct shm_pool *pool)
{
	log_change(pool, "resize");
}

void
pool_log_destroy(const struct shm_pool *pool)
{
	log_change(pool, "destroy");
}
