/* SPDX-License-Identifier: MIT */

/*
 * Everything that can happen to client memory, all at once: four readers, a
 * display that opens, grows, writes to and closes maps, a client in another
 * process that truncates and redraws its files, a host that maps memory of its
 * own where others went, has a truncated file of its own and replaces the SIGBUS
 * handler, and forks. Every byte that is read is accounted for: drawn before or
 * after by the client that the map is of, or zero.
 */

#include "harness.h"
#include "sanitizers.h"

#include "guarded_map.h"
#include "memory_look.h"
#include "races_client.h"

#include <errno.h>
#include <pthread.h>
#include <shmguard/map.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	READERS = 4,
	/* Accesses before a reader looks for another map. */
	BATCH = 4096,
	FOREIGN = 32,
};

static size_t page;
static _Atomic bool stop;
static _Atomic unsigned long accesses, zero_words, mixed_words, repairs,
	host_faults, handler_changes;

/* Of the host: no client draws it. */
#define FOREIGN_WORD UINT64_C(0x5a5a5a5a5a5a5a5a)

/* ---- Readers ---- */

/* A store by the client is no atomic thing: of each word some bytes may be old,
 * some new, and some those of a page that has just come back. */
static bool
is_accounted_for(uint64_t word, uint64_t drawn)
{
	for (int i = 0; i < 64; i += 8) {
		unsigned char byte = (unsigned char)(word >> i);
		if (byte != 0 && (byte & 0x7f) != (drawn >> i & 0x7f))
			return false;
	}
	return true;
}

static struct slot {
	/* Held by readers for a batch; readers must not starve the display. */
	pthread_rwlock_t lock;
	struct shmguard_map *map;
	uint64_t key;
	unsigned int generation;
} slots[POOL_SLOTS];

static _Thread_local unsigned long my_accesses, my_zeros, my_mixed;

/* Others store to it, and the handler replaces it: to ThreadSanitizer these would
 * be races. */
__attribute__((no_sanitize_thread))
static uint64_t
load(const void *address)
{
	return *(const volatile uint64_t *)address;
}

static bool
check_word(const void *address, uint64_t key, size_t index)
{
	uint64_t word = load(address), drawn = drawn_word(key, index);
	if (word == drawn || word == (drawn ^ REDRAWN_BITS))
		return true;
	if (word == 0) {
		my_zeros++;
		return true;
	}
	my_mixed++;
	if (is_accounted_for(word, drawn))
		return true;
	fprintf(stderr, "# word %zu is %016llx, drawn was %016llx\n", index,
		(unsigned long long)word, (unsigned long long)drawn);
	return false;
}

static bool
read_one_word(struct shmguard_map *map, uint64_t key, unsigned int seed,
	struct shmguard_view *view, size_t *index)
{
	size_t words = shmguard_map_size(map) / sizeof(uint64_t);
	*index = (seed >> 4) % words;
	if (shmguard_map_begin_read(map, *index * sizeof(uint64_t),
			sizeof(uint64_t), view) != 0)
		return false;
	my_accesses++;
	return check_word(view->data, key, *index);
}

/* Everything at once, as a compositor that uploads a texture. */
static bool
read_all(struct shmguard_map *map, uint64_t key)
{
	struct shmguard_view view;
	size_t size = shmguard_map_size(map);
	bool good = true;
	if (shmguard_map_begin_read(map, 0, size, &view) != 0)
		return false;
	my_accesses++;
	for (size_t at = 0; at < size && good; at += page / 2)
		good = check_word((char *)view.data + at, key,
			at / sizeof(uint64_t));
	shmguard_view_end(&view);
	return good;
}

static bool
read_batch(struct slot *slot, unsigned int *seed)
{
	struct shmguard_view view;
	size_t index = 0;
	pthread_rwlock_rdlock(&slot->lock);
	struct shmguard_map *map = slot->map;
	uint64_t key = slot->key;
	bool good = read_all(map, key);
	for (int i = 0; i < BATCH && good; i++) {
		*seed = *seed * 1664525 + 1013904223;
		good = read_one_word(map, key, *seed, &view, &index);
		if (good && i < BATCH - 1)
			shmguard_view_end(&view);
	}
	pthread_rwlock_unlock(&slot->lock);
	if (!good)
		return false;
	/* The map may go; what was begun stays. */
	for (int i = 0; i < 16 && good; i++)
		good = check_word(view.data, key, index);
	shmguard_view_end(&view);
	return good;
}

static void *
reader(void *seed_of_thread)
{
	unsigned int seed = (unsigned int)(uintptr_t)seed_of_thread;
	bool good = true;
	/* Those who change things come first: they are what readers race with. */
	setpriority(PRIO_PROCESS, 0, 5);
	while (!stop && good) {
		my_accesses = my_zeros = my_mixed = 0;
		good = read_batch(&slots[(seed >> 16) % POOL_SLOTS], &seed);
		accesses += my_accesses;
		zero_words += my_zeros;
		mixed_words += my_mixed;
	}
	return good ? NULL : "a reader met what nobody had drawn there";
}

/* ---- The host: memory, faults and handlers of its own ---- */

/* What mmap(2) is called where files can be large. Repairs are the only fixed
 * anonymous mappings that are made. */
void *__real_mmap64(void *addr, size_t length, int prot, int flags, int fd,
	off_t offset);
void *__wrap_mmap64(void *addr, size_t length, int prot, int flags, int fd,
	off_t offset);

void *
__wrap_mmap64(void *addr, size_t length, int prot, int flags, int fd,
	off_t offset)
{
	if ((flags & MAP_FIXED) && (flags & MAP_ANONYMOUS))
		repairs++;
	return __real_mmap64(addr, length, prot, flags, fd, offset);
}

static _Atomic uintptr_t own_page;
static int host_file;

/* Gives the host's page what it lost. Every other fault here is a bug. */
static void
host_handler(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	if (((uintptr_t)info->si_addr & ~(page - 1)) != own_page ||
			ftruncate(host_file, (off_t)page) != 0) {
		static const char text[] = "# a fault of the library's came through\n";
		ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);
		(void)ignored;
		_exit(2);
	}
	host_faults++;
}

static void
later_handler(int signal, siginfo_t *info, void *context)
{
	if (!shmguard_handle_sigbus(info))
		host_handler(signal, info, context);
}

static void
fault_in_own_page(void)
{
	unsigned long before = host_faults;
	ck_assert_int_eq(ftruncate(host_file, 0), 0);
	load((void *)own_page);
	ck_assert_uint_eq(host_faults, before + 1);
}

static void
change_handler(void)
{
	struct sigaction old, action = {
		.sa_sigaction = later_handler,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};
	sigaction(SIGBUS, &action, &old);
	fault_in_own_page();
	sigaction(SIGBUS, &old, NULL);
	fault_in_own_page();
	handler_changes++;
}

static bool
is_untouched(const uint64_t *words, size_t size)
{
	for (size_t i = 0; i < size / sizeof(*words); i += 64)
		if (load(&words[i]) != FOREIGN_WORD)
			return false;
	return true;
}

/* Comes and goes like client memory and takes its addresses, but is the host's:
 * nothing may ever be placed over it. */
static void *
map_foreign_memory(void *unused)
{
	(void)unused;
	struct {
		uint64_t *words;
		size_t size;
	} blocks[FOREIGN] = {{0}};
	const char *problem = NULL;
	for (unsigned int i = 0; !stop && problem == NULL; i++) {
		uint64_t **words = &blocks[i % FOREIGN].words;
		size_t *size = &blocks[i % FOREIGN].size;
		if (*words != NULL && !is_untouched(*words, *size))
			problem = "memory of the host has changed";
		if (*words != NULL)
			munmap(*words, *size);
		*size = pool_pages[i * 5 % (POOL_SLOTS - 1)] * page;
		*words = mmap(NULL, *size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (*words == MAP_FAILED)
			return "mmap failed";
		memset(*words, (int)(FOREIGN_WORD & 0xff), *size);
		if (i % 16 == 0)
			nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
	}
	for (int i = 0; i < FOREIGN; i++)
		if (blocks[i].words != NULL)
			munmap(blocks[i].words, blocks[i].size);
	return (void *)problem;
}

/* ---- The display ---- */

static struct fault_notifier *notifier;
static unsigned long reports, opened, grown, written, forks;

static void
report(void *owner)
{
	(void)owner;
	reports++;
}

static void
replace_map(int connection, unsigned int index)
{
	struct slot *slot = &slots[index];
	struct pool_name name = {index, slot->generation + 1};
	/* For those that do not know which accesses write, too. */
	struct shmguard_policy policy = {.writable = name.generation % 4 == 0};
	int fd = races_client_ask(connection, name);
	struct shmguard_map *map = guarded_map_open(fd,
		(pool_pages[index] / 2 + 1) * page, &policy, NULL, notifier, slot,
		NULL);
	ck_assert_ptr_nonnull(map);
	pthread_rwlock_wrlock(&slot->lock);
	struct shmguard_map *old = slot->map;
	slot->map = map;
	slot->key = pool_key(name);
	slot->generation = name.generation;
	pthread_rwlock_unlock(&slot->lock);
	shmguard_map_close(old);
	opened++;
}

static bool
grow_map(unsigned int index)
{
	struct shmguard_map *map = slots[index].map;
	size_t size = shmguard_map_size(map) + page;
	if (size > pool_pages[index] * page)
		return false;
	if (shmguard_map_resize(map, size) != 0) {
		ck_assert_int_eq(errno, EFAULT);
		return false;
	}
	grown++;
	return true;
}

/* A screenshot: what is stored is what the client might have drawn. */
__attribute__((no_sanitize_thread))
static void
write_to_map(unsigned int index)
{
	struct slot *slot = &slots[index];
	struct shmguard_view view;
	size_t size = shmguard_map_size(slot->map);
	ck_assert_int_eq(shmguard_map_begin_write(slot->map, 0, size, &view), 0);
	volatile uint64_t *words = view.data;
	for (size_t i = 0; i < size / sizeof(*words); i += 256)
		words[i] = drawn_word(slot->key, i) ^ REDRAWN_BITS;
	shmguard_view_end(&view);
	written++;
}

static bool
child_is_guarded(void)
{
	int fd = memfd_create("child", MFD_CLOEXEC);
	struct shmguard_map *map = shmguard_map_open(fd, 4 * page, NULL, NULL);
	struct shmguard_view view;
	if (map == NULL || shmguard_map_begin_read(map, 0, 4 * page, &view) != 0)
		return false;
	bool zero = load((char *)view.data + 3 * page) == 0;
	/* Where the kernel shows the zeros nobody learns. */
	bool told = shmguard_map_tier(map) != SHMGUARD_TIER_NOSIGBUS;
	return shmguard_view_end(&view) == (told ? -1 : 0) && zero;
}

static void
fork_child(void)
{
	int status;
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		struct shmguard_map *inherited = slots[forks % POOL_SLOTS].map;
		shmguard_map_close(inherited);
		_exit(child_is_guarded() ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	forks++;
}

static void
act_as_display(int connection, unsigned int round)
{
	unsigned int index = round % 32 == 0 ? POOL_SLOTS - 1 : round % (POOL_SLOTS - 1);
	if (!grow_map(index))
		replace_map(connection, index);
	if (round % 5 == 0)
		write_to_map(index);
	if (round % 4 == 0)
		guarded_map_dispatch_faults(notifier, report);
	if (round % 32 == 0)
		change_handler();
	if (round % 64 == 0)
		fork_child();
}

/* ---- All together ---- */

static unsigned long
wanted_accesses(void)
{
#ifdef SANITIZED
	return harness_long() ? 20000000 : 200000;
#else
	return harness_long() ? 1000000000 : 2000000;
#endif
}

static void
start_host(void)
{
	struct sigaction action = {
		.sa_sigaction = host_handler,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};
	sigaction(SIGBUS, &action, NULL);
	host_file = harness_memfd(page, 0, 0);
	own_page = (uintptr_t)mmap(NULL, page, PROT_READ, MAP_SHARED, host_file, 0);
	ck_assert(own_page != (uintptr_t)MAP_FAILED);
}

static void
print_counts(double seconds)
{
	fprintf(stderr, "# %lu accesses in %.0f s, %lu faults repaired, %lu zero "
		"and %lu mixed words\n# %lu maps opened, %lu grown, %lu written "
		"to, %lu losses reported, %lu faults of the host, %lu handlers "
		"replaced, %lu forks\n", accesses, seconds, repairs, zero_words,
		mixed_words, opened, grown, written, reports, host_faults,
		handler_changes, forks);
}

static double
now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

TEST(I1_I3_I4_I6_I7_every_byte_is_accounted_for)
{
	pthread_t threads[READERS + 1];
	pthread_rwlockattr_t attr;
	int sockets[2], status;
	page = page_size();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
		sockets), 0);
	pid_t client = fork();
	ck_assert_int_ge(client, 0);
	if (client == 0) {
		close(sockets[0]);
		races_client_run(sockets[1]);
	}
	close(sockets[1]);

	start_host();
	notifier = fault_notifier_create();
	ck_assert_ptr_nonnull(notifier);
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr,
		PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	for (unsigned int i = 0; i < POOL_SLOTS; i++) {
		pthread_rwlock_init(&slots[i].lock, &attr);
		replace_map(sockets[0], i);
	}
	double start = now(), least = harness_long() ? 60 : 3;
	for (uintptr_t i = 0; i < READERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, reader,
			(void *)(i * 77777 + 1)), 0);
	ck_assert_int_eq(pthread_create(&threads[READERS], NULL,
		map_foreign_memory, NULL), 0);

	unsigned long wanted = wanted_accesses();
	for (unsigned int round = 1; !stop && (accesses < wanted || forks == 0 ||
			now() < start + least); round++)
		act_as_display(sockets[0], round);

	stop = true;
	for (int i = 0; i <= READERS; i++) {
		void *problem;
		ck_assert_int_eq(pthread_join(threads[i], &problem), 0);
		ck_assert_msg(problem == NULL, "%s", (const char *)problem);
	}
	close(sockets[0]);
	ck_assert_int_eq(waitpid(client, &status, 0), client);
	ck_assert_int_eq(status, 0);
	for (int i = 0; i < POOL_SLOTS; i++)
		shmguard_map_close(slots[i].map);
	guarded_map_dispatch_faults(notifier, report);
	fault_notifier_unref(notifier);
	munmap((void *)own_page, page);
	close(host_file);
	print_counts(now() - start);

	/* Without them nothing was shown. */
	ck_assert_uint_gt(repairs, 0);
	ck_assert_uint_gt(zero_words, 0);
	ck_assert_uint_gt(reports, 0);
	ck_assert_uint_gt(grown, 0);
	ck_assert_uint_gt(forks, 0);
	ck_assert_uint_eq(host_faults, 2 * handler_changes);
}
