/* Makes system calls fail on files under one name, while a file asks for it. Loaded with LD_PRELOAD.
   TICKWAL_FAULTS_ON: the files' path begins so.  TICKWAL_FAULTS: a folder; a file in it asks for a fault:
   full: what would make a file longer finds no room.  quota: it is refused by a quota.  broken: what should reach the disk does not.
   no-descriptor: the next connection finds none left, once: the file is removed then. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int asked(const char *fault, int descriptor) {
  const char *folder = getenv("TICKWAL_FAULTS"), *on = getenv("TICKWAL_FAULTS_ON");
  if (!folder || !on) return 0;
  char name[PATH_MAX], link[64], path[PATH_MAX];
  snprintf(name, sizeof name, "%s/%s", folder, fault);
  if (access(name, F_OK) != 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path - 1);
  return length >= (ssize_t)strlen(on) && strncmp(path, on, strlen(on)) == 0;
}

static int lacks_room(int descriptor, off_t end) {
  int before = errno;
  struct stat info;
  int code = asked("full", descriptor) ? ENOSPC : asked("quota", descriptor) ? EDQUOT : 0;
  int lacks = code && fstat(descriptor, &info) == 0 && end > info.st_size;
  errno = lacks ? code : before;
  return lacks;
}

static int is_broken(int descriptor) {
  int before = errno;
  int broken = asked("broken", descriptor);
  errno = broken ? EIO : before;
  return broken;
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t at) {
  static ssize_t (*real)(int, const void *, size_t, off_t);
  if (!real) real = (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
  return lacks_room(descriptor, at + (off_t)count) ? -1 : real(descriptor, bytes, count, at);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off_t at) {
  return pwrite(descriptor, bytes, count, at);
}

int fsync(int descriptor) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  return is_broken(descriptor) ? -1 : real(descriptor);
}

int fdatasync(int descriptor) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  return is_broken(descriptor) ? -1 : real(descriptor);
}

int accept(int descriptor, struct sockaddr *restrict address, socklen_t *restrict length) {
  static int (*real)(int, struct sockaddr *, socklen_t *);
  if (!real) real = (int (*)(int, struct sockaddr *, socklen_t *))dlsym(RTLD_NEXT, "accept");
  const char *folder = getenv("TICKWAL_FAULTS");
  char name[PATH_MAX];
  if (folder) {
    snprintf(name, sizeof name, "%s/no-descriptor", folder);
    if (unlink(name) == 0) {
      errno = EMFILE;
      return -1;
    }
  }
  return real(descriptor, address, length);
}
