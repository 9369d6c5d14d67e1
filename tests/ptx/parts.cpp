#include "tests/ptx/parts.h"

#include <elf.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "kernels/step_types.h"
#include "tests/emulation/ptx/rates.h"

using namespace emu::ptx;

namespace {

const LaunchCounts &find_launch(uint32_t id) {
  for (const LaunchCounts &launch : launch_counts()) {
    if (launch.id == id) return launch;
  }
  fprintf(stderr, "ledger: launch %u has not been counted\n", id);
  exit(1);
}

Counts sum_between(const std::vector<Interval> &cta, size_t from, size_t to) {
  Counts sum{};
  for (size_t k = from + 1; k <= to && k < cta.size(); ++k) {
    for (size_t c = 0; c < kCounts; ++c) sum[c] += cta[k].counts[c];
  }
  return sum;
}

// Clocks of what a CTA does, had it nothing to wait for.
double busy(const Counts &c, const char **bound) {
  const std::pair<double, const char *> takes[] = {
      {double(c[kSlots]) / kRates.slots, "issue"},
      {double(c[kIntegerSlots]) / kRates.integer_slots, "integer"},
      {double(c[kFloat64Slots]) / kRates.float64_slots, "float64"},
      {double(c[kWavefronts]) / kRates.wavefronts, "shared"},
      {double(c[kSectorsFromL2]) * 32 / kRates.l2_bytes, "L2"},
  };
  const auto *most = std::max_element(std::begin(takes), std::end(takes),
                                      [](const auto &a, const auto &b) { return a.first < b.first; });
  *bound = most->second;
  return most->first;
}

// The time of a part is that of its slowest CTA. An exchange takes the least of any, that of the last to come; or, if
// that is longer, what the slowest CTA does meanwhile, and a poll after it.
PartRow row_of(const ledger_part &part, const LaunchCounts &launch, size_t from, size_t to) {
  PartRow row;
  row.name = part.name;
  double path = part.waits ? INFINITY : 0, most_busy = 0, most_work = 0;
  double longest = -1;
  for (const auto &cta : launch.ctas) {
    const Counts counts = sum_between(cta, from, to);
    for (size_t c = 0; c < kCounts; ++c) row.most[c] = std::max(row.most[c], counts[c]);
    const double own_path = double(cta.at(to).end) - double(cta.at(from).end);
    path = part.waits ? std::min(path, own_path) : std::max(path, own_path);
    if (part.waits) {
      const double work = double(cta.at(mark_of(part.middle).mark).end) - double(cta.at(from).end);
      most_work = std::max(most_work, work + kLatencies.l2);
    }

    const size_t last = part.waits ? mark_of(part.middle).mark : to;
    const double busy_for = double(cta.at(last).end) - double(cta.at(from).end);
    if (busy_for > longest) row.cta = static_cast<size_t>(&cta - launch.ctas.data());
    longest = std::max(longest, busy_for);

    const char *bound;
    const double clocks = busy(counts, &bound);
    if (clocks <= most_busy) continue;
    most_busy = clocks;
    row.bound = bound;
  }

  path = std::max(path, most_work);
  row.serial = path;
  if (path >= most_busy) row.bound = "serial";
  row.us = std::max(path, most_busy) / kRates.clocks_per_us;
  return row;
}

double last_end(const LaunchCounts &launch, size_t mark) {
  double last = 0;
  for (const auto &cta : launch.ctas) last = std::max(last, double(cta.at(mark).end));
  return last;
}

std::string title_of(const ledger_job &job) {
  std::string text;
  for (size_t l = 0; l <= job.n_layers; ++l) text += (l ? "-" : "") + std::to_string(job.widths[l]);
  text += ", batch " + std::to_string(job.batch);
  if (job.optimizer && strcmp(job.optimizer, "sgd") != 0) text += std::string(", ") + job.optimizer;
  if (job.rule) text += std::string(", ") + job.rule;
  if (job.tile) text += ", tile " + std::to_string(vise_k_tile_side(vise_k_tile(job.tile - 1)));
  return text + (job.many ? ", many steps a launch" : ", one launch a step");
}

}  // namespace

StepTable step_table(ledger_job job, bool many) {
  job.many = many;
  ledger_parts parts;
  forget_launch_counts();
  ledger_train(&job, &parts);

  const MarkId first = mark_of(parts.parts[0].from), last = mark_of(parts.parts[parts.n - 1].to);
  const LaunchCounts &launch = find_launch(last.launch);

  StepTable table;
  table.title = title_of(job);
  table.kernel = launch.kernel;
  table.n_ctas = launch.ctas.size();
  table.n_instructions = static_cast<size_t>(launch.n_instructions);
  table.n_slots = static_cast<size_t>(launch.n_slots);
  table.sum.name = "sum";
  for (size_t k = 0; k < parts.n; ++k) {
    const ledger_part &part = parts.parts[k];
    table.parts.push_back(row_of(part, launch, mark_of(part.from).mark, mark_of(part.to).mark));

    const PartRow &row = table.parts.back();
    table.sum.us += row.us;
    table.sum.serial += row.serial;
    for (size_t c = 0; c < kCounts; ++c) table.sum.most[c] += row.most[c];
  }

  table.path_us = (last_end(launch, last.mark) - last_end(launch, first.mark)) / kRates.clocks_per_us;
  return table;
}

size_t code_bytes(const std::string &kernel) {
  std::ifstream file(std::string(VISE_PTX_FOLDER) + "/" + kernel + ".cubin", std::ios::binary);
  const std::string image((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (image.size() < sizeof(Elf64_Ehdr)) return 0;

  Elf64_Ehdr header;
  memcpy(&header, image.data(), sizeof header);
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  if (header.e_shoff + sections.size() * sizeof(Elf64_Shdr) > image.size()) return 0;
  memcpy(sections.data(), image.data() + header.e_shoff, sections.size() * sizeof(Elf64_Shdr));

  size_t bytes = 0;
  for (const Elf64_Shdr &section : sections) {
    const char *name = image.data() + sections[header.e_shstrndx].sh_offset + section.sh_name;
    if (strncmp(name, ".text.", 6) == 0) bytes += section.sh_size;
  }
  return bytes;
}
