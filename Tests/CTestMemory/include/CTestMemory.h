#pragma once

#include <stdbool.h>

// Makes SQLite's allocations fail. For the whole process, and only before SQLite is used the first time.

/// Puts itself between SQLite and its memory; whether that worked.
bool ctestmemory_install(void);

/// Lets the `nth` allocation from now on fail, and `times` of them; 1 is the next, 0 means none.
void ctestmemory_fail(long nth, long times);

/// How many have failed since.
long ctestmemory_failures(void);
