/* SPDX-License-Identifier: MIT */
#ifndef POOL_LOG_H
#define POOL_LOG_H

/*
 * The life of pools as lines of key=value for programs, such as shmguard-census.
 * docs/guide.md documents them. With a policy that does not ask for them nothing
 * here makes a system call. Display thread only.
 */

#include <shmguard/map.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct client_quota;
struct shm_pool;

/* Enough for what tells files apart. A byte of the client's can take three. */
#define FILE_NAME_LENGTH 64

/* What a descriptor looks like before anything is done to it. */
struct file_look {
	const char *kind, *access; /* static; NULL: nobody looked */
	int seals;                 /* -1: the file cannot have any */
	int64_t size, resident;    /* bytes; -1: not known */
	uint64_t inode;            /* 0: not known */
	char name[3 * FILE_NAME_LENGTH + 1]; /* without blanks or controls */
};

/* Never waits for a file system (I10). errno is not meaningful afterwards. */
void file_look_at(struct file_look *look, const struct shmguard_policy *policy,
	int fd);

/* A client binds wl_shm for the first time. */
void pool_log_client(const struct shmguard_policy *policy, pid_t pid);

/* Gives the pool its number. */
void pool_log_create(struct shm_pool *pool, const struct file_look *look);
void pool_log_resize(const struct shm_pool *pool);
void pool_log_destroy(const struct shm_pool *pool);

/* A pool of `size` bytes that was not to be. */
void pool_log_refuse(const struct client_quota *quota,
	const struct file_look *look, int32_t size, enum shmguard_reason reason);

#endif
