/* SPDX-License-Identifier: MIT */
#include "filesystem.h"

#include "block_device.h"
#include "fuse_file.h"
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The rest of a line that is an ext4 mount; and of one that is FUSE. */
#define EXT4 " / /mnt rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
#define FUSE " / /mnt rw,relatime - fuse.sshfs sshfs rw,user_id=0\n"

static bool
table_may_block(const char *table, uint64_t id, uint32_t major, uint32_t minor)
{
	int fd = harness_memfd(0, 0, -1);
	size_t length = strlen(table);
	ck_assert_int_eq(write(fd, table, length), (ssize_t)length);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	struct mount_identity identity = {id, major, minor};
	bool may_block = filesystem_table_may_block(fd, &identity);
	close(fd);
	return may_block;
}

/* Returns `prefix`, `count` times `filler`, and `suffix`. */
static char *
long_text(const char *prefix, char filler, size_t count, const char *suffix)
{
	size_t length = strlen(prefix);
	char *text = malloc(length + count + strlen(suffix) + 1);
	ck_assert_ptr_nonnull(text);
	strcpy(text, prefix);
	memset(text + length, filler, count);
	strcpy(text + length + count, suffix);
	return text;
}

TEST(local_types_do_not_block)
{
	static const char *const types[] = {
		"ext2", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs",
		"vfat", "iso9660", "squashfs", "overlay", "tmpfs", "ramfs",
		"hugetlbfs", "devtmpfs", "ufs",
	};
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		ck_assert_msg(!filesystem_type_may_block(types[i]), "%s",
			types[i]);
	}
}

TEST(I10_foreign_and_unknown_types_block)
{
	static const char *const types[] = {
		"fuse", "fuseblk", "fuse.sshfs", "fuse.ext4", "nfs", "nfs4",
		"cifs", "smb3", "9p", "ceph", "afs", "autofs", "virtiofs",
		"vboxsf", "coda", "proc", "sysfs", "ext", "ext44", "Ext4",
		" ext4", "", "-",
	};
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		ck_assert_msg(filesystem_type_may_block(types[i]), "%s",
			types[i]);
	}
}

TEST(mount_id_decides)
{
	const char *table = "30 1 8:1" EXT4 "31 1 0:50" FUSE "32 1 0:60" EXT4;
	ck_assert(!table_may_block(table, 30, 8, 1));
	ck_assert(table_may_block(table, 31, 0, 50));
	ck_assert(!table_may_block(table, 32, 0, 60));
}

TEST(mount_id_outweighs_device)
{
	/* btrfs tells one device per subvolume, overlay one per layer. */
	const char *table = "30 1 0:50" FUSE "31 1 0:60" EXT4 "32 1 0:50" FUSE;
	ck_assert(!table_may_block(table, 31, 0, 50));
	ck_assert(table_may_block(table, 30, 0, 60));
}

TEST(device_decides_for_mounts_we_cannot_see)
{
	const char *table = "30 1 8:1" EXT4 "31 1 0:50" FUSE;
	ck_assert(!table_may_block(table, 0, 8, 1));
	ck_assert(!table_may_block(table, 999, 8, 1));
	ck_assert(table_may_block(table, 999, 0, 50));
}

TEST(both_halves_of_a_device_number_count)
{
	const char *table = "30 1 8:1" EXT4;
	ck_assert(table_may_block(table, 0, 8, 2));
	ck_assert(table_may_block(table, 0, 9, 1));
	ck_assert(table_may_block(table, 0, 81, 1));
	ck_assert(table_may_block(table, 0, 8, 11));
	ck_assert(table_may_block(table, 3, 0, 0));
	ck_assert(table_may_block(table, 301, 0, 0));
}

TEST(mount_id_zero_means_none)
{
	ck_assert(table_may_block("0 1 8:1" EXT4, 0, 9, 9));
}

TEST(I10_unknown_mount_blocks)
{
	ck_assert(table_may_block("30 1 8:1" EXT4, 31, 0, 50));
	ck_assert(table_may_block("", 31, 0, 50));
	ck_assert(table_may_block("\n\n \n", 31, 0, 50));
}

TEST(I10_unreadable_table_blocks)
{
	struct mount_identity identity = {30, 8, 1};
	ck_assert(filesystem_table_may_block(-1, &identity));
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert(filesystem_table_may_block(fd, &identity));
	close(fd);
}

TEST(any_number_of_optional_fields)
{
	const char *table =
		"30 1 8:1 / /a rw - ext4 /dev/sda1 rw\n"
		"31 1 8:2 / /b rw shared:1 master:2 propagate_from:3 "
		"unbindable - xfs /dev/sda2 rw\n"
		"32 1 8:3 / /c rw  - ext4  rw\n";
	ck_assert(!table_may_block(table, 30, 0, 0));
	ck_assert(!table_may_block(table, 31, 0, 0));
	ck_assert(!table_may_block(table, 32, 0, 0));
}

TEST(names_cannot_pose_as_types)
{
	/* Directories called " - ext4 x" and "\n40 1 0:51 / / rw - ext4 x\n", a
	 * source called "ext4", a mount point called "-". */
	const char *table =
		"30 1 0:50 / /m/\\040-\\040ext4\\040x rw - fuse.evil ext4 rw\n"
		"31 1 0:51 /\\01240\\0401\\0400:51\\040/\\040/\\040rw\\040-"
		"\\040ext4\\040x\\012 /mnt rw - fuse - rw\n"
		"32 1 0:52 - - rw - fuse.ext4 - ext4\n";
	ck_assert(table_may_block(table, 30, 0, 50));
	ck_assert(table_may_block(table, 31, 0, 51));
	ck_assert(table_may_block(table, 40, 0, 51));
	ck_assert(table_may_block(table, 32, 0, 52));
}

TEST(lines_and_fields_have_no_bound)
{
	size_t huge = 1 << 20;
	char *path = long_text("30 1 8:1 /", 'a', huge,
		" /mnt rw - ext4 /dev/sda1 rw\n31 1 8:2" EXT4);
	ck_assert(!table_may_block(path, 30, 8, 1));
	ck_assert(!table_may_block(path, 31, 8, 2));
	free(path);

	char *type = long_text("30 1 8:1 / /mnt rw - fuse.", 'a', huge,
		" x rw\n31 1 8:2" EXT4);
	ck_assert(table_may_block(type, 30, 8, 1));
	ck_assert(!table_may_block(type, 31, 8, 2));
	free(type);

	char *id = long_text("", '3', huge, " 1 8:1" EXT4 "3 1 8:2" EXT4);
	ck_assert(table_may_block(id, 33333, 0, 0));
	ck_assert(!table_may_block(id, 3, 0, 0));
	free(id);
}

TEST(a_field_that_was_cut_is_not_believed)
{
	/* Every length around that of the reader's token. */
	for (size_t length = 1; length < 200; length++) {
		char *number = long_text("30 1 8:", '0', length,
			"1 / /mnt rw - ext4 x rw\n");
		ck_assert(table_may_block(number, 0, 8, 0));
		free(number);
		char *id = long_text("", '0', length, "30 1 8:1" EXT4);
		ck_assert(table_may_block(id, 3, 8, 0));
		free(id);
		char *type = long_text("30 1 8:1 / /mnt rw - ext4", 'x', length,
			" x rw\n");
		ck_assert(table_may_block(type, 30, 8, 1));
		free(type);
	}
}

TEST(damaged_lines_are_not_believed)
{
	ck_assert(table_may_block("30 1 8:1 / /mnt rw - ext4", 30, 8, 1));
	ck_assert(table_may_block("30 1 8:1 / /mnt rw - ext4\n", 30, 8, 1));
	ck_assert(table_may_block("30 1 8:1 / /mnt rw ext4 x rw\n", 30, 8, 1));
	ck_assert(table_may_block("30 1 8 / /mnt rw - ext4 x rw\n", 0, 8, 0));
	ck_assert(table_may_block("30 1 8: / /mnt rw - ext4 x rw\n", 0, 8, 0));
	ck_assert(table_may_block("30 1 :1 / /mnt rw - ext4 x rw\n", 0, 0, 1));
	ck_assert(table_may_block("30x 1 9:9" EXT4, 30, 8, 1));
	ck_assert(table_may_block("18446744073709551646 1 9:9" EXT4, 30, 8, 1));
	ck_assert(table_may_block("99999999999999999999 1 9:9" EXT4, UINT64_MAX,
		8, 1));
}

TEST(loop_devices_block)
{
	/* What is behind them can be a file on FUSE. */
	const char *table =
		"30 1 7:0 / /a rw - ext4 /dev/loop0 rw\n"
		"31 1 0:50 / /b rw - btrfs /dev/loop1 rw\n"
		"32 1 7:0 / /c rw - ext4 /dev/root rw\n";
	ck_assert(table_may_block(table, 30, 7, 0));
	ck_assert(table_may_block(table, 31, 0, 50));
	/* One line in doubt is enough. */
	ck_assert(table_may_block(table, 999, 7, 0));
}

TEST(I10_devices_behind_a_program_or_a_network_block)
{
	static const char *const sources[] = {
		"drbd1", "nbd0", "rbd/pool/image", "ublkb0",
	};
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		char table[100];
		snprintf(table, sizeof(table),
			"30 1 43:0 / /a rw - ext4 /dev/%s rw\n", sources[i]);
		ck_assert_msg(table_may_block(table, 30, 43, 0), "%s", sources[i]);
	}
	ck_assert(!table_may_block("30 1 259:1 / /a rw - ext4 /dev/nvme0n1p1 rw\n",
		30, 259, 1));
}

TEST(source_that_was_cut_is_not_believed_to_be_a_disk)
{
	char *device = long_text("30 1 8:1 / /a rw - ext4 /dev/", 'a', 300,
		" rw\n");
	ck_assert(table_may_block(device, 30, 8, 1));
	free(device);
	char *dataset = long_text("30 1 0:50 / /a rw - zfs pool/", 'a', 300,
		" rw\n");
	ck_assert(!table_may_block(dataset, 30, 0, 50));
	free(dataset);
}

/* Whatever it is called in the table. */
TEST(I10_loop_device_is_known_by_its_number)
{
	if (access("/sys/dev/block/7:0", F_OK) != 0)
		SKIP("no loop devices");
	ck_assert(block_device_is_foreign(7, 0));
	ck_assert(table_may_block(
		"30 1 7:0 / /a rw - ext4 /dev/disk/by-label/x rw\n", 30, 7, 0));
	ck_assert(!block_device_is_foreign(0, 50));
}

static void
must_make_directories(const char *const paths[])
{
	for (; *paths != NULL; paths++)
		ck_assert_msg(mkdir(*paths, 0700) == 0, "%s: %s", *paths,
			strerror(errno));
}

/* A volume on a partition of a loop device, and one on a disk, as the kernel lists
 * them. */
TEST(I10_volumes_on_loop_devices_block)
{
	if (unshare(CLONE_NEWNS) != 0 ||
			mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
			mount("sys", "/sys", "tmpfs", 0, NULL) != 0)
		SKIP("no mount namespaces: %s", strerror(errno));
	must_make_directories((const char *const[]){
		"/sys/dev", "/sys/dev/block", "/sys/class", "/sys/class/block",
		"/sys/class/block/dm-1", "/sys/class/block/dm-1/slaves",
		"/sys/class/block/dm-1/slaves/dm-2",
		"/sys/class/block/dm-2", "/sys/class/block/dm-2/slaves",
		"/sys/class/block/dm-2/slaves/loop3p1",
		"/sys/class/block/dm-4", "/sys/class/block/dm-4/slaves",
		"/sys/class/block/dm-4/slaves/sda1",
		"/sys/class/block/sda1",
		"/sys/class/block/dm-5", "/sys/class/block/dm-5/slaves",
		"/sys/class/block/dm-5/slaves/dm-5", NULL});
	ck_assert_int_eq(symlink("../../devices/virtual/block/dm-1",
		"/sys/dev/block/253:1"), 0);
	ck_assert_int_eq(symlink("../../devices/virtual/block/dm-4",
		"/sys/dev/block/253:4"), 0);
	ck_assert_int_eq(symlink("../../devices/virtual/block/dm-5",
		"/sys/dev/block/253:5"), 0);
	ck_assert(block_device_is_foreign(253, 1));
	ck_assert(!block_device_is_foreign(253, 4));
	/* The kernel lists no circles, but who has no end is not trusted. */
	ck_assert(block_device_is_foreign(253, 5));
	ck_assert(!block_device_is_foreign(253, 6));
}

/* A subvolume has a number of its own, which the table does not list. */
TEST(subvolumes_are_found_by_mount)
{
	const char *table = "30 1 0:40 /@home /home rw - btrfs /dev/sda2 rw\n";
	ck_assert(!table_may_block(table, 30, 0, 41));
	/* In a mount of somebody else's it could be anything. */
	ck_assert(table_may_block(table, 999, 0, 41));
}

TEST(table_may_come_in_pieces)
{
	int ends[2];
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
		ends), 0);
	const char *table = "30 1 8:1" FUSE "31 1 8:2" EXT4;
	for (const char *at = table; *at != '\0'; at++)
		ck_assert_int_eq(send(ends[0], at, 1, MSG_DONTWAIT), 1);
	close(ends[0]);
	struct mount_identity identity = {31, 8, 2};
	ck_assert(!filesystem_table_may_block(ends[1], &identity));
	close(ends[1]);
}

static struct mount_identity
identify(int fd)
{
	struct statx file;
	ck_assert_int_eq(syscall(SYS_statx, fd, "",
		AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &file), 0);
	return (struct mount_identity){
		.mount_id = file.stx_mask & STATX_MNT_ID ? file.stx_mnt_id : 0,
		.dev_major = file.stx_dev_major,
		.dev_minor = file.stx_dev_minor,
	};
}

static struct mount_identity
identify_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	struct mount_identity identity = identify(fd);
	close(fd);
	return identity;
}

static bool
path_may_block(const char *path)
{
	struct mount_identity identity = identify_path(path);
	return filesystem_may_block(&identity);
}

TEST(real_mount_table_is_understood)
{
	ck_assert(path_may_block("/proc"));
	ck_assert(!path_may_block("/dev/shm"));
}

/* A mount namespace of the test's own, with a directory to mount on. */
static const char *
enter_mount_namespace(char *directory)
{
	unsigned long private = MS_REC | MS_PRIVATE;
	if (unshare(CLONE_NEWNS) < 0 ||
			mount("none", "/", "none", private, NULL) < 0)
		return strerror(errno);
	return mkdtemp(directory) == NULL ? strerror(errno) : NULL;
}

TEST(I10_fuse_mount_in_our_table_blocks)
{
	char directory[] = "/tmp/test-filesystem-XXXXXX";
	const char *problem = enter_mount_namespace(directory);
	if (problem != NULL)
		SKIP("no mount namespace: %s", problem);
	struct fuse_file *file = fuse_file_start(4096, FUSE_FILE_NORMAL);
	if (file == NULL) {
		rmdir(directory);
		SKIP("no FUSE: %s", fuse_file_problem());
	}
	ck_assert_int_eq(fuse_file_attach(file, directory), 0);
	int fd = fuse_file_open(file, O_RDONLY);
	ck_assert_int_ge(fd, 0);

	ck_assert(path_may_block(directory));
	struct mount_identity identity = identify(fd);
	ck_assert(filesystem_may_block(&identity));
	identity.mount_id = 0;
	ck_assert(filesystem_may_block(&identity));

	fuse_file_stop(file);
	close(fd);
	ck_assert_int_eq(umount2(directory, MNT_DETACH), 0);
	rmdir(directory);
}

TEST(local_mount_is_found_by_id_and_by_device)
{
	char directory[] = "/tmp/test-filesystem-XXXXXX";
	const char *problem = enter_mount_namespace(directory);
	if (problem != NULL)
		SKIP("no mount namespace: %s", problem);
	ck_assert_int_eq(mount("fuse.evil", directory, "tmpfs", 0, NULL), 0);
	int fd = open(directory, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);

	struct mount_identity identity = identify(fd);
	ck_assert(!filesystem_may_block(&identity));
	struct mount_identity by_device = identity;
	by_device.mount_id = 0;
	ck_assert(!filesystem_may_block(&by_device));

	/* Detached, nobody can tell any more what it is. */
	ck_assert_int_eq(umount2(directory, MNT_DETACH), 0);
	ck_assert(filesystem_may_block(&identity));
	close(fd);
	rmdir(directory);
}

/* Build chroots and the like: a plain directory of a mount as the root. */
TEST(local_file_in_a_chroot_is_found)
{
	char directory[] = "/tmp/test-filesystem-XXXXXX", proc[64];
	const char *problem = enter_mount_namespace(directory);
	if (problem != NULL)
		SKIP("no mount namespace: %s", problem);
	struct mount_identity inside = identify_path(directory);
	struct mount_identity outside = identify_path("/proc");
	snprintf(proc, sizeof(proc), "%s/proc", directory);
	ck_assert_int_eq(mkdir(proc, 0700), 0);
	ck_assert_int_eq(mount("/proc", proc, NULL, MS_BIND, NULL), 0);
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(chroot(directory), 0);

	ck_assert(!filesystem_may_block(&inside));
	ck_assert(filesystem_may_block(&outside));
	inside.dev_minor++;
	ck_assert(filesystem_may_block(&inside));

	ck_assert_int_eq(fchdir(root), 0);
	ck_assert_int_eq(chroot("."), 0);
	close(root);
	ck_assert_int_eq(umount2(proc, MNT_DETACH), 0);
	rmdir(proc);
	rmdir(directory);
}
