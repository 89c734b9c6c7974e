/* SPDX-License-Identifier: MIT */
#include "filesystem.h"

#include "block_device.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#endif

/*
 * A hostile client may make mounts of its own, in a user namespace or with
 * fusermount, and choose their file's names, sources and FUSE subtypes. What it
 * cannot choose is the kernel's part, and only that is believed:
 *
 * - A mount id is unique while something holds the mount, and the descriptor
 *   does. So an id that is in our table is that very mount.
 * - A device number belongs to one superblock at a time, anonymous ones too,
 *   and FUSE and network file systems report their superblock's. So a client's
 *   own mount shares a number with ours only if it shows the same file system.
 * - A FUSE subtype only ever follows "fuse." in the type, and types are
 *   compared as a whole.
 * - White space in names is written in octal (\040, \012), so that it neither
 *   splits a field nor starts a line.
 */

/*
 * File systems that need nobody's help to answer. What is not here (fuse,
 * fuseblk, nfs, cifs, 9p, ceph, afs, autofs, virtiofs, ...) counts as able to
 * block, and so does procfs, where reading some files waits for an event.
 *
 * overlay is as local as its layers. In our mount table these are the choice of
 * whoever set the machine or container up. A client's own overlay, over its own
 * FUSE mount, is not in our table and reports a device that is not either.
 */
static const char *const local_types[] = {
	"bcachefs", "btrfs", "cd9660", "cramfs", "devtmpfs", "erofs", "exfat",
	"ext2", "ext2fs", "ext3", "ext4", "f2fs", "ffs", "hfs", "hfsplus",
	"hugetlbfs", "iso9660", "jfs", "mfs", "minix", "msdos", "msdosfs",
	"nilfs2", "ntfs", "ntfs3", "overlay", "ramfs", "reiserfs", "romfs",
	"rootfs", "squashfs", "tmpfs", "udf", "ufs", "vfat", "xfs", "zfs",
};

bool
filesystem_type_may_block(const char *type)
{
	size_t count = sizeof(local_types) / sizeof(local_types[0]);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(type, local_types[i]) == 0)
			return false;
	}
	return true;
}

/*
 * A line of mountinfo:
 *
 *   36 35 98:0 /root /mount rw,noatime master:1 - ext4 /dev/sda1 rw
 *   id parent device            any number ^    type   source
 */
enum mount_field {
	FIELD_ID,
	FIELD_DEVICE = 2,
	FIELD_OPTIONAL = 6, /* and after, up to the one that is a dash */
	FIELD_TYPE,
	FIELD_SOURCE,
	FIELD_REST,
};

/* Reads the table a character at a time: lines have no bound, and a field that
 * does not fit the token is none that matters. */
struct table_reader {
	enum mount_field field;
	char token[128];
	size_t length; /* all of the token: the field did not fit */
	const struct mount_identity *wanted;
	/* Of this line. */
	bool same_mount, same_device, may_block;
	/* Of the lines before. */
	bool found_local, found_blocking;
};

static bool
is_number(const char *text, uint64_t wanted, char terminator)
{
	char *end;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	return errno == 0 && value == wanted && end != text &&
		*end == terminator;
}

static bool
is_device(const char *text, const struct mount_identity *wanted)
{
	const char *colon = strchr(text, ':');
	return colon != NULL && is_number(text, wanted->dev_major, ':') &&
		is_number(colon + 1, wanted->dev_minor, '\0');
}

/* With the source as the token. One that was cut cannot be looked at. */
static bool
lies_on_foreign_device(const struct table_reader *reader, bool whole)
{
	if (block_device_is_foreign(reader->wanted->dev_major,
			reader->wanted->dev_minor))
		return true;
	return whole ? block_device_source_is_foreign(reader->token) :
		strncmp(reader->token, "/dev/", strlen("/dev/")) == 0;
}

static void
end_field(struct table_reader *reader)
{
	bool whole = reader->length < sizeof(reader->token);
	char *token = reader->token;
	token[whole ? reader->length : sizeof(reader->token) - 1] = '\0';
	reader->length = 0;

	switch (reader->field) {
	case FIELD_ID:
		reader->same_mount = reader->wanted->mount_id != 0 && whole &&
			is_number(token, reader->wanted->mount_id, '\0');
		break;
	case FIELD_DEVICE:
		reader->same_device = whole && is_device(token, reader->wanted);
		break;
	case FIELD_OPTIONAL:
		if (strcmp(token, "-") != 0)
			return;
		break;
	case FIELD_TYPE:
		reader->may_block = filesystem_type_may_block(token);
		break;
	case FIELD_SOURCE:
		/* Only where the answer matters: it takes system calls. */
		if (reader->same_mount || reader->same_device)
			reader->may_block |= lies_on_foreign_device(reader, whole);
		break;
	case FIELD_REST:
		return;
	default:
		break;
	}
	reader->field++;
}

/* Returns true when no other line matters. */
static bool
end_line(struct table_reader *reader)
{
	bool whole = reader->field > FIELD_SOURCE;
	reader->field = FIELD_ID;
	if (!whole || (!reader->same_mount && !reader->same_device))
		return false;
	if (reader->same_mount)
		reader->found_blocking = false;
	if (reader->may_block)
		reader->found_blocking = true;
	else
		reader->found_local = true;
	return reader->same_mount;
}

static bool
read_characters(struct table_reader *reader, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] == ' ' || text[i] == '\n') {
			end_field(reader);
			if (text[i] == '\n' && end_line(reader))
				return true;
			continue;
		}
		if (reader->length < sizeof(reader->token))
			reader->token[reader->length++] = text[i];
	}
	return false;
}

enum answer { LOCAL, BLOCKING, NOT_LISTED };

static enum answer
look_up(int table_fd, const struct mount_identity *identity)
{
	struct table_reader reader = {.wanted = identity};
	char chunk[4096];
	for (;;) {
		ssize_t got = read(table_fd, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return BLOCKING;
		if (got > 0 && !read_characters(&reader, chunk, (size_t)got))
			continue;
		if (reader.found_blocking)
			return BLOCKING;
		return reader.found_local ? LOCAL : NOT_LISTED;
	}
}

bool
filesystem_table_may_block(int table_fd, const struct mount_identity *identity)
{
	return look_up(table_fd, identity) != LOCAL;
}

/*
 * In a chroot the table lacks the mount that the root directory is on. Asking
 * that one is no new risk: nothing runs in a chroot whose root does not answer.
 */
static bool
is_local_root(const struct mount_identity *identity)
{
#ifdef __linux__
	static const uint32_t local_magics[] = {
		BTRFS_SUPER_MAGIC, EROFS_SUPER_MAGIC_V1, EXT4_SUPER_MAGIC,
		F2FS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, RAMFS_MAGIC,
		SQUASHFS_MAGIC, TMPFS_MAGIC, XFS_SUPER_MAGIC,
	};
	struct stat root;
	struct statfs filesystem;
	if (stat("/", &root) < 0 || major(root.st_dev) != identity->dev_major ||
			minor(root.st_dev) != identity->dev_minor ||
			statfs("/", &filesystem) < 0)
		return false;
	for (size_t i = 0; i < sizeof(local_magics) / sizeof(local_magics[0]); i++) {
		if ((uint32_t)filesystem.f_type == local_magics[i])
			return true;
	}
#else
	(void)identity;
#endif
	return false;
}

bool
filesystem_may_block(const struct mount_identity *identity)
{
	/* Printing the table takes no lock that a waiting file system holds, and
	 * asks none of them anything. */
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	enum answer answer = look_up(fd, identity);
	close(fd);
	return answer == BLOCKING ||
		(answer == NOT_LISTED && !is_local_root(identity));
}
