/* SPDX-License-Identifier: MIT */
#include "judgement.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

const char *
verdict_word(enum verdict verdict)
{
	static const char *const words[VERDICTS] = {
		[VERDICT_OK] = "OK",
		[VERDICT_SKIP] = "SKIP",
		[VERDICT_UNPROVEN] = "UNPROVEN",
		[VERDICT_STALL] = "STALL",
		[VERDICT_LEAK] = "LEAK",
		[VERDICT_WRONG] = "WRONG",
		[VERDICT_STARVED] = "STARVED",
		[VERDICT_HANG] = "HANG",
		[VERDICT_CRASH] = "CRASH",
		[VERDICT_ERROR] = "ERROR",
	};
	return words[verdict];
}

/* What there would be after twice as much of what ordinary clients did. */
static long
usual(long before, long after, long rest)
{
	return rest > after ? before + 2 * (rest - after) : before;
}

bool
holdings_of_attacks(const struct holdings *before, const struct holdings *after,
	const struct holdings *rest, long attacks)
{
	const struct holdings expected = {
		.descriptors = usual(before->descriptors, after->descriptors,
			rest->descriptors),
		.mappings = usual(before->mappings, after->mappings,
			rest->mappings),
		.private_kib = usual(before->private_kib, after->private_kib,
			rest->private_kib),
	};
	return holdings_have_grown(&expected, after, attacks);
}

static void
say_crash(const struct evidence *evidence, char *word, size_t word_size,
	char *text, size_t text_size)
{
	int status = evidence->status;
	int number = WIFSIGNALED(status) ? WTERMSIG(status) :
		/* A shell's word for a signal. */
		WIFEXITED(status) && WEXITSTATUS(status) > 128 ?
		WEXITSTATUS(status) - 128 : 0;
	const char *name = number > 0 ? sigabbrev_np(number) : NULL;
	if (!evidence->killed) {
		snprintf(text, text_size, "the compositor is gone");
	} else if (name != NULL) {
		snprintf(word, word_size, "CRASH(SIG%s)", name);
		snprintf(text, text_size, "the compositor died of SIG%s", name);
	} else {
		snprintf(text, text_size, "the compositor exited with status %d",
			WEXITSTATUS(status));
	}
}

/* Which one of several did it. */
static void
say_shape(const struct evidence *evidence, char *text, size_t size)
{
	size_t length = strlen(text);
	if (evidence->reported && evidence->report.shape[0] != '\0')
		snprintf(text + length, size - length, " (%s)",
			evidence->report.shape);
}

static void
say_leak(const struct evidence *evidence, char *text, size_t size)
{
	const struct holdings *from = &evidence->rest, *to = &evidence->again;
	snprintf(text, size, "%d attacks later: %+ld descriptors, %+ld mappings, "
		"%+ld KiB", LEAK_ROUNDS, to->descriptors - from->descriptors,
		to->mappings - from->mappings, to->private_kib - from->private_kib);
}

/* What others saw; VERDICT_OK if nothing. */
static enum verdict
judge_service(const struct evidence *evidence, char *text, size_t size)
{
	enum outcome outcome = evidence->report.outcome;
	if (!evidence->reported)
		outcome = OUTCOME_SKIPPED;

	if (evidence->refused > 0 && evidence->served) {
		snprintf(text, size, "%u of %u newcomers turned away: %s",
			evidence->refused, evidence->newcomers,
			evidence->newcomer_problem);
		return VERDICT_STARVED;
	}
	/* As the attacker's own bystander found. */
	if (outcome == OUTCOME_DIED || outcome == OUTCOME_STARVED) {
		snprintf(text, size, "%s", outcome == OUTCOME_DIED ?
			"nobody could connect" : evidence->report.text);
		return VERDICT_STARVED;
	}
	if (outcome == OUTCOME_HUNG || evidence->canary_stalled) {
		snprintf(text, size, "nobody is answered");
		return VERDICT_HANG;
	}
	if (evidence->canary_lost) {
		snprintf(text, size, "an innocent client was hurt: %s",
			evidence->canary_problem);
		return VERDICT_WRONG;
	}
	if (!evidence->served && evidence->refused > 0) {
		snprintf(text, size, "newcomers are turned away for good: %s",
			evidence->newcomer_problem);
		return VERDICT_STARVED;
	}
	if (!evidence->served) {
		snprintf(text, size, "clients are answered no more, or no more "
			"presented");
		return VERDICT_HANG;
	}
	return VERDICT_OK;
}

/* What the attacker saw. */
static enum verdict
judge_report(const struct attack_report *report, char *text, size_t size)
{
	const char *said = report->text;
	switch (report->outcome) {
	case OUTCOME_SKIPPED:
		snprintf(text, size, "%s", said);
		return VERDICT_SKIP;
	case OUTCOME_UNREAD:
		snprintf(text, size, "the memory was never read%s%s",
			said[0] != '\0' ? ": " : "", said);
		return VERDICT_UNPROVEN;
	case OUTCOME_SERVED:
		snprintf(text, size, "%s%s", report->accepted ? "" :
			"the guilty client was never told: ",
			said[0] != '\0' ? said : "served");
		break;
	default:
		snprintf(text, size, "%s%s%s", outcome_word(report->outcome),
			said[0] != '\0' ? ": " : "", said);
		break;
	}
	return report->accepted ? VERDICT_OK : VERDICT_WRONG;
}

enum verdict
judge(const struct evidence *evidence, char *word, size_t word_size,
	char *text, size_t text_size)
{
	enum verdict verdict;
	char stall[96] = "";
	int stalled = evidence->wait - evidence->calm_wait - evidence->late;
	if (evidence->gone) {
		snprintf(word, word_size, "%s", verdict_word(VERDICT_CRASH));
		say_crash(evidence, word, word_size, text, text_size);
		say_shape(evidence, text, text_size);
		return VERDICT_CRASH;
	}

	verdict = judge_service(evidence, text, text_size);
	if (verdict == VERDICT_HANG)
		say_shape(evidence, text, text_size);
	if (verdict == VERDICT_OK && !evidence->reported) {
		snprintf(text, text_size, "%s", evidence->problem);
		verdict = VERDICT_ERROR;
	} else if (verdict == VERDICT_OK) {
		verdict = judge_report(&evidence->report, text, text_size);
	}
	if (verdict < VERDICT_LEAK && evidence->repeated &&
			holdings_of_attacks(&evidence->rest, &evidence->again,
				&evidence->rest_again, LEAK_ROUNDS)) {
		say_leak(evidence, text, text_size);
		verdict = VERDICT_LEAK;
	} else if (verdict < VERDICT_STALL && stalled >= STALL_MIN) {
		snprintf(text, text_size, "the canary waited %d ms for %s, "
			"%d ms without an attack", evidence->wait,
			evidence->by_frames ? "a frame" : "an answer",
			evidence->calm_wait);
		snprintf(stall, sizeof(stall), "(%d ms)", stalled);
		verdict = VERDICT_STALL;
	}
	snprintf(word, word_size, "%s%s", verdict_word(verdict), stall);
	return verdict;
}
