// A step, part by part, from the counts of a launch.
#pragma once
#include <string>
#include <vector>

#include "tests/emulation/ptx/counts.h"
#include "tests/ptx/job.h"

struct PartRow {
  std::string name;
  emu::ptx::Counts most{};  // of each count, over CTAs
  double serial = 0;        // clocks
  size_t cta = 0;           // whose serial path that is; of exchanges, who does the most meanwhile
  double us = 0;
  std::string bound;  // what takes that long
};

struct StepTable {
  std::string title, kernel;
  size_t n_ctas = 0, n_instructions = 0, n_slots = 0;
  std::vector<PartRow> parts;
  PartRow sum;
  double path_us = 0;  // the serial path of the whole step
};

// Trains, and takes a step from the middle of it.
StepTable step_table(ledger_job job, bool many);

// The size of the machine code of a kernel and all that it calls, or 0 where no .cubin is beside the PTX.
size_t code_bytes(const std::string &kernel);
