// What the baselines share: lines of a file in memory, time, and the line that they print.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef struct {
  char *start;
  size_t length;
} Line;

static void fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

/// The lines of a file, without their ends.
static Line *read_lines(const char *path, size_t *count) {
  FILE *file = fopen(path, "rb");
  if (!file) fail(path, "cannot be opened");
  fseek(file, 0, SEEK_END);
  size_t size = (size_t)ftell(file);
  rewind(file);
  char *text = malloc(size + 1);
  if (!text || fread(text, 1, size, file) != size) fail(path, "cannot be read");
  fclose(file);
  text[size] = 0;
  size_t lines = 0, next = 0;
  for (size_t place = 0; place < size; place++) lines += text[place] == '\n';
  Line *all = calloc(lines + 1, sizeof(Line));
  if (!all) fail(path, "is too long");
  for (char *start = text; next < lines; next++) {
    char *end = strchr(start, '\n');
    *end = 0;
    all[next] = (Line){start, (size_t)(end - start)};
    start = end + 1;
  }
  *count = lines;
  return all;
}

static double seconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double began, began_cpu;

static void start_watch(void) {
  began_cpu = cpu_seconds();
  began = seconds(CLOCK_MONOTONIC);
}

/// Sleeps until so many would be done at that rate; not at all without one.
static inline void keep_pace(size_t count, double rate) {
  if (rate <= 0) return;
  double left = began + (double)count / rate - seconds(CLOCK_MONOTONIC);
  if (left <= 0) return;
  struct timespec pause = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};
  nanosleep(&pause, NULL);
}

/// Prints: so many a second, CPU microseconds for each.
static void print_watch(size_t count) {
  double took = seconds(CLOCK_MONOTONIC) - began;
  printf("%.0f %.3f\n", (double)count / took, (cpu_seconds() - began_cpu) / (double)count * 1e6);
}
