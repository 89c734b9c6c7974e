/* SPDX-License-Identifier: MIT */

/*
 * The part of fuzz_options.c that is about shmguard-siege: the names of both sources
 * would clash.
 */

#include "fuzz.h"

void besiege(int argc, char **argv);

#define VERSION "0"
#include "program_end.h"
#include "../../siege/options.c"

const struct attack *
attack_at(size_t index)
{
	static const struct attack attacks[] = {
		{.name = "truncate", .about = "", .expected = "", .rule = ""},
		{.name = "fuse-silent", .about = "", .expected = "", .rule = ""},
		{.name = "resize-1", .about = "", .expected = "", .rule = ""},
	};
	return index < sizeof(attacks) / sizeof(*attacks) ? &attacks[index] :
		NULL;
}

static void
check_parsed(const struct options *parsed)
{
	const struct target *target = &parsed->target;
	FUZZ_CHECK((target->command == NULL) != (target->display == NULL) &&
		target->patience >= 1000 && target->patience <= 3600000 &&
		target->pid >= 0, "nothing that could be besieged");
	FUZZ_CHECK(parsed->n_attacks >= 1 && parsed->n_attacks <= 3 &&
		parsed->repeat >= 1 && parsed->repeat <= 10000 &&
		parsed->jobs >= 1 && parsed->jobs <= JOBS_MAX,
		"%u attacks, %u times, %u jobs", parsed->n_attacks,
		parsed->repeat, parsed->jobs);
	for (unsigned int i = 0; i < parsed->n_attacks; i++)
		FUZZ_CHECK(attack_at(parsed->attacks[i]) != NULL, "attack %u",
			parsed->attacks[i]);
}

void
besiege(int argc, char **argv)
{
	struct options parsed;
	PROGRAM_RUN(options_parse(&parsed, argc, argv));
	FUZZ_CHECK(program_status == -1 || program_status == 0 ||
		program_status == EXIT_NOT_MADE, "status %d", program_status);
	if (program_status == -1) {
		check_parsed(&parsed);
		options_free(&parsed);
	}
}
