/* SPDX-License-Identifier: MIT */
#include "feedback_fixture.h"

#include "harness.h"

void
feedback_fixture_init(struct feedback_fixture *fixture,
	const struct shmguard_policy *policy, int fd, int32_t size)
{
	struct shmguard_policy with_feedback = {0};
	if (policy != NULL)
		with_feedback = *policy;
	with_feedback.feedback = true;

	ck_assert_int_ge(fd, 0);
	guard_fixture_init(&fixture->guarded, &with_feedback);
	fixture->client = &fixture->guarded.client;
	feedback_client_init(&fixture->feedback, fixture->client);
	fixture->pool = wl_shm_create_pool(fixture->client->shm, fd, size);
	fixture->watch = feedback_client_watch(&fixture->feedback, fixture->pool,
		&fixture->protection);
	if (!shm_client_roundtrip(fixture->client))
		ck_abort_msg("no feedback: %s", shm_client_message());
	ck_assert_uint_eq(fixture->protection.done, 1);
	ck_assert(fixture->protection.complete);
}

void
feedback_fixture_finish(struct feedback_fixture *fixture)
{
	if (fixture->watch != NULL)
		shmguard_pool_feedback_v1_destroy(fixture->watch);
	if (fixture->pool != NULL)
		wl_shm_pool_destroy(fixture->pool);
	feedback_client_finish(&fixture->feedback);
	guard_fixture_finish(&fixture->guarded);
}

void
expect_protection(const struct pool_protection *protection,
	enum shmguard_tier tier, enum shmguard_reason reason)
{
	ck_assert_str_eq(protection->text, shmguard_reason_text(reason));
	ck_assert_uint_eq(protection->tier, tier);
	ck_assert_uint_eq(protection->reason, reason);
	ck_assert_uint_eq(protection->improvements,
		shmguard_reason_improvements(reason));
	const char *advice = shmguard_reason_advice(reason);
	ck_assert_str_eq(protection->advice, advice != NULL ? advice : "");
}
