/* SPDX-License-Identifier: MIT */
#include "lines.h"

#include <stdlib.h>
#include <string.h>

size_t
lines_split(const uint8_t *data, size_t size, char **lines, size_t max)
{
	size_t count = 0, start = 0;
	for (size_t i = 0; i <= size && count < max; i++) {
		if (i < size && data[i] != '\n' && data[i] != '\0')
			continue;
		char *line = malloc(i - start + 1);
		memcpy(line, data + start, i - start);
		line[i - start] = '\0';
		lines[count++] = line;
		start = i + 1;
	}
	lines[count] = NULL;
	return count;
}

void
lines_free(char **lines, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(lines[i]);
}
