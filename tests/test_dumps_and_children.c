/* SPDX-License-Identifier: MIT */

/*
 * I12: client pixels are neither in core dumps nor in forked children, wherever
 * they have been on their way. The test looks for them in all that there is: a
 * core file, a child's memory.
 */

#include "harness.h"
#include "sanitizers.h"

#include "fake_kernel.h"
#include "memory_look.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <shmguard/map.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* More than what is read at a time, and not a multiple of it. */
#define PIXELS_SIZE ((size_t)700 << 10)

/* ---- What to look for ---- */

#define SECRET_SIZE 32

/* The bytes that each picture consists of, inverted: what looks for them must
 * not be what is found. */
static unsigned char inverted[SECRET_SIZE];

static int
secret_file(int seals)
{
	int fd = harness_memfd(PIXELS_SIZE, 0, seals < 0 ? -1 : 0);
	unsigned char secret[SECRET_SIZE];
	ck_assert_int_eq(getrandom(secret, sizeof(secret), 0), sizeof(secret));
	for (size_t at = 0; at < PIXELS_SIZE; at += sizeof(secret))
		ck_assert_int_eq(pwrite(fd, secret, sizeof(secret), (off_t)at),
			sizeof(secret));
	if (seals > 0)
		harness_add_seals(fd, seals);
	for (size_t i = 0; i < sizeof(secret); i++)
		inverted[i] = (unsigned char)~secret[i];
	explicit_bzero(secret, sizeof(secret));
	return fd;
}

static bool
is_secret(const unsigned char *bytes)
{
	for (size_t i = 0; i < SECRET_SIZE; i++) {
		if ((unsigned char)~bytes[i] != inverted[i])
			return false;
	}
	return true;
}

/* In the bytes of a file from `at` to `end`, as far as they can be read. */
static bool
find_secret(int fd, off_t at, off_t end)
{
	static unsigned char bytes[64 << 10];
	bool found = false;
	while (!found && at < end) {
		size_t want = end - at < (off_t)sizeof(bytes) ?
			(size_t)(end - at) : sizeof(bytes);
		ssize_t got = pread(fd, bytes, want, at);
		if (got < SECRET_SIZE)
			break;
		size_t last = (size_t)got - SECRET_SIZE;
		for (size_t i = 0; i <= last && !found; i++)
			found = is_secret(bytes + i);
		at += (off_t)last + 1;
	}
	memset(bytes, 0, sizeof(bytes));
	return found;
}

/* In all of a process's memory. */
static bool
find_secret_in_process(pid_t pid)
{
	char path[64], line[512];
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *maps = fopen(path, "re");
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	int memory = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_ptr_nonnull(maps);
	ck_assert_int_ge(memory, 0);

	bool found = false;
	while (!found && fgets(line, sizeof(line), maps) != NULL) {
		unsigned long long start, end;
		ck_assert_int_eq(sscanf(line, "%llx-%llx", &start, &end), 2);
		/* Where the kernel's own pages are, off_t has no number. */
		if (end <= INT64_MAX)
			found = find_secret(memory, (off_t)start, (off_t)end);
	}
	close(memory);
	fclose(maps);
	return found;
}

/* ---- What a compositor does ---- */

struct scene {
	const char *name;
	struct shmguard_policy policy;
	int seals; /* < 0: none possible */
	enum shmguard_tier tier;
	bool nosigbus, write, moved;
};

static const struct scene scenes[] = {
	{.name = "trapped", .seals = -1, .tier = SHMGUARD_TIER_TRAPPED},
	{.name = "sealed", .seals = F_SEAL_SHRINK, .tier = SHMGUARD_TIER_SEALED},
	{.name = "nosigbus", .nosigbus = true, .tier = SHMGUARD_TIER_NOSIGBUS},
	{.name = "copied", .policy = {.unsealed = SHMGUARD_UNSEALED_COPY},
		.tier = SHMGUARD_TIER_COPIED},
	{.name = "written", .write = true, .tier = SHMGUARD_TIER_TRAPPED},
	{.name = "written, nosigbus", .nosigbus = true, .write = true,
		.tier = SHMGUARD_TIER_NOSIGBUS},
	{.name = "written, copied", .write = true,
		.policy = {.unsealed = SHMGUARD_UNSEALED_COPY},
		.tier = SHMGUARD_TIER_COPIED},
	{.name = "private", .policy = {.writable = true},
		.seals = F_SEAL_WRITE | F_SEAL_SHRINK,
		.tier = SHMGUARD_TIER_SEALED},
	{.name = "moved", .moved = true, .tier = SHMGUARD_TIER_TRAPPED},
};

#define SCENES (sizeof(scenes) / sizeof(scenes[0]))

struct stage {
	struct shmguard_map *map;
	struct shmguard_view view;
};

static void
begin(struct stage *stage, const struct scene *scene)
{
	ck_assert_int_eq(scene->write ?
		shmguard_map_begin_write(stage->map, 0, PIXELS_SIZE,
			&stage->view) :
		shmguard_map_begin_read(stage->map, 0, PIXELS_SIZE,
			&stage->view), 0);
	const volatile unsigned char *data = stage->view.data;
	for (size_t at = 0; at < PIXELS_SIZE; at += 1000)
		ck_assert_int_eq((unsigned char)~data[at],
			inverted[at % SECRET_SIZE]);
}

/* `fd` stays the caller's. */
static void
enter(struct stage *stage, const struct scene *scene, int fd)
{
	fake_kernel.has_nosigbus = scene->nosigbus;
	fake_kernel.tight = scene->moved;
	fake_kernel_use();
	stage->map = shmguard_map_open(fcntl(fd, F_DUPFD_CLOEXEC, 0), PIXELS_SIZE,
		&scene->policy, NULL);
	ck_assert_ptr_nonnull(stage->map);
	ck_assert_msg(shmguard_map_tier(stage->map) == scene->tier, "%s is %s",
		scene->name, shmguard_tier_name(shmguard_map_tier(stage->map)));
	begin(stage, scene);
	if (scene->moved) {
		struct shmguard_view old = stage->view;
		ck_assert_int_eq(
			shmguard_map_resize(stage->map, 2 * PIXELS_SIZE), 0);
		begin(stage, scene);
		ck_assert_ptr_ne(old.data, stage->view.data);
		ck_assert_int_eq(shmguard_view_end(&old), 0);
	}
	/* What it leaves behind must not be found either. */
	ck_assert_int_eq(shmguard_view_end(&stage->view), 0);
	begin(stage, scene);
}

static void
leave(struct stage *stage)
{
	ck_assert_int_eq(shmguard_view_end(&stage->view), 0);
	shmguard_map_close(stage->map);
}

/* ---- Core dumps ---- */

static const char *
dump_problem(void)
{
	char pattern[128] = "";
	FILE *file = fopen("/proc/sys/kernel/core_pattern", "re");
	if (file == NULL)
		return "the kernel does not say where core dumps go";
	size_t got = fread(pattern, 1, sizeof(pattern) - 1, file);
	fclose(file);
	if (got == 0 || pattern[0] == '|' || strchr(pattern, '/') != NULL)
		return "core dumps do not go to the current directory";
	return NULL;
}

static void
allow_dump(void)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
	if (setrlimit(RLIMIT_CORE, &limit) == 0)
		return;
	getrlimit(RLIMIT_CORE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_CORE, &limit);
}

/* The only file in the directory, which is then gone with it. */
static int
take_core(const char *directory)
{
	int fd = -1;
	DIR *entries = opendir(directory);
	ck_assert_ptr_nonnull(entries);
	for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
		if (entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(entries), entry->d_name, O_RDONLY | O_CLOEXEC);
		ck_assert_int_eq(unlinkat(dirfd(entries), entry->d_name, 0), 0);
	}
	closedir(entries);
	rmdir(directory);
	return fd;
}

/* Of a compositor that crashes in the middle of an access. -1 if there is none. */
static int
crash(const struct scene *scene, int fd)
{
	char directory[] = "/tmp/shmguard-core-XXXXXX";
	ck_assert_ptr_nonnull(mkdtemp(directory));
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		struct stage stage;
		enter(&stage, scene, fd);
		if (chdir(directory) != 0)
			_exit(1);
		allow_dump();
		signal(SIGABRT, SIG_DFL);
		abort();
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	int core = take_core(directory);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
		"%s: status %x", scene->name, (unsigned int)status);
	return core;
}

static off_t
size_of(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	ck_assert_int_gt(size, 0);
	return size;
}

/* Where a core's memory begins, after its notes. Those have the registers, in
 * which some of what was copied last stays for a while. */
static off_t
memory_in(int core)
{
	ElfW(Ehdr) header;
	ElfW(Phdr) segment;
	ck_assert_int_eq(pread(core, &header, sizeof(header), 0),
		sizeof(header));
	for (size_t i = 0; i < header.e_phnum; i++) {
		ck_assert_int_eq(pread(core, &segment, sizeof(segment),
			(off_t)(header.e_phoff + i * sizeof(segment))),
			sizeof(segment));
		if (segment.p_type == PT_LOAD)
			return (off_t)segment.p_offset;
	}
	ck_abort_msg("no memory is in the core");
	return 0;
}

TEST(I12_core_dump_has_no_pixels)
{
#ifdef SANITIZED
	SKIP("sanitizers forbid core dumps");
#endif
	const char *problem = dump_problem();
	if (problem != NULL)
		SKIP("%s", problem);

	/* The one in which they are to be found shows that this test can. */
	static const struct scene shown = {
		.name = "shown",
		.policy = {.dump_client_memory = true},
		.tier = SHMGUARD_TIER_TRAPPED,
	};
	int fd = secret_file(shown.seals);
	int core = crash(&shown, fd);
	close(fd);
	if (core < 0)
		SKIP("no core was dumped");
	ck_assert(find_secret(core, memory_in(core), size_of(core)));
	close(core);

	for (size_t i = 0; i < SCENES; i++) {
		fd = secret_file(scenes[i].seals);
		core = crash(&scenes[i], fd);
		ck_assert_int_ge(core, 0);
		ck_assert_msg(!find_secret(core, memory_in(core),
				size_of(core)),
			"pixels are in the core: %s", scenes[i].name);
		close(core);
		close(fd);
	}
}

/* ---- Children ---- */

static bool
child_has_secret(void)
{
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		pause();
		_exit(0);
	}
	bool found = find_secret_in_process(child);
	int status;
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return found;
}

/* A process for each scene: a kernel is looked at once in each. */
static int
have_child(const struct scene *scene, int fd)
{
	int status;
	pid_t compositor = fork();
	ck_assert_int_ge(compositor, 0);
	if (compositor == 0) {
		struct stage stage;
		enter(&stage, scene, fd);
		bool ours = find_secret_in_process(getpid());
		bool inherited = child_has_secret();
		leave(&stage);
		_exit(ours ? inherited : 2);
	}
	ck_assert_int_eq(waitpid(compositor, &status, 0), compositor);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

TEST(I12_children_have_no_pixels)
{
#ifdef SANITIZED
	SKIP("sanitizers have more memory than can be looked at");
#endif
	for (size_t i = 0; i < SCENES; i++) {
		int fd = secret_file(scenes[i].seals);
		int status = have_child(&scenes[i], fd);
		ck_assert_msg(status != 2, "we have none ourselves: %s",
			scenes[i].name);
		ck_assert_msg(status == 0, "pixels are in the child: %s",
			scenes[i].name);
		close(fd);
	}
}

/* It may end what its parent has begun, and has nothing to store. */
TEST(I12_child_that_ends_a_copy_writes_nothing)
{
	static const struct scene copied = {
		.name = "copied",
		.write = true,
		.policy = {.unsealed = SHMGUARD_UNSEALED_COPY},
		.tier = SHMGUARD_TIER_COPIED,
	};
	int fd = secret_file(0);
	struct stage stage;
	enter(&stage, &copied, fd);
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		bool ended = shmguard_view_end(&stage.view) == 0;
		shmguard_map_close(stage.map);
		_exit(ended ? 0 : 1);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq((unsigned char)~byte_in_file(fd, 0), inverted[0]);
	leave(&stage);
	ck_assert_int_eq((unsigned char)~byte_in_file(fd, 0), inverted[0]);
	close(fd);
}
