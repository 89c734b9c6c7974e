/* SPDX-License-Identifier: MIT */
#include "world.h"

#include "internal.h"

#include "nosigbus_map.h"
#include "page_probe.h"

#include <errno.h>
#include <shmguard/map.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BASE UINT64_C(0x200000000)

enum { PAGES = 64, FILES = 8, FIRST_FILE = 1000 };

enum kind { NOTHING, OF_FILE, ZEROS, SPARE, FOREIGN };

struct page {
	enum kind kind;
	int file;
	unsigned int offset; /* in the file, in pages */
	int prot;
	unsigned int mapping, users;
};

static struct world {
	size_t page_size;
	struct page pages[PAGES];
	struct {
		bool open;
		size_t pages;
	} files[FILES];
	unsigned int file_count, mapping_count;
} *world;

void
world_use_page_size(size_t size)
{
	world->page_size = size;
}

size_t
world_page_size(void)
{
	return world->page_size;
}

uint64_t
world_hash(void)
{
	uint64_t hash = 3;
	for (unsigned int i = 0; i < PAGES; i++) {
		const struct page *page = &world->pages[i];
		if (page->kind != NOTHING)
			hash = mix(hash, (uint64_t)page->kind << 56 |
				(uint64_t)page->prot << 48 |
				(uint64_t)page->mapping << 32 |
				(uint64_t)page->users << 24 |
				(uint64_t)(unsigned int)page->file << 16 |
				page->offset << 8 | i);
	}
	for (unsigned int i = 0; i < world->file_count; i++)
		hash = mix(hash, world->files[i].pages);
	return mix(hash, events_hash());
}

static struct page *
page_at(uintptr_t address)
{
	uintptr_t index = (address - BASE) / world->page_size;
	if (index >= PAGES)
		fail_run("%#lx is no client memory", (unsigned long)address);
	return &world->pages[index];
}

static uintptr_t
address_of(const struct page *page)
{
	return BASE + (uintptr_t)(page - world->pages) * world->page_size;
}

void
kernel_step(void)
{
	give_way();
	if (explorer->current != NULL)
		memory_progress(explorer->current);
}

/* ---- Files ---- */

int
world_file(size_t pages)
{
	if (world->file_count == FILES)
		fail_run("too many files");
	world->files[world->file_count].open = true;
	world->files[world->file_count].pages = pages;
	return FIRST_FILE + (int)world->file_count++;
}

void
world_truncate(int file, size_t pages)
{
	kernel_step();
	world->files[file - FIRST_FILE].pages = pages;
	note("truncate", (uintptr_t)file, pages);
}

static bool
is_lost(const struct page *page)
{
	return page->kind == OF_FILE &&
		page->offset >= world->files[page->file - FIRST_FILE].pages;
}

/* ---- Mappings ---- */

/* Where the lowest hole is: what was unmapped is used again at once. */
static struct page *
find_hole(size_t count)
{
	for (unsigned int i = 0; i + count <= PAGES; i++) {
		size_t free = 0;
		while (free < count && world->pages[i + free].kind == NOTHING)
			free++;
		if (free == count)
			return &world->pages[i];
	}
	fail_run("too many pages");
}

static struct page *
map_pages(size_t count, struct page like)
{
	struct page *first = find_hole(count);
	like.mapping = ++world->mapping_count;
	for (size_t i = 0; i < count; i++) {
		like.offset = (unsigned int)i;
		first[i] = like;
	}
	return first;
}

/* The only fixed mappings are repairs. */
static void
repair_pages(uintptr_t address, size_t count, int prot)
{
	unsigned int mapping = explorer->current != NULL ?
		(unsigned int)explorer->current->fault : 0;
	for (size_t i = 0; i < count; i++) {
		struct page *page = page_at(address + i * world->page_size);
		if (page->kind != OF_FILE && page->kind != ZEROS)
			fail_run("zeros are placed over what is not ours");
		if (mapping != 0 && page->mapping != mapping)
			fail_run("zeros are placed over another mapping");
		page->kind = ZEROS;
		page->prot = prot;
	}
	note("repair", address, count);
}

static void *
world_mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	size_t count = (length + world->page_size - 1) / world->page_size;
	if ((flags & MAP_ANONYMOUS) && (flags & MAP_PRIVATE) &&
			!(flags & MAP_FIXED))
		return heap_zeros(length);
	kernel_step();
	(void)offset;
	if (flags & MAP_FIXED) {
		repair_pages((uintptr_t)address, count, prot);
		return address;
	}
	struct page *page = (flags & MAP_ANONYMOUS) ?
		map_pages(count, (struct page){.kind = SPARE}) :
		map_pages(count, (struct page){
			.kind = OF_FILE, .file = fd, .prot = prot});
	note("map", address_of(page), count);
	return (void *)address_of(page);
}

static int
world_munmap(void *address, size_t length)
{
	size_t count = (length + world->page_size - 1) / world->page_size;
	kernel_step();
	for (size_t i = 0; i < count; i++) {
		struct page *page =
			page_at((uintptr_t)address + i * world->page_size);
		if (page->kind == NOTHING || page->kind == FOREIGN)
			fail_run("what is not ours is unmapped");
		if (page->users > 0)
			fail_run("a mapping goes while it is in use");
		*page = (struct page){0};
	}
	note("unmap", (uintptr_t)address, count);
	return 0;
}

/* Never in place, so that whatever grows moves; a length of 0 duplicates. */
static void *
world_mremap(void *old, size_t old_length, size_t length, int flags, void *fixed)
{
	(void)flags;
	(void)fixed;
	if (old_length != 0) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	kernel_step();
	struct page *from = page_at((uintptr_t)old);
	if (from->kind != OF_FILE) {
		note("no duplicate", (uintptr_t)old, 0);
		errno = EINVAL;
		return MAP_FAILED;
	}
	size_t count = (length + world->page_size - 1) / world->page_size;
	struct page *page = map_pages(count, (struct page){
		.kind = OF_FILE, .file = from->file, .prot = from->prot});
	note("duplicate", address_of(page), count);
	return (void *)address_of(page);
}

static int
world_mprotect(void *address, size_t length, int prot)
{
	kernel_step();
	for (size_t i = 0; i < length / world->page_size; i++)
		page_at((uintptr_t)address + i * world->page_size)->prot = prot;
	note("protect", (uintptr_t)address, (uint64_t)prot);
	return 0;
}

static int
world_madvise(void *address, size_t length, int advice)
{
	(void)address;
	(void)length;
	(void)advice;
	return 0;
}

static const struct map_syscalls world_calls = {
	.mmap = world_mmap,
	.munmap = world_munmap,
	.mremap = world_mremap,
	.mprotect = world_mprotect,
	.madvise = world_madvise,
};

void
world_reset(void)
{
	if (world == NULL)
		world = lasting_memory(sizeof(*world));
	memset(world, 0, sizeof(*world));
	world->page_size = 4096;
	map_syscalls = &world_calls;
	events_reset();
}

void *__wrap_mmap64(void *addr, size_t length, int prot, int flags, int fd,
	off_t offset);
void *
__wrap_mmap64(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	return world_mmap(addr, length, prot, flags, fd, offset);
}

int __wrap_munmap(void *addr, size_t length);
int
__wrap_munmap(void *addr, size_t length)
{
	return world_munmap(addr, length);
}

enum page_backing
page_probe(void *block, size_t block_size)
{
	(void)block_size;
	kernel_step();
	struct page *page = page_at((uintptr_t)block);
	bool lost = page->kind == NOTHING || is_lost(page);
	note("probe", (uintptr_t)block, lost);
	return lost ? PAGE_LOST : PAGE_BACKED;
}

/* ---- Accesses ---- */

static bool
ask_trap(const void *address, const struct page *page)
{
	siginfo_t info = {
		.si_signo = SIGBUS,
		.si_code = BUS_ADRERR,
		.si_addr = (void *)(uintptr_t)address,
	};
	struct thread *thread = explorer->current;
	if (thread != NULL)
		thread->fault = page->mapping;
	bool repaired = shmguard_handle_sigbus(&info);
	if (thread != NULL)
		thread->fault = 0;
	return repaired;
}

static int
touch(const void *address, int prot)
{
	for (int tries = 0; tries < 4; tries++) {
		kernel_step();
		const struct page *page = page_at((uintptr_t)address);
		if (page->kind != OF_FILE && page->kind != ZEROS)
			fail_run("an access to what is not ours");
		if ((page->prot & prot) != prot)
			fail_run("a store to a page that cannot be written");
		int found = page->kind == ZEROS ? CONTENT_ZERO : page->file;
		bool lost = is_lost(page);
		note(prot & PROT_WRITE ? "touch to write" : "touch",
			(uintptr_t)address,
			mix((uint64_t)found, page->mapping * 2 + lost));
		if (!lost)
			return found;
		if (!ask_trap(address, page))
			fail_run("a fault in guarded memory is passed on");
	}
	fail_run("a fault that is not repaired");
}

int
world_load(const void *address)
{
	return touch(address, PROT_READ);
}

int
world_store(void *address)
{
	return touch(address, PROT_READ | PROT_WRITE);
}

static void
count_user(const void *address, unsigned int change)
{
	unsigned int mapping = page_at((uintptr_t)address)->mapping;
	for (unsigned int i = 0; i < PAGES; i++)
		if (world->pages[i].mapping == mapping)
			world->pages[i].users += change;
}

void
world_hold(const void *address)
{
	kernel_step();
	const struct page *page = page_at((uintptr_t)address);
	if (page->kind != OF_FILE && page->kind != ZEROS)
		fail_run("a view of what is not ours");
	note("hold", (uintptr_t)address, page->mapping);
	count_user(address, 1);
}

/* What keeps it is given back next. */
void
world_release(const void *address)
{
	count_user(address, (unsigned int)-1);
	note("release", (uintptr_t)address, 0);
}

/* ---- The host ---- */

void *
world_map_foreign(void)
{
	kernel_step();
	struct page *page = map_pages(1, (struct page){.kind = FOREIGN});
	note("map foreign", address_of(page), 0);
	return (void *)address_of(page);
}

void
world_touch_foreign(void *address)
{
	kernel_step();
	note("touch foreign", (uintptr_t)address, 0);
	if (ask_trap(address, page_at((uintptr_t)address)))
		fail_run("a fault of the host's is repaired");
}

void
world_unmap_foreign(void *address)
{
	kernel_step();
	struct page *page = page_at((uintptr_t)address);
	if (page->kind != FOREIGN)
		fail_run("the host's page is gone");
	*page = (struct page){0};
	note("unmap foreign", (uintptr_t)address, 0);
}

static unsigned int
count_kind(enum kind first, enum kind last)
{
	unsigned int count = 0;
	for (unsigned int i = 0; i < PAGES; i++)
		count += world->pages[i].kind >= first &&
			world->pages[i].kind <= last;
	return count;
}

unsigned int
world_mappings(void)
{
	return count_kind(OF_FILE, ZEROS);
}

unsigned int
world_spares(void)
{
	return count_kind(SPARE, SPARE);
}

static bool
has_no_mappings(struct thread *thread)
{
	(void)thread;
	return world_mappings() == 0;
}

void
world_wait_for_unmapping(void)
{
	give_way_until(has_no_mappings, NULL);
	memory_progress(explorer->current);
	note("all unmapped", 0, 0);
}

/* ---- Other calls ---- */

int __wrap_close(int fd);
int
__wrap_close(int fd)
{
	if (fd >= FIRST_FILE && fd < FIRST_FILE + FILES) {
		if (!world->files[fd - FIRST_FILE].open)
			fail_run("a descriptor is closed twice");
		world->files[fd - FIRST_FILE].open = false;
	}
	note("close", (uintptr_t)fd, 0);
	return 0;
}

long __wrap_sysconf(int name);
long
__wrap_sysconf(int name)
{
	return name == _SC_PAGESIZE ? (long)world->page_size : -1;
}

int __wrap_sigaction(int signal, const struct sigaction *action,
	struct sigaction *old);
int
__wrap_sigaction(int signal, const struct sigaction *action,
	struct sigaction *old)
{
	static struct sigaction current;
	(void)signal;
	if (old != NULL)
		*old = current;
	if (action != NULL)
		current = *action;
	return 0;
}
