/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_MAPPING_FIXTURE_H
#define CLIENT_MAPPING_FIXTURE_H

/* What tests of client mappings need all the time. */

#include "harness.h"
#include "nosigbus_map.h"

#include <stddef.h>

/* Bytes in a page. */
extern size_t page;

/* For reading a file of ordinary pages. */
struct map_request request(size_t length);

/* Fails the test on errors. */
struct client_mapping must_open(int fd, struct map_request wanted);

int byte_at(const struct client_mapping *mapping, size_t offset);

#endif
