/* SPDX-License-Identifier: MIT */
#include "report.h"

#include "attack_run.h"

#include <errno.h>
#include <jansson.h>
#include <sys/utsname.h>
#include <sys/wait.h>

/* Clients and compositors may say anything; JSON holds UTF-8 only. */
static json_t *
text_value(const char *text)
{
	json_t *value = json_string(text);
	return value != NULL ? value : json_string("(not UTF-8)");
}

static json_t *
holdings_value(const struct holdings *holdings, bool known)
{
	return known ? json_pack("{sIsIsI}",
		"descriptors", (json_int_t)holdings->descriptors,
		"mappings", (json_int_t)holdings->mappings,
		"private_kib", (json_int_t)holdings->private_kib) : json_null();
}

static json_t *
signal_value(const struct evidence *evidence)
{
	bool known = evidence->gone && evidence->killed &&
		WIFSIGNALED(evidence->status);
	return known ? json_integer(WTERMSIG(evidence->status)) : json_null();
}

static json_t *
result_value(const struct result *result)
{
	const struct evidence *seen = &result->evidence;
	return json_pack("{ss ss si ss so so sf so si si ss si si sI so so so so so}",
		"attack", attack_at(result->attack)->name,
		"state", state_word(result->state),
		"repeat", (int)result->repeat,
		"verdict", verdict_word(result->verdict),
		"word", text_value(result->word),
		"text", text_value(result->text),
		"seconds", result->seconds,
		"client", seen->reported ?
			json_string(outcome_word(seen->report.outcome)) : json_null(),
		"canary_wait_ms", seen->wait,
		"canary_calm_wait_ms", seen->calm_wait,
		"canary_waits_for", seen->by_frames ? "frames" : "answers",
		"newcomers", (int)seen->newcomers,
		"newcomers_refused", (int)seen->refused,
		"minor_faults", (json_int_t)seen->minor_faults,
		"before", holdings_value(&seen->before, seen->counted),
		"after", holdings_value(&seen->after, seen->counted),
		"signal", signal_value(seen),
		"log", text_value(result->log),
		"backtrace", text_value(result->backtrace));
}

static json_t *
attacks_value(const struct siege *siege)
{
	json_t *attacks = json_array();
	for (unsigned int i = 0; i < siege->options->n_attacks; i++) {
		const struct attack *attack =
			attack_at(siege->options->attacks[i]);
		json_array_append_new(attacks, json_pack("{ssssssss}",
			"name", attack->name, "does", attack->about,
			"expected", attack->expected, "rule", attack->rule));
	}
	return attacks;
}

static json_t *
siege_value(const struct siege *siege)
{
	const struct options *options = siege->options;
	char date[32];
	struct utsname system;
	strftime(date, sizeof(date), "%FT%TZ", gmtime(&siege->started));
	uname(&system);

	json_t *counts = json_object(), *results = json_array();
	for (int i = 0; i < VERDICTS; i++)
		json_object_set_new(counts, verdict_word((enum verdict)i),
			json_integer((json_int_t)siege_count(siege,
				(enum verdict)i)));
	for (size_t i = 0; i < siege->n_results; i++)
		json_array_append_new(results,
			result_value(&siege->results[i]));
	return json_pack("{ss ss so so ss ss ss sf si sb sb so so so}",
		"program", "shmguard-siege", "version", VERSION,
		"compositor", options->target.command != NULL ?
			text_value(options->target.command) : json_null(),
		"display", options->target.display != NULL ?
			text_value(options->target.display) : json_null(),
		"date", date, "kernel", system.release,
		"machine", system.machine, "seconds", siege->seconds,
		"seed", (int)options->seed,
		"ok", !siege_has_failed(siege),
		"interrupted", siege->interrupted, "counts", counts,
		"attacks", attacks_value(siege), "results", results);
}

bool
json_write(const struct siege *siege, const char *path)
{
	json_t *value = siege_value(siege);
	if (value == NULL) {
		errno = ENOMEM;
		return false;
	}
	int failed = json_dump_file(value, path, JSON_INDENT(1));
	json_decref(value);
	return failed == 0;
}
