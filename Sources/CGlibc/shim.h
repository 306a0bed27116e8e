#pragma once

#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

// Swift's own module of glibc leaves out what the headers declare for _GNU_SOURCE alone.

// Closes every descriptor from the given one on; in glibc since 2.34.
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
