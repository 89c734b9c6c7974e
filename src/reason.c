/* SPDX-License-Identifier: MIT */
#include <shmguard/map.h>

#include <stddef.h>

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
	case SHMGUARD_REASON_QUOTA:
		return "more than a client may hold";
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
shmguard_reason_name(enum shmguard_reason reason)
{
	switch (reason) {
	case SHMGUARD_REASON_SEALED:
		return "sealed";
	case SHMGUARD_REASON_ADOPTED:
		return "adopted";
	case SHMGUARD_REASON_SHORT:
		return "short";
	case SHMGUARD_REASON_SEALABLE:
		return "sealable";
	case SHMGUARD_REASON_UNSEALABLE:
		return "unsealable";
	case SHMGUARD_REASON_HUGETLB:
		return "hugetlb";
	case SHMGUARD_REASON_LOCAL_FILE:
		return "local_file";
	case SHMGUARD_REASON_MAY_BLOCK:
		return "may_block";
	case SHMGUARD_REASON_BAD_FD:
		return "bad_fd";
	case SHMGUARD_REASON_PATH_ONLY:
		return "path_only";
	case SHMGUARD_REASON_WRITE_ONLY:
		return "write_only";
	case SHMGUARD_REASON_NOT_REGULAR:
		return "not_regular";
	case SHMGUARD_REASON_SECRET:
		return "secret";
	case SHMGUARD_REASON_POLICY:
		return "policy";
	case SHMGUARD_REASON_TOO_LARGE:
		return "too_large";
	case SHMGUARD_REASON_UNMAPPABLE:
		return "unmappable";
	case SHMGUARD_REASON_NO_MEMORY:
		return "no_memory";
	case SHMGUARD_REASON_QUOTA:
		return "quota";
	case SHMGUARD_REASON_EMPTY:
		return "empty";
	case SHMGUARD_REASON_OVER_LIMIT:
		return "over_limit";
	case SHMGUARD_REASON_TRUNCATED:
		return "truncated";
	case SHMGUARD_REASON_READ_ERROR:
		return "read_error";
	}
	return "unknown";
}

#define ALLOW_SEALING SHMGUARD_IMPROVEMENT_ALLOW_SEALING
#define SEAL_SHRINK SHMGUARD_IMPROVEMENT_SEAL_SHRINK
#define FULL_LENGTH SHMGUARD_IMPROVEMENT_FULL_LENGTH
#define SMALL_PAGES SHMGUARD_IMPROVEMENT_SMALL_PAGES

struct advice {
	unsigned int improvements;
	const char *text;
};

static struct advice
find_advice(enum shmguard_reason reason)
{
	switch (reason) {
	case SHMGUARD_REASON_ADOPTED:
		return (struct advice){SEAL_SHRINK,
			"add F_SEAL_SHRINK yourself: not everybody does it for you"};
	case SHMGUARD_REASON_SEALABLE:
		return (struct advice){SEAL_SHRINK,
			"add F_SEAL_SHRINK once the file has its length"};
	case SHMGUARD_REASON_SHORT:
		return (struct advice){FULL_LENGTH,
			"make the file long enough before claiming that it is"};
	case SHMGUARD_REASON_HUGETLB:
		return (struct advice){SMALL_PAGES | ALLOW_SEALING | SEAL_SHRINK,
			"use memfd_create without MFD_HUGETLB but with "
			"MFD_ALLOW_SEALING, and add F_SEAL_SHRINK once the file "
			"has its length"};
	case SHMGUARD_REASON_UNSEALABLE:
	case SHMGUARD_REASON_LOCAL_FILE:
	case SHMGUARD_REASON_MAY_BLOCK:
	case SHMGUARD_REASON_NOT_REGULAR:
	case SHMGUARD_REASON_SECRET:
	case SHMGUARD_REASON_POLICY:
		return (struct advice){ALLOW_SEALING | SEAL_SHRINK,
			"use memfd_create with MFD_ALLOW_SEALING, and add "
			"F_SEAL_SHRINK once the file has its length"};
	case SHMGUARD_REASON_SEALED:
	case SHMGUARD_REASON_BAD_FD:
	case SHMGUARD_REASON_PATH_ONLY:
	case SHMGUARD_REASON_WRITE_ONLY:
	case SHMGUARD_REASON_TOO_LARGE:
	case SHMGUARD_REASON_UNMAPPABLE:
	case SHMGUARD_REASON_NO_MEMORY:
	case SHMGUARD_REASON_QUOTA:
	case SHMGUARD_REASON_EMPTY:
	case SHMGUARD_REASON_OVER_LIMIT:
	case SHMGUARD_REASON_TRUNCATED:
	case SHMGUARD_REASON_READ_ERROR:
		break;
	}
	return (struct advice){0, NULL};
}

unsigned int
shmguard_reason_improvements(enum shmguard_reason reason)
{
	return find_advice(reason).improvements;
}

const char *
shmguard_reason_advice(enum shmguard_reason reason)
{
	return find_advice(reason).text;
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
