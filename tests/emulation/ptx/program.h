// A PTX module, decoded: functions of instructions whose operands are places in a frame. A warp's register of w bytes is
// an array of w bytes for each of 32 lanes, in a frame of its own for each call; a predicate is a mask of 32 bits.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace emu::ptx {

constexpr int kLanes = 32;
constexpr uint32_t kAll = 0xffffffffu;
using Mask = uint32_t;

// Shared addresses begin above null, as on a device, whose first kilobyte is the system's.
constexpr uint32_t kSharedBase = 1024;
// Generic addresses of shared memory: this and the address; that of another CTA of the cluster has its rank + 1 above.
constexpr uint64_t kSharedWindow = uint64_t(1) << 60, kSharedRank = uint64_t(1) << 32;

struct Warp;
struct Function;
struct Instruction;
using Handler = void (*)(Warp &, const Instruction &, Mask);

// What an instruction is counted as.
enum class Class : uint8_t {
  kFma,      // float32 that the FMA pipes make: fma, add, mul, sub
  kOther32,  // float32 comparisons, selections, conversions
  kInteger,  // and logic, predicates, moves that remain
  kFloat64,
  kDivision,  // divisions and square roots, each as the instructions that take its place
  kSharedLoad,
  kSharedStore,
  kGlobalLoad,
  kGlobalStore,
  kAsyncCopy,
  kAtomic,
  kBranch,   // and calls, returns
  kShuffle,  // shfl, vote, redux
  kBarrier,  // bar.sync, fences, waits
  kNone,     // takes no instruction of the machine: moves that vanish, parameters
  kClasses
};

struct Operand {
  const void *constant = nullptr;  // of 32 lanes, or else
  int32_t at = -1;                 // a place in the frame
  int16_t id = -1;                 // number of the register in its function
  bool wide = false;               // of an address: 64 bits
};

enum class Space : uint8_t { kGeneric, kGlobal, kShared, kParam };
// kRelaxed: of volatile accesses and atomics; kStrong: of loads that poll, and stores that are polled for, without order.
enum class Ordering : uint8_t { kPlain, kRelaxed, kStrong, kAcquire, kRelease, kBoth };

// Whether a load with this order may be a poll.
inline bool polls(Ordering order) {
  return order == Ordering::kAcquire || order == Ordering::kStrong;
}

constexpr int kOperands = 8;
constexpr int kNoTarget = -2, kTheEnd = -1;  // of an instruction that does not jump; of one that returns

// A parameter of a call: places in the frames of caller and callee.
struct Passed {
  int actual = 0, formal = 0, bytes = 0;
  int16_t actual_id = -1, formal_id = -1;
};

struct Instruction {
  Handler run = nullptr;
  Operand o[kOperands];  // destinations, then sources
  uint8_t n = 0, n_out = 0;
  Class cls = Class::kInteger;
  Space space = Space::kGeneric;
  bool guard_not = false;
  Ordering order = Ordering::kPlain;
  bool coherent = true;  // not ld.global.nc
  uint8_t bytes = 0;     // of an access by a lane
  int32_t guard = -1;    // place of the predicate
  int16_t guard_id = -1;
  uint16_t slots = 1;    // issue slots
  uint16_t latency = 4;  // clocks until the result can be used; of an access: beyond its memory's
  int line = 0, index = 0;
  int target = kNoTarget;   // of a branch
  int reconverge = 0;       // where its lanes meet again
  uint8_t operation = 0;    // of an atomic
  int64_t offset = 0;       // of an address; other constants
  int64_t offset_from = 0;  // of the source of a copy
  const Function *callee = nullptr;
  const std::vector<Passed> *passed = nullptr;  // of a call: its result, if there is one, then its arguments
  bool has_result = false;
  bool reads_clock = false;
  bool begins_block = false;            // a label stands before it
  bool ends_block = false;              // what follows is issued after it
  bool marks = false;                   // a mark of the ledger (counts.h)
  bool is_double = false;               // made by the float64 pipe
  int16_t param_id = -1;                // of a parameter that it reads or writes
  mutable uintptr_t low = 1, high = 0;  // the allocation that was accessed last
  std::string name;
};

// A .param variable of a function: words of 32 lanes in its frame.
struct Param {
  std::string name;
  int at = 0;  // place in the frame; of a kernel: offset in its arguments
  int bytes = 0;
  int16_t id = -1;
};

struct Function {
  std::string name;
  bool is_entry = false, is_defined = false;
  int line = 0;
  std::vector<Param> results, params;
  std::vector<Instruction> code;  // the last one is its end
  size_t frame_bytes = 0;
  int n_registers = 0;
  uint32_t static_end = kSharedBase;  // end of its own static shared memory
  int param_bytes = 0;                // of a kernel's arguments
  int first_instruction = 0;          // in the module's numbers
  std::string unsupported;            // why it cannot run, or ""
  std::vector<const Function *> callees;
  std::deque<std::vector<unsigned char>> constants;
  std::deque<std::vector<Passed>> calls;
};

struct Module {
  std::string file;
  std::map<std::string, std::unique_ptr<Function>> functions;
  uint32_t dynamic_at = kSharedBase;  // where dynamic shared memory begins
  int n_instructions = 0;
};

// Throws Error.
std::unique_ptr<Module> read_module(const std::string &file, const std::string &text);

// Fills the targets where lanes of a divergent branch meet: immediate post-dominators.
void find_reconvergence(Function &function);

}  // namespace emu::ptx
