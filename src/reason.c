/* SPDX-License-Identifier: MIT */
#include <shmguard/map.h>

/* No default labels: the compiler then names the value that was forgotten. */

const char *
shmguard_reason_text(enum shmguard_reason reason)
{
	switch (reason) {
	case SHMGUARD_REASON_SEALED:
		return "sealed against shrinking";
	case SHMGUARD_REASON_ADOPTED:
		return "sealed against shrinking by us";
	case SHMGUARD_REASON_SHORT:
		return "sealed against shrinking, but shorter than claimed";
	case SHMGUARD_REASON_SEALABLE:
		return "not sealed against shrinking, though it could be";
	case SHMGUARD_REASON_UNSEALABLE:
		return "shared memory that was created without sealing";
	case SHMGUARD_REASON_HUGETLB:
		return "huge pages, which can go missing in spite of seals";
	case SHMGUARD_REASON_LOCAL_FILE:
		return "file on a local file system, which cannot be sealed";
	case SHMGUARD_REASON_MAY_BLOCK:
		return "file on a file system that may never answer";
	case SHMGUARD_REASON_BAD_FD:
		return "not an open file descriptor";
	case SHMGUARD_REASON_PATH_ONLY:
		return "file descriptor opened with O_PATH";
	case SHMGUARD_REASON_WRITE_ONLY:
		return "file descriptor not opened for reading";
	case SHMGUARD_REASON_NOT_REGULAR:
		return "not a regular file";
	case SHMGUARD_REASON_SECRET:
		return "memfd_secret file: would use up our locked memory";
	case SHMGUARD_REASON_POLICY:
		return "not sealed against shrinking, which the policy demands";
	case SHMGUARD_REASON_TOO_LARGE:
		return "size is zero or too large";
	case SHMGUARD_REASON_UNMAPPABLE:
		return "file cannot be mapped";
	case SHMGUARD_REASON_NO_MEMORY:
		return "out of memory";
	case SHMGUARD_REASON_EMPTY:
		return "size is zero";
	case SHMGUARD_REASON_OVER_LIMIT:
		return "size is larger than allowed";
	case SHMGUARD_REASON_TRUNCATED:
		return "file is shorter than announced";
	case SHMGUARD_REASON_READ_ERROR:
		return "file cannot be read";
	}
	return "unknown reason";
}

const char *
shmguard_tier_name(enum shmguard_tier tier)
{
	switch (tier) {
	case SHMGUARD_TIER_SEALED:
		return "sealed";
	case SHMGUARD_TIER_NOSIGBUS:
		return "nosigbus";
	case SHMGUARD_TIER_TRAPPED:
		return "trapped";
	case SHMGUARD_TIER_COPIED:
		return "copied";
	case SHMGUARD_TIER_REJECTED:
		return "rejected";
	}
	return "unknown";
}
