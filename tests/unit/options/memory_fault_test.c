/* Every allocation of set fails once: it says so, leaks nothing, and leaves the config as it was. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/allocation_fault.h"
#include "vise/options.h"

static void expect_unharmed(const char *name, const char *before, const char *text) {
  for (size_t after = 0;; after++) {
    vise_train_config config;
    vise_error err = VISE_ERROR_INIT;
    char value[64];
    vise_train_config_init(&config);
    cr_assert_eq(vise_train_config_set(&config, name, before, &err), VISE_OK);

    fault_arm(after);
    const vise_status status = vise_train_config_set(&config, name, text, &err);
    const bool has_failed = fault.has_failed;
    fault_disarm();

    cr_assert_eq(vise_train_config_get(&config, name, value, sizeof value, NULL), VISE_OK);
    cr_expect_eq(status, has_failed ? VISE_ERR_MEMORY : VISE_OK, "%s: allocation %zu", name, after);
    if (has_failed) cr_expect_str_eq(value, before);
    vise_train_config_clear(&config);
    if (!has_failed) break;
  }
}

Test(options_memory, set_fails_cleanly) {
  expect_unharmed("class-weights", "1,2", "3,4,5");
  expect_unharmed("clamp-layer", "0=-1:1", "1=-2:2");
  expect_unharmed("weight-op-layers", "0", "1,2");
  expect_unharmed("lr", "0.5", "0.25");
}
