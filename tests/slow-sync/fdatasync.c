/* A disk whose fdatasync takes SLOW_SYNC_US microseconds longer: preloaded into PostgreSQL by a test image. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

int fdatasync(int file) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  int result = real(file);
  const char *more = getenv("SLOW_SYNC_US");
  usleep(more ? (useconds_t)atoi(more) : 0);
  return result;
}
