#pragma once

#include <malloc.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

// Swift's own module of glibc leaves out what the headers declare for _GNU_SOURCE alone.

// Closes every descriptor from the given one on; in glibc since 2.34.
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

// What `top -H` and `perf` call a thread; 15 bytes at most.
extern int pthread_setname_np(pthread_t thread, const char *name);

#include <sys/syscall.h>
#include <unistd.h>

// socket(2). The upper half of a register that holds an int is undefined, and an optimizing compiler leaves there what it
// likes; but filters of system calls, such as systemd's RestrictAddressFamilies=, look at the whole of it and refuse.
static inline int socket_by_whole_registers(long family, long type, long protocol) {
  return (int)syscall(SYS_socket, family, type, protocol);
}
