/* SPDX-License-Identifier: MIT */
#ifndef NOSIGBUS_MAP_H
#define NOSIGBUS_MAP_H

/*
 * Which mapping does this kernel give? Leaf module: addresses and protection,
 * no policy, no trap.
 *
 * A shared mapping of a file is a handle to the file: it can be grown and
 * duplicated after the descriptor is closed. A private one can only be grown,
 * so a no-SIGBUS mapping keeps one shared page without access next to it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct map_syscalls {
	void *(*mmap)(void *addr, size_t length, int prot, int flags, int fd,
		off_t offset);
	int (*munmap)(void *addr, size_t length);
	void *(*mremap)(void *old, size_t old_length, size_t length, int flags,
		void *fixed);
	int (*mprotect)(void *addr, size_t length, int prot);
	int (*madvise)(void *addr, size_t length, int advice);
};

/* The calls in use. Tests put others in their place, before first use. */
extern const struct map_syscalls *map_syscalls;
extern const struct map_syscalls real_map_syscalls;

struct client_mapping {
	void *addr;
	size_t length; /* bytes, a multiple of block_size */
	size_t block_size;
	bool shared;   /* stands for the file: can be duplicated */
	bool nosigbus; /* the kernel gives zeros instead of SIGBUS */
	bool writable; /* PROT_WRITE is set */
	void *handle;  /* a shared page without access, or NULL */
};

struct map_request {
	size_t length; /* bytes, any */
	size_t block_size;
	bool hugetlb;
	bool writable; /* PROT_WRITE; private where the file cannot be written */
	bool nosigbus; /* prefer a no-SIGBUS mapping if the kernel has them */
	bool dump;     /* leave it in core dumps */
};

/* The mmap flag for no-SIGBUS mappings, or 0 if this kernel has none that
 * works. Probed once per process by behaviour. Any thread. */
int nosigbus_flag(void);

/* Probes with the calls now in map_syscalls; nosigbus_flag() is this, cached.
 * -1 if it could not be found out, e.g. for want of descriptors. */
int nosigbus_probe(void);

/* Each returns 0, or -1 with errno. On failure nothing has changed. */

/* Maps the start of the file. Falls back to MAP_PRIVATE where the kernel refuses
 * shared read-only mappings of write-sealed files (before Linux 6.7). */
int client_mapping_open(struct client_mapping *mapping, int fd,
	const struct map_request *request);

/* Grows without moving; ENOMEM where there is no room, ENOTSUP where the kernel
 * cannot grow it. */
int client_mapping_grow(struct client_mapping *mapping, size_t length);

/* A second mapping of the same file with another length and the wanted
 * protection, shared; kept out of core dumps if the first one is. ENOTSUP where
 * only the descriptor could do that. */
int client_mapping_duplicate(const struct client_mapping *mapping,
	size_t length, bool writable, struct client_mapping *copy);

/* Whether that can be done with this one. Not in sandboxes that forbid mremap(2), nor
 * where there is none. */
bool client_mapping_can_duplicate(const struct client_mapping *mapping);

/* EACCES or EPERM: the file cannot be written. ENOTSUP: a private mapping, which
 * wants a writable duplicate instead. */
int client_mapping_make_writable(struct client_mapping *mapping);

/* Whether the file has the page that holds the mapping's byte `offset`. Never
 * faults. False also where the kernel cannot tell, which Linux always can. */
bool client_mapping_is_backed(const struct client_mapping *mapping,
	size_t offset);

/* Unmaps everything: then the length is 0 and there is no handle. Where a process has
 * as many mappings as it may, the kernel cuts none out of a larger one, which replaced
 * pages and their neighbours can become. */
void client_mapping_close(struct client_mapping *mapping);

#endif
