/* SPDX-License-Identifier: MIT */
#include "fake_ffi.h"

int
fake_ffi_call(int (*function)(int), int argument)
{
	/* Not the last thing: it is to be seen as the caller. */
	volatile int result = function(argument);
	return result;
}
