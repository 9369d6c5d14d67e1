/* vise bench. */
#include <stdio.h>
#include <stdlib.h>

#include "tool.h"

TestSuite(cli_bench, .init = tool_enter, .fini = tool_leave);

#define SHORT "bench --layers 9-7-3 --batch 16 --seconds 0.01 --mode cpu,cpu64 --threads 1"

static const char columns[] =
    "tool,mode,device,case,shape,batch,precision,threads,verified,worst_error,tolerance,us_per_step,us_min,us_q1,us_q3,"
    "us_max,repeats,steps_per_repeat,steps_per_s,gb_per_s,tflop_per_s,launches_per_step,x_unfused,x_unfused_graph,"
    "share_of_copy,share_of_gemm,verified_batch,us_host,us_launches,floor_us,share_of_floor,gflop_per_s,"
    "peak_gflop_per_s,share_of_peak";

static size_t count(const char *text, char what) {
  size_t n = 0;
  for (; *text != '\0'; text++) n += *text == what;
  return n;
}

Test(cli_bench, prints_the_machine_and_a_table) {
  tool_result result = tool_run(SHORT);
  cr_assert_eq(result.code, 0, "%s%s", result.out, result.err);

  cr_assert(strncmp(result.out, "machine ", 8) == 0, "%s", result.out);
  SAYS(result.out, "processors\n");
  SAYS(result.out, "\npeak      ");
  SAYS(result.out, ", 1 thread: fp32 ");
  SAYS(result.out, "\nvise      0.");
  SAYS(result.out, "\nbuild     compiler=");
  SAYS(result.out, "us/step");
  SAYS(result.out, "cpu64         fp64");
  SAYS(result.out, "  yes\n");
  SAYS(result.out, "  reference\n");

  tool_free(&result);
  cr_assert_eq(tool_count_files(), 2);
}

Test(cli_bench, writes_the_columns_of_the_csv) {
  tool_result result = tool_run(SHORT " --csv rows.csv");
  cr_assert_eq(result.code, 0, "%s", result.err);
  tool_free(&result);

  size_t n_bytes = 0, n_rows = 0, n_notes = 0;
  char *text = tool_read("rows.csv", &n_bytes), *rest = text, *line;
  bool has_heading = false;

  while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
    if (*line == '#') {
      n_notes++;
    } else if (!has_heading) {
      cr_assert_str_eq(line, columns);
      has_heading = true;
    } else {
      cr_assert_eq(count(line, ','), count(columns, ','), "%s", line);
      cr_assert(strncmp(line, "vise-0.", 7) == 0, "%s", line);
      SAYS(line, n_rows == 0 ? ",cpu,cpu,9-7-3,9-7-3,16,fp32,1,yes," : ",cpu64,cpu,9-7-3,9-7-3,16,fp64,1,reference,");
      n_rows++;
    }
  }

  cr_assert(has_heading && n_rows == 2 && n_notes >= 6);
  free(text);
}

Test(cli_bench, prints_json) {
  tool_result result = tool_run(SHORT " --json");
  cr_assert_eq(result.code, 0, "%s", result.err);
  json_t *json = tool_json_text(result.out);

  cr_assert(json_is_true(json_object_get(json, "verified")));
  cr_assert(json_is_string(json_object_get(json_object_get(json, "machine"), "cpu")));

  const json_t *cores = json_object_get(json_object_get(json, "machine"), "cores");
  cr_assert_eq(json_array_size(cores), 1);
  cr_assert(json_number_value(json_object_get(json_array_get(cores, 0), "fp32_flop_per_s")) > 1e8);
  cr_assert(json_is_null(json_object_get(json_array_get(cores, 0), "round_trip_ns")));

  const json_t *rows = json_object_get(json, "rows");
  cr_assert_eq(json_array_size(rows), 2);
  for (size_t i = 0; i < 2; i++) {
    const json_t *row = json_array_get(rows, i);
    cr_assert(json_number_value(json_object_get(row, "us_per_step")) > 0);
    cr_assert(json_is_null(json_object_get(row, "x_unfused")));
    cr_assert(json_number_value(json_object_get(row, "share_of_peak")) > 0);
    cr_assert(json_is_true(json_object_get(row, "verified")));
  }

  json_decref(json);
  tool_free(&result);
}

Test(cli_bench, a_failed_verification_is_seen) {
  tool_result result = tool_run(SHORT " --tolerance 0 --csv rows.csv");
  cr_assert_eq(result.code, 1, "%s", result.err);
  SAYS(result.out, "NO: weights off by");
  SAYS(result.err, "verification of 1 of 2 rows failed");
  tool_free(&result);

  size_t n_bytes = 0;
  char *text = tool_read("rows.csv", &n_bytes);
  SAYS(text, ",fp32,1,no,");
  SAYS(text, ",0,,,,,,0,0,,,,,,,,,16,,,,,,,\n"); /* no times */
  free(text);

  result = tool_run(SHORT " --tolerance 0 --json");
  cr_assert_eq(result.code, 1);
  json_t *json = tool_json_text(result.out);
  cr_assert(json_is_false(json_object_get(json, "verified")));
  json_decref(json);
  tool_free(&result);
}

Test(cli_bench, lists_cases) {
  tool_result result = tool_run("bench --list");
  cr_assert_eq(result.code, 0);
  SAYS(result.out, "mnist-64");
  SAYS(result.out, "784-128-10\n");
  SAYS(result.out, "large-4096x4");
  cr_assert_eq(count(result.out, '\n'), 8);
  tool_free(&result);

  result = tool_run("bench --list --grid");
  cr_assert_eq(count(result.out, '\n'), 241);
  tool_free(&result);

  result = tool_run("bench --list --grid --widths 64,256 --depths 4 --batch 32,1024,2048");
  cr_assert_eq(count(result.out, '\n'), 7);
  SAYS(result.out, "grid-w256-l4-b2048");
  tool_free(&result);

  result = tool_run("bench --list --case policy,grid-w32-l2-b32 --layers 5-1 --batch 8,16");
  cr_assert_eq(count(result.out, '\n'), 5);
  SAYS(result.out, "policy");
  SAYS(result.out, "mse");
  tool_free(&result);

  result = tool_run("bench --list --json --case policy");
  json_t *list = tool_json_text(result.out);
  const json_t *policy = json_array_get(list, 0);
  cr_assert_eq(json_array_size(list), 1);
  cr_assert_eq(json_integer_value(json_object_get(policy, "batch")), 64);
  cr_assert_eq(json_integer_value(json_array_get(json_object_get(policy, "widths"), 3)), 6);
  json_decref(list);
  tool_free(&result);
}

Test(cli_bench, refuses_what_it_does_not_know) {
  tool_expect_refused("bench --case nope", "--case: 'nope' is not a case of the benchmark: expected mnist-64");
  tool_expect_refused("bench --case mnist-64,", "--case: '' is not a case");

  tool_expect_refused("bench --mode fuse", "--mode: ");
  tool_expect_refused("bench --mode fuse", "'fuse' is unknown");
  tool_expect_refused("bench --precision fp64", "'fp64' is unknown");
  tool_expect_refused("bench --precision auto", "'auto' cannot be timed");

  tool_expect_refused("bench --layers auto-3", "auto needs data");
  tool_expect_refused("bench --layers 5", "two or more sizes");
  tool_expect_refused("bench --layers 5-3 --batch 0", "batch of 0");
  tool_expect_refused("bench --layers 5-3 --batch 8,x", "--batch: 'x' is not a whole number");

  tool_expect_refused("bench --batch 8", "--batch needs --grid or --layers");
  tool_expect_refused("bench --widths 64", "--widths needs --grid");
  tool_expect_refused("bench --grid --widths 63", "--grid: no case has these");

  tool_expect_refused("bench --seconds 0", "--seconds 0: expected a number above 0");
  tool_expect_refused("bench --layers 5-3 --seconds 0.01 --csv gone/rows.csv", "gone/rows.csv");
  tool_expect_refused("bench --layers 5-3 --labels y.npy", "--labels needs --data");
  tool_expect_refused("bench --train a.csv", "unknown option --train");
}

Test(cli_bench, times_rows_of_a_file) {
  tool_write_text("rows.csv", "a,b,y\n1,2,0\n3,4,1\n5,6,0\n7,8,1\n9,8,0\n");
  tool_result result =
      tool_run("bench --layers 2-3-2 --batch 4 --mode cpu --seconds 0.01 --threads 1 --data rows.csv --json");
  cr_assert_eq(result.code, 0, "%s", result.err);
  json_t *json = tool_json_text(result.out);
  cr_assert_str_eq(json_string_value(json_object_get(json, "data")), "rows.csv");
  json_decref(json);
  tool_free(&result);

  tool_expect_refused("bench --layers 3-2 --batch 4 --data rows.csv",
                      "--data: 5 rows of 2 features do not do for the case 3-2, batch 4");
  tool_expect_refused("bench --layers 2-2 --data rows.csv",
                      "--data: 5 rows of 2 features do not do for the case 2-2, batch 64");
}

Test(cli_bench, times_nothing_when_nothing_is_there) {
  tool_result result = tool_run("bench --layers 5-3 --seconds 0.01 --mode cpu --precision bf16");
  cr_assert_eq(result.code, 2);
  SAYS(result.err, "note: cpu: left out");
  SAYS(result.err, "nothing was timed");
  tool_free(&result);
}
