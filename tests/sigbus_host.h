/* SPDX-License-Identifier: MIT */
#ifndef SIGBUS_HOST_H
#define SIGBUS_HOST_H

/* A program that had a SIGBUS action before the trap came, or gets one later. */

#include <signal.h>
#include <stdbool.h>

/* What its handlers saw. */
extern volatile sig_atomic_t host_calls;
extern siginfo_t host_info;
extern sigset_t host_mask;

/* Puts a page of zeros, but for a first byte of 5, where the fault was. */
void host_repair(int signal, siginfo_t *info, void *context);
struct sigaction host_repair_action(int flags);

/* Changes errno. */
void host_count(int signal);
struct sigaction host_action(void (*handler)(int), int flags);

/* The host comes first, then the trap. */
void host_install_then_trap(struct sigaction action);

/* Whether the handler in place, of either style, is this one. */
bool host_handler_is(const void *handler);

/* A page of the host's own that faults. */
volatile char *host_faulty_page(void);

/* What the kernel sends for a memory error that is not in client memory. */
void host_send_memory_error(int code);

/* Loses client memory; fails unless the trap repairs it. */
void host_check_protection(void);

#endif
