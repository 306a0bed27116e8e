#include "CTestMemory.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stddef.h>

static sqlite3_mem_methods real;
static atomic_long calls;
static atomic_long failFrom;
static atomic_long failBelow;
static atomic_long failed;

static bool fails(void) {
  long number = atomic_fetch_add(&calls, 1) + 1;
  if (number < atomic_load(&failFrom) || number >= atomic_load(&failBelow)) return false;
  atomic_fetch_add(&failed, 1);
  return true;
}

static void *allocate(int size) { return fails() ? NULL : real.xMalloc(size); }

static void *reallocate(void *memory, int size) { return fails() ? NULL : real.xRealloc(memory, size); }

bool ctestmemory_install(void) {
  if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real) != SQLITE_OK) return false;
  static sqlite3_mem_methods methods;
  methods = real;
  methods.xMalloc = allocate;
  methods.xRealloc = reallocate;
  return sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK;
}

void ctestmemory_fail(long nth, long times) {
  atomic_store(&failBelow, 0);
  atomic_store(&failed, 0);
  atomic_store(&calls, 0);
  atomic_store(&failFrom, nth);
  atomic_store(&failBelow, nth == 0 ? 0 : nth + times);
}

long ctestmemory_failures(void) { return atomic_load(&failed); }
