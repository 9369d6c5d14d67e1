/* How much memory is free, by made-up machines, and what is refused before it is taken. */
#include "host/base/room.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/support/unit.h"

TestSuite(room, .init = rig_make_folder, .fini = rig_remove_folder);

/* A file of the made-up machine, with its folders. */
static void put(const char *path, const char *text) {
  char whole[512];
  snprintf(whole, sizeof whole, "%s%s", rig_in("."), path);
  for (char *at = strchr(whole + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
    *at = '\0';
    (void)mkdir(whole, 0700);
    *at = '/';
  }
  FILE *file = fopen(whole, "w");
  cr_assert(file != NULL, "%s", whole);
  fputs(text, file);
  fclose(file);
}

static size_t free_here(void) {
  return vise_i_free_memory(rig_in("."));
}

Test(room, is_what_the_machine_has_available) {
  cr_assert_eq(free_here(), SIZE_MAX); /* nothing tells */
  put("/proc/meminfo", "MemTotal:       16000000 kB\nMemFree:          100000 kB\nMemAvailable:    2000000 kB\n");
  cr_assert_eq(free_here(), (size_t)2000000 * 1024);
  put("/proc/self/cgroup", "0::/user.slice\n");
  cr_assert_eq(free_here(), (size_t)2000000 * 1024);
}

Test(room, is_less_in_a_control_group_with_a_limit) {
  put("/proc/meminfo", "MemAvailable:    2000000 kB\n");
  put("/proc/self/cgroup", "0::/a/b\n");
  put("/sys/fs/cgroup/a/b/memory.max", "max\n");
  put("/sys/fs/cgroup/a/b/memory.current", "1000\n");
  cr_assert_eq(free_here(), (size_t)2000000 * 1024);

  put("/sys/fs/cgroup/a/memory.max", "1000000\n");
  put("/sys/fs/cgroup/a/memory.current", "600000\n");
  cr_assert_eq(free_here(), 400000);
  put("/sys/fs/cgroup/a/memory.stat", "anon 5\ninactive_file 100000\nactive_file 7\n");
  cr_assert_eq(free_here(), 500000);
  put("/sys/fs/cgroup/a/b/memory.max", "1200\n");
  cr_assert_eq(free_here(), 200);
  put("/sys/fs/cgroup/a/b/memory.current", "1300\n");
  cr_assert_eq(free_here(), 0);
}

/* A container sees its own group at the root, whatever its path is called outside. */
Test(room, knows_containers_and_the_first_version) {
  put("/proc/meminfo", "MemAvailable:    2000000 kB\n");
  put("/proc/self/cgroup", "12:pids:/docker/x\n4:memory:/docker/x\n1:name=systemd:/docker/x\n");
  put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "5000\n");
  cr_assert_eq(free_here(), (size_t)2000000 * 1024);
  put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "70000\n");
  cr_assert_eq(free_here(), 65000);

  put("/proc/self/cgroup", "0::/\n");
  put("/sys/fs/cgroup/memory.max", "90000\n");
  put("/sys/fs/cgroup/memory.current", "80000\n");
  cr_assert_eq(free_here(), 10000);
}

Test(room, this_machine_has_some) {
  const vise_i_room room = vise_i_room_of("f", 0);
  cr_assert(vise_i_free_memory("") > 1 << 20 && room.most > 1 << 19 && room.by_default);
}

Test(room, messages_tell_how_much_and_how_to_allow_it) {
  const vise_i_room room = {.name = "f.csv", .most = (size_t)3 << 29};
  const vise_i_room half = {.name = "f.csv", .most = 1 << 20, .by_default = true};
  vise_error err = VISE_ERROR_INIT;
  EXPECT_OK(vise_i_room_check(&room, (double)room.most, VISE_I_NEEDS, "it", &err), err);
  EXPECT_ERROR(
      vise_i_room_check(&room, 6.6e9, VISE_I_NEEDS, "100 x 5 values", &err), &err, VISE_ERR_MEMORY,
      "f.csv: 100 x 5 values would take 6.15 GiB of memory, over the 1.5 GiB allowed; `max_bytes` 7G allows it");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_i_room_check(&half, 3e6, VISE_I_NEEDS_AT_LEAST, "its rows", &err), &err, VISE_ERR_MEMORY,
               "its rows would take at least 2.86 MiB of memory, over the 1 MiB allowed (half of what is free); "
               "`max_bytes` allows more");
}

Test(room, rows_being_read_are_estimated) {
  const vise_i_room room = {.name = "f.csv", .most = (size_t)1 << 30};
  const double mib = 1 << 20;
  vise_error err = VISE_ERROR_INIT;
  EXPECT_OK(vise_i_room_check_part(&room, 8 * mib, 0.001, &err), err);  /* too little was read */
  EXPECT_OK(vise_i_room_check_part(&room, 100 * mib, 0.03, &err), err); /* 3.3 times as much: it may be less */
  EXPECT_OK(vise_i_room_check_part(&room, 1024 * mib, 0, &err), err);   /* a pipe */
  EXPECT_ERROR(vise_i_room_check_part(&room, 100 * mib, 0.01, &err), &err, VISE_ERR_MEMORY, "about 9.77 GiB");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_i_room_check_part(&room, 1025 * mib, 0.5, &err), &err, VISE_ERR_MEMORY, "about 2 GiB");
  vise_error_clear(&err);
  EXPECT_ERROR(vise_i_room_check_part(&room, 1025 * mib, 0, &err), &err, VISE_ERR_MEMORY, "at least 1 GiB");
}
