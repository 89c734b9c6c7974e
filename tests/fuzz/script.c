/* SPDX-License-Identifier: MIT */
#include "script.h"

#define ANY_NUMBER 0xff

static const int32_t numbers[] = {
#define NUMBER(n) (int32_t)(n),
#include "numbers.inc"
#undef NUMBER
};

uint8_t
script_take_byte(struct script *script)
{
	if (script->size == 0)
		return 0;
	script->size--;
	return *script->data++;
}

int32_t
script_take_number(struct script *script)
{
	uint8_t which = script_take_byte(script);
	if (which != ANY_NUMBER)
		return numbers[which % (sizeof(numbers) / sizeof(*numbers))];
	uint32_t number = 0;
	for (int i = 0; i < 4; i++)
		number |= (uint32_t)script_take_byte(script) << 8 * i;
	return (int32_t)number;
}

void
script_run(struct script *script, const struct script_op *ops, size_t count,
	void *world)
{
	for (int i = 0; i < SCRIPT_OPS_MAX && script->size > 0; i++) {
		const struct script_op *op =
			&ops[script_take_byte(script) % count];
		int32_t args[SCRIPT_ARGS_MAX];
		for (size_t j = 0; op->args[j] != '\0'; j++)
			args[j] = op->args[j] == 'b' ? script_take_byte(script) :
				script_take_number(script);
		op->run(world, args);
	}
}
