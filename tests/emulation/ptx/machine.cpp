// Runs a grid: its resident CTAs and their warps take turns, each until it waits.
#include "machine.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdarg>
#include <numeric>
#include <random>
#include <set>

#include "count.h"
#include "lexer.h"
#include "ptx.h"
#include "tests/emulation/device/memory.h"
#include "tests/emulation/device/state.h"

namespace emu::ptx {

namespace {

// What ends a launch.
struct Stop {
  int line;
  std::string text;
};

constexpr int kQuantum = 4096;  // instructions that a warp makes before it is another's turn
constexpr int kPatience = 20000;

}  // namespace

void stop(const Warp &w, const Instruction &i, int lane, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const std::string text = format_arguments(format, arguments);
  va_end(arguments);
  throw Stop{i.line, format_text("CTA %u, warp %d, lane %d, in %s: %s", w.cta->number, w.rank, lane,
                                 w.frames.empty() ? "?" : w.frames.back().function->name.c_str(), text.c_str())};
}

Warp::Warp() = default;
Warp::Warp(Warp &&) noexcept = default;
Warp::~Warp() = default;
Cta::Cta() = default;
Cta::~Cta() = default;

// ---- frames ----------------------------------------------------------------------------------------------------------

namespace {

// Of the deepest chain of calls; refuses what cannot run.
size_t stack_bytes(const Module &module, const Function &f, std::set<const Function *> *open) {
  if (!f.is_defined) throw Stop{f.line, f.name + " is called and has no code"};
  if (!f.unsupported.empty()) throw Stop{f.line, f.unsupported};
  if (!open->insert(&f).second) throw Stop{f.line, f.name + " calls itself"};
  size_t most = 0;
  for (const Function *callee : f.callees) most = std::max(most, stack_bytes(module, *callee, open));
  open->erase(&f);
  return f.frame_bytes + most;
}

}  // namespace

void push_frame(Warp &w, const Function &f, Mask m, const Instruction *call) {
  char *at = w.memory;
  size_t first_ready = 0;
  if (!w.frames.empty()) {
    const Frame &caller = w.frames.back();
    at = caller.regs + caller.function->frame_bytes;
    first_ready = caller.first_ready + static_cast<size_t>(caller.function->n_registers);
  }

  w.frames.push_back({&f, at, first_ready, w.stack.size(), call});
  w.stack.push_back({0, -1, m});
  w.regs = at;
  w.code = f.code.data();
  note_frame(w);
}

void pop_frame(Warp &w) {
  w.stack.resize(w.frames.back().n_entries);
  w.frames.pop_back();
  w.regs = w.frames.back().regs;
  w.code = w.frames.back().function->code.data();
}

void warp_exits(Warp &w) {
  async_warp_exits(w);
  w.state = State::kExited;
  note_exit(w);
  --w.cta->n_running;
  note_change(w);
}

// ---- running ---------------------------------------------------------------------------------------------------------

namespace {

void step(Warp &w) {
  Entry &top = w.stack.back();
  const Instruction &i = w.code[top.pc++];
  Mask m = top.mask;
  if (i.guard >= 0) {
    const Mask guard = *reinterpret_cast<const Mask *>(w.regs + i.guard);
    m &= i.guard_not ? ~guard : guard;
  }

  if (counting()) {
    before_instruction(w, i, m);
    const size_t first_ready = w.frames.back().first_ready;
    if (m) i.run(w, i, m);
    after_instruction(w, i, first_ready);
  } else if (m) {
    i.run(w, i, m);
  }

  if (w.state == State::kExited) return;
  while (w.stack.back().pc == w.stack.back().end) w.stack.pop_back();
}

// Releases the barrier if the warp at hand was the last to come.
void try_barrier(Cta &cta, const Warp &w) {
  int n = 0;
  bool votes = false;
  for (const Warp &other : cta.warps) {
    if (other.state != State::kBarrier || other.barrier != w.barrier) continue;
    ++n;
    votes = votes || other.vote != 0;
  }
  if (n < w.barrier_warps) return;

  const int barrier = w.barrier;
  note_barrier(cta, barrier);
  for (Warp &other : cta.warps) {
    if (other.state != State::kBarrier || other.barrier != barrier) continue;
    if (other.vote_result.at >= 0) set_predicate(other, other.vote_result, votes ? kAll : 0, other.exist);
    other.vote = 0;
    other.state = State::kReady;
  }
  cta.grid->changed = true;
}

void run_warp(Warp &w, int quantum) {
  w.state = State::kReady;
  for (int n = 0; n < quantum && w.state == State::kReady; ++n) step(w);
  if (w.state == State::kReady && quantum == kQuantum) w.cta->grid->changed = true;  // much without a poll
  if (w.state == State::kBarrier) try_barrier(*w.cta, w);
}

// The warp whose turn it is, or nullptr if all wait: first or last first, or any.
Warp *next_ready(Cta &cta) {
  std::vector<Warp *> ready;
  for (Warp &w : cta.warps) {
    if (w.state == State::kReady) ready.push_back(&w);
  }
  if (ready.empty()) return nullptr;
  switch (settings().order) {
    case emu::Order::kReverse:
      return ready.back();
    case emu::Order::kRandom:
      return ready[random_number() % ready.size()];
    default:
      return ready.front();
  }
}

// Whether any warp could run. Those that poll have run once when it returns.
bool run_cta(Cta &cta) {
  const bool random = settings().order == emu::Order::kRandom;
  bool ran = false;
  while (Warp *w = next_ready(cta)) {
    run_warp(*w, random ? 1 + static_cast<int>(random_number() % kQuantum) : kQuantum);
    ran = true;
    if (random && random_number() % 32 == 0) break;
  }
  return ran;
}

std::string waiting_warps(const Grid &grid) {
  std::string text;
  int shown = 0;
  for (const auto &cta : grid.ctas) {
    for (const Warp &w : cta->warps) {
      if (w.state == State::kExited || ++shown > 16) continue;
      text += format_text("\n  CTA %u, warp %d %s, line %d", cta->number, w.rank,
                          w.state == State::kBarrier ? "at a barrier" : "polling", w.here().line);
    }
  }
  return text + (shown > 16 ? format_text("\n  and %d more", shown - 16) : "");
}

void run_resident(Grid &grid) {
  std::vector<Cta *> order;
  for (auto &cta : grid.ctas) order.push_back(cta.get());
  if (settings().order == emu::Order::kReverse) std::reverse(order.begin(), order.end());

  for (int idle = 0; !order.empty();) {
    grid.changed = false;
    bool ran = false;
    for (Cta *cta : order) {
      for (Warp &w : cta->warps) {
        if (w.state == State::kYield) w.state = State::kReady;
      }
      ran = run_cta(*cta) || ran;
    }
    if (signals_expired()) throw Stop{0, "no end in time (VISE_EMU_TIMEOUT):" + waiting_warps(grid)};

    order.erase(std::remove_if(order.begin(), order.end(), [](const Cta *c) { return c->n_running == 0; }),
                order.end());
    if (!ran && !order.empty()) throw Stop{0, "deadlock:" + waiting_warps(grid)};
    idle = grid.changed ? 0 : idle + 1;
    if (idle > kPatience) throw Stop{0, "endless spin, nobody makes progress:" + waiting_warps(grid)};
  }
}

// ---- making ----------------------------------------------------------------------------------------------------------

// Memory for the frames of warps, kept for the next launch.
char *frames_memory(size_t bytes) {
  static char *memory;
  static size_t size;
  if (bytes > size) {
    if (memory) munmap(memory, size);
    void *const made = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (made == MAP_FAILED) throw Stop{0, "no memory for the registers"};
    memory = static_cast<char *>(made);
    size = bytes;
  }
  return memory;
}

std::unique_ptr<Cta> make_cta(Grid &grid, uint32_t number, char *memory, size_t warp_bytes) {
  const Launch &launch = *grid.launch;
  auto cta = std::make_unique<Cta>();
  cta->grid = &grid;
  cta->number = number;
  cta->index = {number % launch.grid.x, number / launch.grid.x % launch.grid.y, number / launch.grid.x / launch.grid.y};

  const uint32_t dynamic_end = grid.module->dynamic_at + static_cast<uint32_t>(launch.dynamic_shared);
  cta->shared_end = launch.dynamic_shared ? dynamic_end : grid.kernel->static_end;
  cta->shared.reset(new char[cta->shared_end - kSharedBase + 64]);
  memset(cta->shared.get(), 0xff, cta->shared_end - kSharedBase);

  const unsigned threads = launch.block.x * launch.block.y * launch.block.z;
  cta->warps.resize((threads + kLanes - 1) / kLanes);
  cta->n_running = static_cast<int>(cta->warps.size());
  for (size_t k = 0; k < cta->warps.size(); ++k) {
    Warp &w = cta->warps[k];
    w.cta = cta.get();
    w.rank = static_cast<int>(k);
    const unsigned rest = threads - static_cast<unsigned>(k) * kLanes;
    w.exist = rest >= kLanes ? kAll : (1u << rest) - 1;
    w.memory = memory + k * warp_bytes;
  }
  note_cta(*cta);
  for (Warp &w : cta->warps) push_frame(w, *grid.kernel, w.exist, nullptr);
  return cta;
}

std::vector<unsigned char> pack_arguments(const Function &kernel, const Launch &launch) {
  if (kernel.params.size() != launch.arguments.size()) throw Stop{kernel.line, "another number of arguments"};
  std::vector<unsigned char> bytes(static_cast<size_t>(kernel.param_bytes));
  for (size_t k = 0; k < kernel.params.size(); ++k) {
    if (launch.arguments[k].size() != static_cast<size_t>(kernel.params[k].bytes)) {
      throw Stop{kernel.line, format_text("argument %zu has %zu bytes, the PTX wants %d", k, launch.arguments[k].size(),
                                          kernel.params[k].bytes)};
    }
    memcpy(bytes.data() + kernel.params[k].at, launch.arguments[k].data(), launch.arguments[k].size());
  }
  return bytes;
}

// Allocations may have been freed since the last launch.
void forget_allocations(const Module &module) {
  for (const auto &entry : module.functions) {
    for (const Instruction &i : entry.second->code) i.low = 1, i.high = 0;
  }
}

void run_waves(const Module &module, const Function &kernel, const Launch &launch) {
  Grid grid;
  grid.launch = &launch;
  grid.module = &module;
  grid.kernel = &kernel;
  grid.arguments = pack_arguments(kernel, launch);
  std::set<const Function *> open;
  const size_t warp_bytes = round_up(stack_bytes(module, kernel, &open), 4096);
  forget_allocations(module);
  note_launch(grid);

  const size_t n_ctas = size_t(launch.grid.x) * launch.grid.y * launch.grid.z;
  const size_t together = size_t(launch.cluster.x) * launch.cluster.y * launch.cluster.z;
  const size_t at_once =
      launch.cooperative ? n_ctas : std::min(n_ctas, std::max(together, size_t(settings().sms) / together * together));
  const size_t n_warps = (launch.block.x * launch.block.y * launch.block.z + kLanes - 1) / kLanes;
  char *const memory = frames_memory(at_once * n_warps * warp_bytes);

  for (size_t first = 0; first < n_ctas; first += at_once) {
    for (size_t k = first; k < std::min(first + at_once, n_ctas); ++k) {
      grid.ctas.push_back(
          make_cta(grid, static_cast<uint32_t>(k), memory + (k - first) * n_warps * warp_bytes, warp_bytes));
    }
    run_resident(grid);
    note_end(grid);
    grid.ctas.clear();
  }
}

}  // namespace

void run(const Module &module, const Function &kernel, const Launch &launch) {
  try {
    run_waves(module, kernel, launch);
  } catch (const Stop &stop) {
    record_error(cudaErrorLaunchFailure, nullptr, module.file.c_str(), stop.line, stop.text);
  }
}

}  // namespace emu::ptx
