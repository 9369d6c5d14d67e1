/* Axes: what is read, what is refused, texts, edges. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sweep_support.h"
#include "tests/support/unit.h"

#define AXES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void expect_values(const char *axis, const char *const *values) {
  vise_space *space = sweep_space(VISE_SEARCH_GRID, 0, 0, AXES(axis));
  size_t n = 0;
  for (; values[n] != NULL; n++) cr_expect_str_eq(sweep_text(space, n, 0), values[n], "%s", axis);
  cr_expect_eq(vise_space_n_points(space), n, "%s", axis);
  vise_space_free(space);
}

Test(axis, lists_are_kept_as_they_are) {
  expect_values("l2=0.10,1e-3,off", AXES("0.10", "1e-3", "off"));
  expect_values("layers=auto-16-auto,auto-auto", AXES("auto-16-auto", "auto-auto"));
  expect_values("clamp=-0.5:0.25,off", AXES("-0.5:0.25", "off"));
  expect_values("class-weights=1,2;1,5", AXES("1,2", "1,5"));
  expect_values("init=../a=b", AXES("../a=b"));
  expect_values("lr=0.1", AXES("0.1"));
  expect_values("seed=18446744073709551615,18446744073709551614", AXES("18446744073709551615", "18446744073709551614"));
}

Test(axis, names_are_those_of_options) {
  vise_space *space = sweep_space(VISE_SEARCH_GRID, 0, 0, AXES("clip_norm=1", "my-own_2=x"));

  cr_expect_eq(vise_space_n_axes(space), 2);
  cr_expect_str_eq(vise_space_axis_name(space, 0), "clip-norm");
  cr_expect_str_eq(vise_space_axis_name(space, 1), "my-own-2");
  cr_expect_null(vise_space_axis_name(space, 2));
  vise_space_free(space);
}

static void expect_refused(vise_search search, const char *axis, const char *says) {
  vise_space *space = sweep_space(search, search == VISE_SEARCH_GRID ? 0 : 4, 0, AXES("l1=0,1"));
  vise_error err = VISE_ERROR_INIT;

  EXPECT_ERROR(vise_space_add_axis(space, axis, &err), &err, VISE_ERR_USAGE, says);
  cr_expect_eq(vise_space_n_axes(space), 1, "%s", axis);
  vise_space_free(space);
}

Test(axis, says_what_is_wrong_with_a_list) {
  static const char *const cases[][2] = {
      {"l2", "'l2' is not NAME=VALUES, as in l2=0.001,0.01"},
      {"=1", "'' is not the name of an option"},
      {"--l2=1", "'--l2' is not the name of an option: expected small letters"},
      {"L2=1", "'L2' is not the name of an option"},
      {"l 2=1", "'l 2' is not the name of an option"},
      {"l2=", "l2: value 1 is empty"},
      {"l2=1,,2", "l2: value 2 is empty"},
      {"l2=1,2,", "l2: value 3 is empty"},
      {"class-weights=1,2;", "class-weights: value 2 is empty"},
      {"l2=1,2,1", "l2: the value '1' is there twice"},
      {"l2=0.1,1,1e-1", "are the same number"},
      {"optimizer=sgd,adam,sgd", "optimizer: the value 'sgd' is there twice"},
      {"l2=1..2,3", "l2: '1..2' is a range, which cannot be part of a list"},
      {"l1=5", "l1 is varied twice"},
      {"l2=0..1", "l2: '0..1' is a range, and a grid takes lists: set `search` to random or sobol"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    expect_refused(VISE_SEARCH_GRID, cases[i][0], cases[i][1]);
  }
}

Test(axis, says_what_is_wrong_with_a_range) {
  static const char *const cases[][2] = {
      {"lr=1..1", "lr: '1..1': LO must be below HI"},
      {"lr=2..1", "LO must be below HI"},
      {"lr=0..1:log", "lr: '0..1:log': with :log, LO must be above 0"},
      {"lr=-1..1:int:log", "LO must be above 0"},
      {"lr=1.5..3:int", "the ends of a range of whole numbers must be such"},
      {"lr=1..9007199254740994:int", "of at most 2^53"},
      {"lr=nan..1", "lr: 'nan' is not a finite number; a range is LO..HI"},
      {"lr=1..inf", "'inf' is not a finite number"},
      {"lr=1..1e999", "'1e999' is not a finite number"},
      {"lr=-1e308..1e308", "HI - LO is too large for a number"},
      {"lr=a..b", "'a' is not a number; a range is LO..HI"},
      {"lr=..1", "'' is not a number"},
      {"lr=1..", "'' is not a number"},
      {"lr= 1..2", "' 1' is not a number"},
      {"lr=0x1..2", "'0x1' is not a number"},
      {"lr=1..2:lin", "lr: ':lin' after the range: expected :log, :int or both, once each"},
      {"lr=1..2:log:log", "':log' after the range"},
      {"lr=1..2:", "':' after the range"},
      {"l1=1..2", "l1 is varied twice"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    expect_refused(VISE_SEARCH_RANDOM, cases[i][0], cases[i][1]);
  }
}

/* Of a number: its digits, without zeros at either end. */
static size_t n_significant(const char *text) {
  size_t n = 0, n_zeros = 0;
  for (; *text != '\0' && *text != 'e'; text++) {
    if (*text < '0' || *text > '9') continue;
    if (*text != '0') {
      n += n_zeros + 1;
      n_zeros = 0;
    } else if (n > 0) {
      n_zeros++;
    }
  }
  return n;
}

/* The text of a value is the value. */
static void expect_round_trips(const char *axis, bool is_int) {
  vise_space *space = sweep_space(VISE_SEARCH_RANDOM, 400, 3, AXES(axis));
  size_t n_long = 0;

  for (size_t i = 0; i < 400; i++) {
    const char *text = sweep_text(space, i, 0);
    const double number = vise_space_number(space, i, 0);
    cr_expect(strtod(text, NULL) >= number && strtod(text, NULL) <= number, "%s: %s", axis, text);
    if (is_int) {
      cr_expect_eq(strspn(text, "-0123456789"), strlen(text), "%s: %s", axis, text);
      continue;
    }
    cr_expect_leq(n_significant(text), 6, "%s: %s", axis, text);
    n_long += n_significant(text) == 6;
  }
  if (!is_int) cr_expect_gt(n_long, 300, "%s: %zu", axis, n_long);
  vise_space_free(space);
}

Test(axis, texts_of_ranges_are_their_values) {
  expect_round_trips("lr=0.0001..0.1:log", false);
  expect_round_trips("lr=-1e-12..1e-12", false);
  expect_round_trips("lr=1e-300..1e300:log", false);
  expect_round_trips("lr=1000000..9999999", false);
  expect_round_trips("lr=-5..5:int", true);
  expect_round_trips("lr=1..9007199254740992:int", true);
  expect_round_trips("lr=1..9007199254740992:log:int", true);
}

Test(axis, text_is_written_as_snprintf_does) {
  vise_space *space = sweep_space(VISE_SEARCH_GRID, 0, 0, AXES("optimizer=sgd,rmsprop"));
  char buffer[8] = "xxxxxxx";

  cr_expect_eq(vise_space_text(space, 1, 0, NULL, 0), 7);
  cr_expect_eq(vise_space_text(space, 1, 0, buffer, 4), 7);
  cr_expect_str_eq(buffer, "rms");
  cr_expect_eq(buffer[4], 'x');
  cr_expect_eq(vise_space_text(space, 2, 0, buffer, sizeof buffer), 0);
  cr_expect_str_eq(buffer, "");
  cr_expect_eq(vise_space_text(space, 0, 1, buffer, sizeof buffer), 0);
  vise_space_free(space);
}

/* edges: one of "<", ">" or "." for each point. */
static void expect_edges(const char *axis, const char *edges) {
  vise_space *space = sweep_space(VISE_SEARCH_GRID, 0, 0, AXES(axis));
  cr_assert_eq(vise_space_n_points(space), strlen(edges), "%s", axis);
  for (size_t i = 0; edges[i] != '\0'; i++) {
    const int wanted = edges[i] == '<' ? -1 : edges[i] == '>';
    cr_expect_eq(vise_space_edge(space, i, 0), wanted, "%s: value %zu: %d", axis, i, vise_space_edge(space, i, 0));
  }
  vise_space_free(space);
}

Test(axis, edges_of_lists) {
  expect_edges("lr=0.1,0.01,0.001", ">.<");
  expect_edges("lr=0.1,0.01", "..");        /* either would be at an edge */
  expect_edges("l2=0,0.01,0.1", "..>");     /* below 0 there is nothing */
  expect_edges("clip-norm=off,5,1", "..<"); /* off is beyond all bounds */
  expect_edges("own=off,1,2", "..>");       /* elsewhere it is 0 */
  expect_edges("dropout=0,0.25,0.5", "..>");
  expect_edges("weight-op-fraction=0.5,0.75,1", "<..");
  expect_edges("seed=1,2,3", "..."); /* these have no order */
  expect_edges("optimizer=sgd,adam,lion", "...");
  expect_edges("batch=16,64,256,full", "<.>.");
  expect_edges("layers=4-8-1,4-16-1,4-32-1", "...");
}

static void expect_range_edges(const char *axis, double lowest_inside, double highest_inside, bool has_lo) {
  vise_space *space = sweep_space(VISE_SEARCH_RANDOM, 500, 1, AXES(axis));
  int n_lo = 0, n_hi = 0;

  for (size_t i = 0; i < 500; i++) {
    const double number = vise_space_number(space, i, 0);
    const int edge = vise_space_edge(space, i, 0);
    const int wanted = number < lowest_inside && has_lo ? -1 : number > highest_inside;
    cr_expect_eq(edge, wanted, "%s: %g: %d", axis, number, edge);
    n_lo += edge < 0;
    n_hi += edge > 0;
  }
  cr_expect(n_hi >= 10 && (n_lo >= 10) == has_lo, "%s: %d, %d", axis, n_lo, n_hi);
  vise_space_free(space);
}

Test(axis, edges_of_ranges) {
  expect_range_edges("own=10..20", 10.5, 19.5, true);
  expect_range_edges("own=0.0001..1:log", 0.0001584893, 0.6309573, true);
  expect_range_edges("own=1..101:int", 6.5, 95.5, true);
  expect_range_edges("l2=0..0.1", 0.005, 0.095, false);
}

Test(axis, a_range_of_two_whole_numbers_has_no_edge) {
  vise_space *space = sweep_space(VISE_SEARCH_RANDOM, 20, 1, AXES("own=1..2:int"));
  for (size_t i = 0; i < 20; i++) cr_expect_eq(vise_space_edge(space, i, 0), 0);
  vise_space_free(space);
}

Test(axis, numbers_of_lists) {
  vise_space *space = sweep_space(VISE_SEARCH_GRID, 0, 0, AXES("clamp=off,0.5,1e-1,-1:1"));
  cr_expect(isinf(vise_space_number(space, 0, 0)));
  EXPECT_NEAR(vise_space_number(space, 1, 0), 0.5, 0);
  EXPECT_NEAR(vise_space_number(space, 2, 0), 0.1, 0);
  cr_expect(isnan(vise_space_number(space, 3, 0)));
  cr_expect(isnan(vise_space_number(space, 4, 0)) && isnan(vise_space_number(space, 0, 1)));
  vise_space_free(space);

  space = sweep_space(VISE_SEARCH_GRID, 0, 0, AXES("loss=off,x"));
  cr_expect(isnan(vise_space_number(space, 0, 0)), "off is no number where there is none");
  vise_space_free(space);
}
