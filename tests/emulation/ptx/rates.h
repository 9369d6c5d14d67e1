// What the ledger's machine can do: rates and latencies of one multiprocessor of an H200, in clocks. These are the only
// such numbers. None is measured here; [R] is kernels/README.md and host/plan/cost.c, [G] shared facts on Hopper
// (barriers, L2 and exchange latencies as measured on H100 and H200 by others), [P] the CUDA programming guide's table
// of arithmetic throughput for compute capability 9.0, [M] published microbenchmarks of Volta to Hopper.
#pragma once

namespace emu::ptx {

struct Rates {
  double clocks_per_us = 1980;         // [R]
  double slots = 4;                    // warp instructions issued in a clock [P]
  double integer_slots = 2;            // of these integer and logic: 64 lanes a clock [P]
  double float64_slots = 2;            // 64 lanes a clock [P]
  double wavefronts = 1;               // 128 bytes of shared memory a clock [P]
  double l2_bytes = 30000.0 / 1980.0;  // read from L2 by one multiprocessor while all do [R]
  double launch_us = 1.3;              // a launch after another one [R]
};

struct Latencies {
  // Those of arithmetic are in the tables of instructions.
  unsigned shared = 29;         // [M]
  unsigned l1 = 38;             // a global load that hits the first cache [M]
  unsigned l2 = 265;            // [G]
  unsigned shared_atomic = 60;  // [M]
  unsigned barrier = 20;        // after the last warp has come [M]
  unsigned fence = 300;         // until earlier stores are in L2: chosen so that an exchange takes about 0.65 us [G]
  unsigned store = 250;         // until another multiprocessor can see a store in L2: likewise
};

constexpr Rates kRates;
constexpr Latencies kLatencies;

}  // namespace emu::ptx
