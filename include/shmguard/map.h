/* SPDX-License-Identifier: MIT */
#ifndef SHMGUARD_MAP_H
#define SHMGUARD_MAP_H

/*
 * Reading (and, on request, writing) a file that somebody else can shrink.
 *
 * A peer hands over a file descriptor and keeps its own. Whatever it does to
 * the file afterwards, memory that this header hands out can be touched by any
 * thread at any time: pages the file no longer backs read as zeros. Nothing
 * here depends on Wayland; <shmguard/server.h> builds wl_shm on top of it.
 *
 * A child made by fork(2) inherits no such memory: all that it may do with its
 * parent's maps and views is to close and end them.
 */

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How client memory is kept from hurting us. Best first. */
enum shmguard_tier {
	/** F_SEAL_SHRINK is set and the file is long enough: it cannot fault by
	 * truncation. Mapped. */
	SHMGUARD_TIER_SEALED,
	/** The kernel gives zeros instead of SIGBUS. Mapped privately. */
	SHMGUARD_TIER_NOSIGBUS,
	/** Mapped, and the SIGBUS trap replaces pages that go missing. */
	SHMGUARD_TIER_TRAPPED,
	/** Not mapped: every access copies the bytes with pread(2), in another
	 * thread where that can block. */
	SHMGUARD_TIER_COPIED,
	/** Not accepted at all; the reason says why. */
	SHMGUARD_TIER_REJECTED,
};

/** Why a file got its tier. shmguard_reason_text() says it in words. */
enum shmguard_reason {
	/* accepted */
	SHMGUARD_REASON_SEALED,     /**< sealed against shrinking, long enough */
	SHMGUARD_REASON_ADOPTED,    /**< the same, by a seal we added */
	SHMGUARD_REASON_SHORT,      /**< sealed, but shorter than claimed */
	SHMGUARD_REASON_SEALABLE,   /**< could be sealed against shrinking, is not */
	SHMGUARD_REASON_UNSEALABLE, /**< shared memory created without sealing */
	SHMGUARD_REASON_HUGETLB,    /**< huge pages: a seal keeps the size only */
	SHMGUARD_REASON_LOCAL_FILE, /**< file on a local file system */
	SHMGUARD_REASON_MAY_BLOCK,  /**< file on FUSE, a network or an unknown
	                             *   mount; refused unless the policy says
	                             *   otherwise */
	/* always refused */
	SHMGUARD_REASON_BAD_FD,      /**< not an open descriptor */
	SHMGUARD_REASON_PATH_ONLY,   /**< opened with O_PATH */
	SHMGUARD_REASON_WRITE_ONLY,  /**< opened with O_WRONLY */
	SHMGUARD_REASON_NOT_REGULAR, /**< directory, device, pipe, socket, ... */
	SHMGUARD_REASON_SECRET,      /**< memfd_secret(2): uses up locked memory */
	SHMGUARD_REASON_POLICY,      /**< unsealed, and the policy forbids that */
	SHMGUARD_REASON_TOO_LARGE,   /**< size zero, or past what can be tracked */
	SHMGUARD_REASON_UNMAPPABLE,  /**< mmap(2) refused; errno says why */
	SHMGUARD_REASON_NO_MEMORY,   /**< our own bookkeeping ran out of memory */
	SHMGUARD_REASON_QUOTA,       /**< past one of the policy's limits */
	/* by shmguard_read_fd() only */
	SHMGUARD_REASON_EMPTY,      /**< the peer announced no bytes at all */
	SHMGUARD_REASON_OVER_LIMIT, /**< the peer announced too many */
	SHMGUARD_REASON_TRUNCATED,  /**< the file is shorter than announced */
	SHMGUARD_REASON_READ_ERROR, /**< pread(2) failed; errno says why */
};

/**
 * One line of plain English for a reason, without a final period.
 * Static storage, never NULL, any thread.
 */
const char *shmguard_reason_text(enum shmguard_reason reason);

/** What the owner of a file can do so that the next one is better protected. */
enum shmguard_improvement {
	/** Create the file with memfd_create(2) and MFD_ALLOW_SEALING. */
	SHMGUARD_IMPROVEMENT_ALLOW_SEALING = 1 << 0,
	/** Add F_SEAL_SHRINK before sending the descriptor. */
	SHMGUARD_IMPROVEMENT_SEAL_SHRINK = 1 << 1,
	/** Make the file as long as claimed before claiming it. */
	SHMGUARD_IMPROVEMENT_FULL_LENGTH = 1 << 2,
	/** Create the file without MFD_HUGETLB. */
	SHMGUARD_IMPROVEMENT_SMALL_PAGES = 1 << 3,
};

/**
 * The improvements, or'ed together, that turn a file with this reason into one
 * of tier SEALED; 0 if there are none. Any thread.
 */
unsigned int shmguard_reason_improvements(enum shmguard_reason reason);

/**
 * The same as one line of plain English for the file's owner, without a final
 * period; NULL where there are none. Static storage, any thread.
 */
const char *shmguard_reason_advice(enum shmguard_reason reason);

/** A word for a reason: its name in lower case, "sealed" for one. Static storage,
 * never NULL, any thread. */
const char *shmguard_reason_name(enum shmguard_reason reason);

/** A word for a tier: "sealed", "nosigbus", "trapped", "copied", "rejected". */
const char *shmguard_tier_name(enum shmguard_tier tier);

/** What to do with files that are not sealed against shrinking. */
enum shmguard_unsealed {
	SHMGUARD_UNSEALED_TRAP = 0, /**< map them, guarded (default) */
	SHMGUARD_UNSEALED_COPY,     /**< never map them, copy at each access */
	SHMGUARD_UNSEALED_REJECT,   /**< refuse them */
};

/** What to do with files whose file system can keep us waiting for ever. */
enum shmguard_blocking {
	SHMGUARD_BLOCKING_REJECT = 0, /**< refuse them (default) */
	/** Trust whoever serves them: an access can then wait for their server,
	 * and so can everything in the process that maps memory while such a file
	 * is unmapped. */
	SHMGUARD_BLOCKING_ALLOW,
	/** Never map them: each access has another thread copy the bytes. Those
	 * that do not arrive before the deadline read as zeros, as if the file had
	 * lost them, and so does the whole file from then on. Read-only. */
	SHMGUARD_BLOCKING_COPY,
};

/** Milliseconds, where struct shmguard_policy has 0. */
#define SHMGUARD_DEFAULT_BLOCKING_DEADLINE 40

/** Who owns the process's SIGBUS action. */
enum shmguard_handler {
	/** The library installs its handler while it guards anything, and puts
	 * the previous action back afterwards (default). A wl_shm guards from its
	 * first pool on until it is destroyed and its last pool is gone. */
	SHMGUARD_HANDLER_INSTALL = 0,
	/** The host has a handler and calls shmguard_handle_sigbus() from it. */
	SHMGUARD_HANDLER_HOST,
	/** Nobody handles SIGBUS. Files that are not provably safe to map are
	 * copied as with SHMGUARD_UNSEALED_COPY. */
	SHMGUARD_HANDLER_NONE,
};

enum shmguard_log_level {
	SHMGUARD_LOG_ERROR, /**< protection is weaker than was asked for */
	SHMGUARD_LOG_INFO,  /**< a client misbehaved or was refused */
	SHMGUARD_LOG_DEBUG,
};

/**
 * Receives one line without a newline. May be called from any thread but never
 * from a signal handler; must not call back into the library. errno is kept.
 */
typedef void (*shmguard_log_func)(enum shmguard_log_level level,
	const char *line, void *data);

/** What somebody holds, or may hold. */
struct shmguard_usage {
	size_t pools;   /**< wl_shm_pool objects, or pools kept by a buffer */
	size_t buffers; /**< wl_buffer objects, or buffers kept by a reference */
	/** Mappings of files. More than there are pools: buffers and views keep
	 * the mapping they were made in when their pool has to move to grow. */
	size_t mappings;
	size_t bytes;       /**< addresses that these mappings take up */
	size_t descriptors; /**< kept, see shmguard_map_open() */
	/** Bytes of files that were holes until an access had the kernel fill
	 * them, as long as they are mapped; and, while the client holds less than
	 * a quarter of its limit, all bytes of maps that were accessed, which are
	 * then not looked at. */
	size_t holes;
};

/**
 * What clients may hold, so that one cannot use up what others need. Zero is a
 * default made from what the system gives the process, measured once; SIZE_MAX
 * is no limit.
 *
 * A client is one for <shmguard/server.h>; a map opened with shmguard_map_open()
 * is one by itself.
 */
struct shmguard_limits {
	/** For each client [a tenth of the total's mappings, half of its bytes
	 * and descriptors, a quarter of its holes, at most 16,384 pools, 65,536
	 * buffers]. */
	struct shmguard_usage client;
	/**
	 * For all clients of the process together [three quarters of
	 * vm.max_map_count, three quarters of the unused addresses that there
	 * are or RLIMIT_AS allows, a quarter of RLIMIT_NOFILE; 2 GiB of
	 * holes, or a quarter of the machine's memory if that is less].
	 *
	 * Nobody gets all of it: a client may hold at most an eighth as many
	 * mappings as are left free, and as many bytes and descriptors. So a
	 * newcomer finds something left, and what is left last goes to those
	 * that hold little.
	 */
	struct shmguard_usage total;
	/** The largest buffer, in pixels [65,535] and, for a row, bytes [1 MiB]:
	 * some renderers abort or hang on larger ones. */
	int32_t width, height, stride;
};

/** All zero is the default for every field; a NULL pointer means the same. */
struct shmguard_policy {
	enum shmguard_unsealed unsealed;
	enum shmguard_blocking blocking;
	enum shmguard_handler handler;
	/** For SHMGUARD_BLOCKING_COPY, in milliseconds: how long accesses may
	 * wait for servers. All in the process together wait no longer than that
	 * in a row, and for an eighth of the time in the long run (and 1 ms for
	 * each MiB, which is about what copying takes). */
	unsigned int blocking_deadline;
	/** Add F_SEAL_SHRINK ourselves to files that allow it. The owner of the
	 * file then cannot shrink it any more, which some rely on. */
	bool adopt_seals;
	/** For callers that cannot say which accesses write: map for writing
	 * from the start. Stores to a file that we may not write (read-only
	 * descriptor, write seal) then stay in this process. */
	bool writable;
	/** For debugging: let mapped client memory appear in core dumps. */
	bool dump_client_memory;
	/** For those who test clients, and for wl_shm only: offer the protocol
	 * shmguard-feedback-v1, by which clients ask how their pools are
	 * protected, why, and what would make it better. */
	bool feedback;
	/** Log every pool's life too, at SHMGUARD_LOG_DEBUG: takes system calls
	 * that are not made otherwise. docs/guide.md has the lines. wl_shm only. */
	bool log_debug;
	struct shmguard_limits limits;
	/** May be NULL: errors then go to stderr and the rest is dropped. */
	shmguard_log_func log;
	void *log_data;
};

/** A peer's file, guarded. */
struct shmguard_map;

/**
 * Bytes that can be touched until shmguard_view_end(). The caller provides the
 * struct (the stack will do) and may move it; it must be ended exactly once.
 */
struct shmguard_view {
	void *data;  /**< first byte asked for; read-only after begin_read */
	size_t size; /**< bytes, as asked for */
	/** The library's. */
	struct trap_range *range;
	struct view_copy *copy;
};

/**
 * Takes a peer's descriptor and guards its first `size` bytes.
 *
 * The descriptor is taken over, on failure too: the caller must neither use nor
 * close it again, because closing some files can block for ever. It is closed
 * by the time this returns, or by another thread, or when the map is closed
 * (tier COPIED, huge pages, with policy.writable files that we may not write, and
 * all where mremap(2) is forbidden).
 *
 * No call made here waits for a FUSE or network server unless the policy
 * allows those files; with SHMGUARD_BLOCKING_COPY only begin_read() does.
 *
 * `size` may be past the end of the file; the missing part reads as zeros
 * until the file grows (in tier NOSIGBUS what was read as zeros stays zero). `policy` is copied and may be NULL. `reason`, which may
 * be NULL, tells why the file got its tier or why it was refused.
 *
 * Returns NULL with errno EBADF, EACCES, EINVAL, EPERM (policy), EOVERFLOW,
 * ENOMEM, EDQUOT (past a limit) or what mmap(2) set. Any thread.
 */
__attribute__((warn_unused_result))
struct shmguard_map *shmguard_map_open(int fd, size_t size,
	const struct shmguard_policy *policy, enum shmguard_reason *reason);

/**
 * Grows the map to `size` bytes. Views keep their old addresses and stay valid.
 * Shrinking is refused. One thread at a time may resize or close a map; views
 * may be begun and ended by others meanwhile.
 *
 * Returns 0, or -1 with errno EINVAL (smaller, zero), EOVERFLOW, ENOMEM, EDQUOT
 * (past a limit), EPERM (the grown part is not sealed and the policy forbids
 * that), EFAULT (bytes of the file have been lost already). On failure the map
 * is as it was.
 */
int shmguard_map_resize(struct shmguard_map *map, size_t size);

/**
 * Gives the map back. Views that were begun stay valid until they are ended;
 * large mappings are torn down by another thread. NULL is allowed.
 */
void shmguard_map_close(struct shmguard_map *map);

/**
 * Begins reading `length` bytes at `offset`, both in bytes, from any thread.
 * Views nest and overlap freely. Costs a thread that blocks SIGBUS a system call,
 * once, to unblock it. In the mapped tiers nothing else is called below 64 KiB, nor
 * in maps that are charged as a whole (struct shmguard_usage, holes); in others one
 * call for each 16 MiB asks what of the file is in memory, to charge the holes.
 * Past the limit on holes the map reads as zeros and is lost.
 *
 * Returns 0, or -1 with errno ERANGE (not within the map's size, or empty) or ENOMEM
 * (tier COPIED).
 */
__attribute__((warn_unused_result))
int shmguard_map_begin_read(struct shmguard_map *map, size_t offset,
	size_t length, struct shmguard_view *view);

/**
 * Begins reading and writing. As above, and errno EACCES or EPERM if the file
 * cannot be written by us (read-only descriptor, write seal, copied from a file
 * that can block): that is not the peer's fault. EDQUOT if it takes another
 * mapping, and that is past a limit.
 */
__attribute__((warn_unused_result))
int shmguard_map_begin_write(struct shmguard_map *map, size_t offset,
	size_t length, struct shmguard_view *view);

/**
 * Ends a view, from any thread; also after the map was closed. In tier COPIED
 * a view begun with begin_write is written back here.
 *
 * Returns 0, or -1 with errno EFAULT if bytes of the file are or were missing
 * (some of what was read is zeros, some of what was written is gone).
 */
int shmguard_view_end(struct shmguard_view *view);

/**
 * Copies rows out of the map: `rows` times `row` bytes, the first ones at
 * `offset` and `stride` bytes from one to the next in the map, `to_stride` in the
 * memory at `to`. All in bytes; from any thread.
 *
 * Unlike an access through a view this has the kernel fill no holes of a sparse
 * file but for one page: they are zeros in the copy and stay holes (unless the
 * system has swapped something out: what is a hole and what is not cannot be told
 * then).
 *
 * Returns 0, or -1 with errno ERANGE (not within the map's size, empty, or a stride
 * shorter than a row), ENOMEM, or EFAULT if bytes of the file are missing: the
 * copy is complete, with zeros for them.
 */
__attribute__((nonnull))
int shmguard_map_copy(struct shmguard_map *map, size_t offset, size_t stride,
	size_t row, size_t rows, void *to, size_t to_stride);

/** The size in bytes as opened or last resized. */
size_t shmguard_map_size(const struct shmguard_map *map);

/** Current protection; a resize may change it. */
enum shmguard_tier shmguard_map_tier(const struct shmguard_map *map);
enum shmguard_reason shmguard_map_reason(const struct shmguard_map *map);

/** Whether an access has ever met bytes that the file had lost. Any thread. */
bool shmguard_map_lost(const struct shmguard_map *map);

/** What all clients of the process hold. Any thread. */
__attribute__((nonnull))
void shmguard_total_usage(struct shmguard_usage *usage);

/**
 * Copies `size` bytes at `offset` out of a peer's file, for what is parsed once:
 * a keymap, a colour profile, a gamma table. Parse the copy, never a mapping:
 * what the parser sees must not change under it. `size` and `offset` are what
 * the peer announced, `limit` is the largest size that makes sense to the
 * caller. Nothing is mapped and no signal can come of it.
 *
 * The descriptor is taken over as by shmguard_map_open(), on failure too, and is
 * not waited for either: closing it happens on another thread where that can
 * block or take long. Pipes and sockets are refused: they have to be read as
 * their bytes arrive, by an event loop.
 *
 * Of the policy, which may be NULL, only SHMGUARD_BLOCKING_ALLOW matters: files
 * that can block are refused otherwise. `reason`, which may be NULL, tells why the
 * file was refused, or what kind it is.
 *
 * Returns memory to be freed with free(3). A NUL follows the bytes, so that text
 * can be handed to a parser of strings; it was terminated by the peer itself if
 * strlen() is less than `size`. The copy may mix what the peer wrote before and
 * after, but changes no more.
 *
 * Returns NULL with errno EBADF, EACCES (write-only), EINVAL (kind of file),
 * EPERM (the file can block), ENODATA (`size` is 0), EFBIG (over the limit),
 * EFAULT (the file has fewer bytes; also if it shrinks meanwhile), ENOMEM, or
 * what pread(2) set, EIO for one. Any thread.
 */
__attribute__((warn_unused_result))
void *shmguard_read_fd(int fd, size_t offset, size_t size, size_t limit,
	const struct shmguard_policy *policy, enum shmguard_reason *reason);

/**
 * For hosts that own the SIGBUS handler (SHMGUARD_HANDLER_HOST, or a handler
 * installed after ours): ask us first. Returns true when the fault was in
 * guarded memory and has been repaired: return from the handler and the access
 * resumes. Returns false for every other SIGBUS.
 *
 * Async-signal-safe; the handler must have been installed with SA_SIGINFO.
 * `info` is the one the handler got.
 */
__attribute__((nonnull))
bool shmguard_handle_sigbus(const siginfo_t *info);

#ifdef __cplusplus
}
#endif

#endif
