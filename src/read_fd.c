/* SPDX-License-Identifier: MIT */
#include "read_fd.h"

#include "reaper.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

bool
read_fd_allowed(const struct fd_verdict *verdict, enum shmguard_blocking blocking)
{
	if (!verdict->refused && (!verdict->may_block ||
			blocking == SHMGUARD_BLOCKING_ALLOW))
		return true;
	errno = refusal_errno(verdict->reason);
	return false;
}

ssize_t
read_fd_copy(int fd, uint64_t offset, void *bytes, size_t length)
{
	size_t done = 0;
	while (done < length) {
		/* No file has bytes there, and pread has another errno for it. */
		if (offset + done > INT64_MAX)
			break;
		ssize_t got = pread(fd, (char *)bytes + done, length - done,
			(off_t)(offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

static void *
copy_exactly(int fd, size_t offset, size_t size, enum shmguard_reason *reason)
{
	char *bytes = malloc(size + 1);
	if (bytes == NULL) {
		*reason = SHMGUARD_REASON_NO_MEMORY;
		errno = ENOMEM;
		return NULL;
	}
	ssize_t got = read_fd_copy(fd, offset, bytes, size);
	if (got < 0) {
		int saved_errno = errno;
		*reason = SHMGUARD_REASON_READ_ERROR;
		free(bytes);
		errno = saved_errno;
		return NULL;
	}
	if ((size_t)got < size) {
		*reason = SHMGUARD_REASON_TRUNCATED;
		free(bytes);
		errno = EFAULT;
		return NULL;
	}
	bytes[size] = '\0';
	return bytes;
}

static void *
copy_if_sensible(int fd, size_t offset, size_t size, size_t limit,
	enum shmguard_reason *reason)
{
	if (size == 0) {
		*reason = SHMGUARD_REASON_EMPTY;
		errno = ENODATA;
		return NULL;
	}
	/* Memory for the NUL has to be counted, too. */
	if (size > limit || size == SIZE_MAX) {
		*reason = SHMGUARD_REASON_OVER_LIMIT;
		errno = EFBIG;
		return NULL;
	}
	return copy_exactly(fd, offset, size, reason);
}

void *
shmguard_read_fd(int fd, size_t offset, size_t size, size_t limit,
	const struct shmguard_policy *policy, enum shmguard_reason *reason_out)
{
	size_t end = size > SIZE_MAX - offset ? SIZE_MAX : offset + size;
	struct fd_verdict verdict = seal_check(fd, end, false);
	enum shmguard_reason reason = verdict.reason;

	void *bytes = NULL;
	if (read_fd_allowed(&verdict, policy == NULL ?
			SHMGUARD_BLOCKING_REJECT : policy->blocking))
		bytes = copy_if_sensible(fd, offset, size, limit, &reason);

	int saved_errno = errno;
	/* What was no descriptor may be somebody else's by now. */
	if (verdict.reason != SHMGUARD_REASON_BAD_FD || verdict.may_block)
		reaper_close_last(fd, verdict.may_block);
	if (reason_out != NULL)
		*reason_out = reason;
	errno = saved_errno;
	return bytes;
}
