// The ledger: what each part of a training step takes, counted as the compiled kernel runs on the emulated device, and
// the time that follows from the rates of tests/emulation/ptx/rates.h. tests/ptx/README.md says how to read it.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "kernels/step_types.h"
#include "tests/emulation/ptx/rates.h"
#include "tests/ptx/figures.h"
#include "tests/ptx/parts.h"

using namespace emu::ptx;

namespace {

constexpr char kUsage[] =
    "usage: ledger [--layers 784-128-10 [--batch 64] [--bytes] [--adam] [--with RULE]]...\n"
    "              [--check FILE | --write FILE | --tiles]\n";

void print_row(const PartRow &r, double bytes_per_instruction) {
  const Counts &c = r.most;
  const auto us = [&](Count count, double rate) { return double(c[count]) / rate / kRates.clocks_per_us; };
  printf("%-14s %6.2f %-8s %4zu %6.2f %6.2f %6.2f %6.2f %6.2f %7.1f %7.1f %6.1f %5llu %5llu %5llu %6.1f\n",
         r.name.c_str(), r.us, r.bound.c_str(), r.cta, r.serial / kRates.clocks_per_us, us(kSlots, kRates.slots),
         us(kIntegerSlots, kRates.integer_slots), us(kFloat64Slots, kRates.float64_slots),
         us(kWavefronts, kRates.wavefronts), double(c[kSectorsFromL2]) / 32, double(c[kSectorsAgain]) / 32,
         double(c[kSectorsStored]) / 32, static_cast<unsigned long long>(c[kDivisions]),
         static_cast<unsigned long long>(c[kBarriers]), static_cast<unsigned long long>(c[kCalls]),
         double(c[kTouched]) * bytes_per_instruction / 1024);
}

void print_table(const StepTable &table) {
  const size_t bytes = code_bytes(table.kernel);
  const double ratio = bytes ? double(bytes) / double(table.n_instructions) : 16;
  printf("%s: %s, %zu CTAs\n", table.title.c_str(), table.kernel.c_str(), table.n_ctas);
  printf("%zu instructions of PTX, by the tables %zu of the machine, in truth %zu (%zu KB)\n", table.n_instructions,
         table.n_slots, bytes / 16, bytes / 1024);
  printf("%-14s %6s %-8s %4s %6s %6s %6s %6s %6s %7s %7s %6s %5s %5s %5s %6s\n", "part", "us", "bound", "CTA", "serial",
         "issue", "int", "f64", "shared", "L2 KB", "again", "st KB", "div", "bar", "call", "code");
  for (const PartRow &row : table.parts) print_row(row, ratio);
  print_row(table.sum, ratio);

  printf("the step %.2f us", table.sum.us);
  if (table.title.find("one launch") != std::string::npos) {
    printf(", with the launch (%.1f us) %.2f us", kRates.launch_us, table.sum.us + kRates.launch_us);
  }
  printf("; serial path through all of it %.2f us\n\n", table.path_us);
}

[[noreturn]] void misuse() {
  fputs(kUsage, stderr);
  exit(2);
}

void read_layers(const char *text, ledger_job *job) {
  size_t n = 0;
  for (char *end = nullptr; *text; text = *end ? end + 1 : end) {
    if (n > LEDGER_MOST_LAYERS) misuse();
    job->widths[n++] = strtoul(text, &end, 10);
    if (end == text || (*end && *end != '-')) misuse();
  }
  if (n < 2) misuse();
  job->n_layers = n - 1;
}

struct Options {
  std::vector<ledger_job> jobs;
  std::string check, write;
  bool tiles = false;
};

Options read_options(int n, char **words) {
  Options o;
  for (int k = 1; k < n; ++k) {
    const std::string word = words[k];
    const bool has_value =
        word == "--layers" || word == "--batch" || word == "--check" || word == "--write" || word == "--with";
    if (has_value && k + 1 == n) misuse();
    const char *value = has_value ? words[++k] : "";

    if (word == "--layers") {
      o.jobs.push_back({});
      o.jobs.back().batch = 64;
      read_layers(value, &o.jobs.back());
    } else if (word == "--check") {
      o.check = value;
    } else if (word == "--write") {
      o.write = value;
    } else if (word == "--tiles") {
      o.tiles = true;
    } else if (o.jobs.empty()) {
      misuse();
    } else if (word == "--batch") {
      o.jobs.back().batch = strtoul(value, nullptr, 10);
    } else if (word == "--bytes") {
      o.jobs.back().bytes = true;
    } else if (word == "--adam") {
      o.jobs.back().optimizer = "adam";
    } else if (word == "--with" && ledger_has_rule(value)) {
      o.jobs.back().rule = value;
    } else {
      misuse();
    }
  }

  if (o.jobs.empty()) {
    o.jobs = {{2, {784, 128, 10}, 64, true, false, "sgd", nullptr, 0},
              {3, {17, 64, 64, 6}, 64, false, false, "sgd", nullptr, 0},
              {3, {32, 256, 256, 1}, 256, false, false, "sgd", nullptr, 0}};
  }
  return o;
}

// Each job with the tiles of its plan, and with all products in tiles of one size: returns 1 if a plan's take longer by
// more than 2 %.
int compare_tiles(const std::vector<ledger_job> &jobs) {
  int result = 0;
  for (ledger_job job : jobs) {
    const StepTable plan = step_table(job, true);
    double least = plan.sum.us;
    printf("%s: %.2f us", plan.title.c_str(), plan.sum.us);

    for (int tile : {VISE_K_TILE_8, VISE_K_TILE_32}) {
      job.tile = 1 + tile;
      const double us = step_table(job, true).sum.us;
      least = std::min(least, us);
      printf("; tiles of %u: %.2f us", vise_k_tile_side(vise_k_tile(tile)), us);
    }

    const bool is_best = plan.sum.us <= 1.02 * least;
    printf("%s\n", is_best ? "" : ": the plan's are not the best");
    if (!is_best) result = 1;
  }
  return result;
}

}  // namespace

int main(int n, char **words) {
  const Options options = read_options(n, words);
  setenv("VISE_EMU_PTX", VISE_PTX_FOLDER, 1);
  setenv("VISE_EMU_PTX_ONLY", "1", 1);
  setenv("VISE_EMU_SMS", "132", 0);
  count_launches(true);

  if (options.tiles) return compare_tiles(options.jobs);

  std::vector<StepTable> tables;
  for (const ledger_job &job : options.jobs) {
    for (bool many : {true, false}) {
      tables.push_back(step_table(job, many));
      if (options.check.empty()) print_table(tables.back());
    }
  }

  if (!options.check.empty()) return check_figures(options.check, tables);
  if (options.write.empty() || write_figures(options.write, tables)) return 0;
  fprintf(stderr, "ledger: %s cannot be written\n", options.write.c_str());
  return 1;
}
