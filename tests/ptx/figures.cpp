#include "tests/ptx/figures.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

using namespace emu::ptx;

namespace {

using Figures = std::map<std::string, double>;

// What is held of a sum: times, and all that they are made of. Of its parts less, to tell where a rise comes from.
Figures figures_of(const PartRow &row, bool is_sum) {
  Figures f = {{"serial clocks", row.serial}, {"ns", std::round(row.us * 1000)}};
  std::vector<Count> counts = {kSlots, kWavefronts, kSectorsFromL2};
  if (is_sum) {
    counts.insert(counts.end(), {kIntegerSlots, kFloat64Slots, kSectorsAgain, kSectorsStored, kDivisions, kBarriers,
                                 kFences, kCalls, kTouched});
  }
  for (Count c : counts) f[count_name(c)] = static_cast<double>(row.most[c]);
  return f;
}

// The version of nvcc, from the head of a file that it made.
std::string compiler() {
  std::ifstream file(std::string(VISE_PTX_FOLDER) + "/step_small_f32.ptx");
  for (std::string line; std::getline(file, line);) {
    if (line.find("release") != std::string::npos) return line.substr(line.find("release"));
  }
  return "?";
}

// "table | part | figure" -> value
Figures all_figures(const std::vector<StepTable> &tables) {
  Figures all;
  for (const StepTable &table : tables) {
    std::vector<PartRow> rows = table.parts;
    rows.push_back(table.sum);
    int n_exchanges = 0;
    for (PartRow &row : rows) {
      if (row.name.find("exchange") != std::string::npos) row.name = "exchange " + std::to_string(++n_exchanges);
      for (const auto &figure : figures_of(row, row.name == "sum"))
        all[table.title + " | " + row.name + " | " + figure.first] = figure.second;
    }
  }
  return all;
}

bool is_dearer(double now, double before) {
  return now > before * 1.02 + 2;
}

}  // namespace

bool write_figures(const std::string &path, const std::vector<StepTable> &tables) {
  std::ofstream file(path);
  file << "# What steps take by the ledger, on 132 multiprocessors: written by ./dev ledger --write, held by a test.\n"
       << "# compiler: " << compiler() << "\n";
  for (const auto &figure : all_figures(tables)) {
    file << figure.first << " | " << static_cast<long long>(figure.second) << "\n";
  }
  return static_cast<bool>(file.flush());
}

int check_figures(const std::string &path, const std::vector<StepTable> &tables) {
  std::ifstream file(path);
  Figures before;
  for (std::string line; std::getline(file, line);) {
    const size_t version = line.find("# compiler: ");
    if (version == 0 && line.substr(12) != compiler()) {
      printf("the figures are those of %s; here is %s\n", line.c_str() + 12, compiler().c_str());
      return 77;
    }
    const size_t at = line.rfind(" | ");
    if (line[0] != '#' && at != std::string::npos) before[line.substr(0, at)] = std::stod(line.substr(at + 3));
  }
  if (before.empty()) {
    printf("no figures in %s\n", path.c_str());
    return 1;
  }

  int n_dearer = 0, n_cheaper = 0;
  std::ostringstream parts;
  for (const auto &now : all_figures(tables)) {
    const auto known = before.find(now.first);
    const double was = known == before.end() ? 0 : known->second;
    n_cheaper += is_dearer(was, now.second);
    if (!is_dearer(now.second, was)) continue;
    const bool in_sum = now.first.find(" | sum | ") != std::string::npos;
    n_dearer += in_sum;
    (in_sum ? std::cout : parts) << now.first << ": " << now.second << ", was " << was << "\n";
  }

  if (n_dearer) std::cout << "in these parts:\n" << parts.str() << "`./dev ledger --write` accepts that.\n";
  if (n_cheaper && !n_dearer) printf("%d figures are lower; `./dev ledger --write` holds that.\n", n_cheaper);
  return n_dearer ? 1 : 0;
}
