/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_POLICY_FLAGS_H
#define FUZZ_POLICY_FLAGS_H

/* The flags of policy_flags.inc, by their names. */

enum policy_flag_bit {
#define FLAG(name) name##_BIT,
#include "policy_flags.inc"
#undef FLAG
};

enum policy_flag {
#define FLAG(name) name = 1 << name##_BIT,
#include "policy_flags.inc"
#undef FLAG
};

#endif
