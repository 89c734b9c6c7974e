/* SPDX-License-Identifier: MIT */
#ifndef FAKE_FFI_H
#define FAKE_FFI_H

/* A library whose name is like libffi's, and that calls functions for others. */
int fake_ffi_call(int (*function)(int), int argument);

#endif
