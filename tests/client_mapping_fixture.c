/* SPDX-License-Identifier: MIT */
#include "client_mapping_fixture.h"

#include "memory_look.h"

#include <string.h>

size_t page;

__attribute__((constructor))
static void
find_page_size(void)
{
	page = page_size();
}

struct map_request
request(size_t length)
{
	return (struct map_request){.length = length, .block_size = page};
}

struct client_mapping
must_open(int fd, struct map_request wanted)
{
	struct client_mapping mapping;
	if (client_mapping_open(&mapping, fd, &wanted) != 0)
		ck_abort_msg("client_mapping_open: %s", strerror(errno));
	return mapping;
}

int
byte_at(const struct client_mapping *mapping, size_t offset)
{
	return ((const volatile unsigned char *)mapping->addr)[offset];
}
