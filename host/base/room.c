#include "host/base/room.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define GIB ((double)(1 << 30))

/* Read before an estimate is believed, and how far it must be over what is allowed. */
#define EARLY_BYTES ((double)(1 << 24))
#define EARLY_FACTOR 4

enum { PATH_BYTES = 4096, LINE_BYTES = 512 };

/* ---- what is free ------------------------------------------------------------------------------------------------ */

static FILE *open_under(const char *root, const char *folder, const char *name) {
  char path[PATH_BYTES];
  const int n = snprintf(path, sizeof path, "%s%s/%s", root, folder, name);
  return n > 0 && n < PATH_BYTES ? fopen(path, "re") : NULL;
}

/* The number after `key` at the start of a line; SIZE_MAX: there is none. */
static size_t find_number(FILE *stream, const char *key, size_t unit) {
  char line[LINE_BYTES];
  unsigned long long number = 0;
  size_t found = SIZE_MAX;
  while (stream != NULL && found == SIZE_MAX && fgets(line, sizeof line, stream) != NULL) {
    if (strncmp(line, key, strlen(key)) != 0 || sscanf(line + strlen(key), "%llu", &number) != 1) continue;
    found = number < SIZE_MAX / unit ? (size_t)number * unit : SIZE_MAX;
  }
  if (stream != NULL) (void)fclose(stream);
  return found;
}

/* What the limit of one control group leaves; pages of files that it can drop are free. */
static size_t left_in_group(const char *root, const char *folder, bool is_second) {
  const size_t most = find_number(open_under(root, folder, is_second ? "memory.max" : "memory.limit_in_bytes"), "", 1);
  const size_t used =
      find_number(open_under(root, folder, is_second ? "memory.current" : "memory.usage_in_bytes"), "", 1);
  if (most == SIZE_MAX || used == SIZE_MAX) return SIZE_MAX;
  const size_t files =
      find_number(open_under(root, folder, "memory.stat"), is_second ? "inactive_file " : "total_inactive_file ", 1);
  const size_t held = files < used ? used - files : used;
  return most > held ? most - held : 0;
}

/* The least that the group at path and those above it leave. A container may not see its own path, but the root. */
static size_t left_in_groups(const char *root, const char *mount, char *path, bool is_second) {
  size_t least = SIZE_MAX;
  for (;;) {
    char folder[PATH_BYTES];
    const int n = snprintf(folder, sizeof folder, "%s%s", mount, path);
    const size_t left = n > 0 && n < PATH_BYTES ? left_in_group(root, folder, is_second) : SIZE_MAX;
    if (left < least) least = left;
    char *slash = strrchr(path, '/');
    if (slash == NULL) return least;
    *slash = '\0';
  }
}

static size_t left_by_groups(const char *root) {
  char line[PATH_BYTES];
  size_t least = SIZE_MAX;
  FILE *stream = open_under(root, "/proc/self", "cgroup");
  while (stream != NULL && fgets(line, sizeof line, stream) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':'), *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (path == NULL) continue;
    *path++ = '\0';

    const bool is_second = controllers[1] == '\0', is_memory = strcmp(controllers + 1, "memory") == 0;
    if (!is_second && !is_memory) continue;
    const size_t left = left_in_groups(root, is_second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory", path, is_second);
    if (left < least) least = left;
  }
  if (stream != NULL) (void)fclose(stream);
  return least;
}

/* What a limit of the address space leaves (ulimit -v). */
static size_t left_of_addresses(const char *root) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
  const size_t used = find_number(open_under(root, "/proc/self", "statm"), "", (size_t)sysconf(_SC_PAGESIZE));
  if (used == SIZE_MAX) return SIZE_MAX;
  return limit.rlim_cur > used ? (size_t)limit.rlim_cur - used : 0;
}

size_t vise_i_free_memory(const char *root) {
  size_t least = find_number(open_under(root, "/proc", "meminfo"), "MemAvailable:", 1024);
  const size_t groups = left_by_groups(root), addresses = left_of_addresses(root);
  if (groups < least) least = groups;
  return addresses < least ? addresses : least;
}

/* ---- what may be taken ------------------------------------------------------------------------------------------- */

vise_i_room vise_i_room_of(const char *name, size_t most) {
  if (most != 0) return (vise_i_room){.name = name, .most = most};
  const size_t free_bytes = vise_i_free_memory("");
  return (vise_i_room){.name = name, .most = free_bytes == SIZE_MAX ? SIZE_MAX : free_bytes / 2, .by_default = true};
}

/* "1.5 GiB", or in smaller units. */
static const char *size_text(char buffer[32], double n_bytes) {
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB"};
  size_t unit = 0;
  for (; n_bytes >= 1024 && unit < 3; unit++) n_bytes /= 1024;
  (void)snprintf(buffer, 32, unit == 0 || n_bytes >= 99.95 ? "%.0f %s" : "%.3g %s", n_bytes, units[unit]);
  return buffer;
}

vise_status vise_i_room_check(const vise_i_room *room, double n_bytes, vise_i_need how, const char *what,
                              vise_error *err) {
  static const char *const words[] = {"", "about ", "at least "};
  char needed[32], allowed[32], enough[48] = "";
  if (n_bytes <= (double)room->most) return VISE_OK;

  const double gib = ceil(1.05 * n_bytes / GIB);
  if (how != VISE_I_NEEDS_AT_LEAST) (void)snprintf(enough, sizeof enough, " %.0fG", gib);
  return vise_i_fail(
      err, VISE_ERR_MEMORY, "%s: %s would take %s%s of memory, over the %s allowed%s; `max_bytes`%s allows %s",
      room->name, what, words[how], size_text(needed, n_bytes), size_text(allowed, (double)room->most),
      room->by_default ? " (half of what is free)" : "", enough, how == VISE_I_NEEDS_AT_LEAST ? "more" : "it");
}

vise_status vise_i_room_check_part(const vise_i_room *room, double n_bytes, double done, vise_error *err) {
  const double whole = done > 0 ? n_bytes / done : n_bytes, most = (double)room->most;
  const bool is_over = n_bytes > most, will_be = n_bytes >= EARLY_BYTES && whole > EARLY_FACTOR * most;
  if (!is_over && !will_be) return VISE_OK;
  return vise_i_room_check(room, whole, done > 0 ? VISE_I_NEEDS_ABOUT : VISE_I_NEEDS_AT_LEAST, "its rows", err);
}
