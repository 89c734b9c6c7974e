/* SPDX-License-Identifier: MIT */
#ifndef SANITIZERS_H
#define SANITIZERS_H

/* What this is compiled with: HAVE_ASAN, HAVE_TSAN, and SANITIZED if any of them. */

#ifdef __has_feature
#define SANITIZERS_FEATURE(name) __has_feature(name)
#else
#define SANITIZERS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || SANITIZERS_FEATURE(address_sanitizer)
#define HAVE_ASAN
#endif
#if defined(__SANITIZE_THREAD__) || SANITIZERS_FEATURE(thread_sanitizer)
#define HAVE_TSAN
#endif
#if defined(HAVE_ASAN) || defined(HAVE_TSAN) || \
	SANITIZERS_FEATURE(memory_sanitizer)
#define SANITIZED
#endif

#endif
