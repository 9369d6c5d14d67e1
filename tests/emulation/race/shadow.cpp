// Shadow memory: for every four bytes, the last write and two reads. Every access of a kernel is compared with them,
// and with the bounds of the memory it touches.
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <unordered_map>

#include "../device/memory.h"
#include "race.h"

extern "C" char __executable_start, _end;
extern "C" char __start_emu_shared[], __stop_emu_shared[];

namespace emu {

namespace {

struct Record {
  uint32_t age, block, epoch, clock, code;
  uint16_t thread;
  uint8_t bytes;
  Access kind;
};
struct Cell {
  Record write, reads[2];
};
static_assert(sizeof(Cell) == 72);

struct Race {
  Record first, second;
  std::string where;
};

constexpr size_t kMostReports = 10;
constexpr uint32_t kSiteBit = 0x80000000u;

Cell *global_cells, *shared_cells;
size_t shared_cells_bytes;
std::vector<Race> races;
std::set<std::pair<uint32_t, uint32_t>> seen_pairs;
std::vector<std::pair<const char *, int>> sites;
std::map<std::pair<const char *, int>, uint32_t> site_numbers;

Cell *reserve(size_t bytes) {
  void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    perror("emulation: no addresses for the race checker");
    abort();
  }
  return static_cast<Cell *>(memory);
}

bool is_write(Access kind) {
  return kind == Access::kWrite || kind == Access::kAtomicWrite;
}
bool is_atomic(Access kind) {
  return kind >= Access::kAtomicRead;
}

bool happened_before(const Record &past, uint32_t age, const Record &now) {
  if (past.age != age) return true;
  const RaceThread &race = *current->race;

  if (past.block == now.block) {
    if (past.thread == now.thread || past.epoch < now.epoch) return true;
    if (past.thread / kWarpSize == now.thread / kWarpSize && race.lanes_epoch == now.epoch &&
        race.lanes[past.thread % kWarpSize] >= past.clock) {
      return true;
    }
  }

  if (!race.known) return false;
  const Known *known = race.known->of(past.block);
  return known && known->covers(past.epoch, past.thread, past.clock);
}

bool conflict(const Record &past, uint32_t age, const Record &now) {
  return past.kind != Access::kNone && (past.bytes & now.bytes) != 0 && (is_write(past.kind) || is_write(now.kind)) &&
         !(is_atomic(past.kind) && is_atomic(now.kind)) && !happened_before(past, age, now);
}

void report(const Record &past, const Record &now, const char *address, bool shared, size_t offset) {
  if (!seen_pairs.insert({past.code, now.code}).second || races.size() >= kMostReports) return;

  std::string where;
  if (!shared) {
    where = format_text("global memory %p%s", static_cast<const void *>(address), memory_describe(address).c_str());
  } else if (offset < shared_static_bytes()) {
    where = format_text("shared memory `%s`", symbol_name(__start_emu_shared + offset).c_str());
  } else {
    const size_t begin = static_cast<size_t>(static_cast<char *>(dynamic_shared()) - current->block->store);
    where = format_text("dynamic shared memory, byte %zu", offset - begin);
  }

  races.push_back({past, now, where});
}

void touch(Cell &cell, uint32_t age, const Record &now, const char *address, bool shared, size_t offset) {
  if (conflict(cell.write, age, now)) report(cell.write, now, address, shared, offset);

  if (!is_write(now.kind)) {
    Record &first = cell.reads[0];
    const bool replace = first.kind == Access::kNone || (first.block == now.block && first.thread == now.thread) ||
                         happened_before(first, age, now);
    (replace ? first : cell.reads[1]) = now;
    return;
  }

  for (Record &read : cell.reads) {
    if (conflict(read, age, now)) report(read, now, address, shared, offset);
    read.kind = Access::kNone;
  }
  cell.write = now;
}

// Allocations by page: each has pages of its own, and none comes or goes during a launch.
struct Bounds {
  uintptr_t page = 0;
  char *start = nullptr;
  size_t bytes = 0;
};
Bounds bounds_cache[256];

bool in_allocation(const char *address, size_t bytes) {
  const uintptr_t page = reinterpret_cast<uintptr_t>(address) >> 12;
  Bounds &bounds = bounds_cache[page % 256];
  if (bounds.page != page) {
    void *start = nullptr;
    size_t size = 0;
    if (!memory_contains(address, 1, &start, &size)) return false;
    bounds = {page, static_cast<char *>(start), size};
  }
  return address >= bounds.start && address + bytes <= bounds.start + bounds.bytes;
}

std::string describe_code(uint32_t code) {
  if (code & kSiteBit) {
    const auto &site = sites[code & ~kSiteBit];
    return format_text("%s:%d", site.first, site.second);
  }
  return source_of(&__executable_start + code);
}

[[noreturn]] void illegal(const char *address, size_t bytes, Access kind, uint32_t code, const char *what) {
  const std::string at = describe_code(code) + memory_describe(address);
  char place[512];
  snprintf(place, sizeof place, "%s", at.c_str());
  const_cast<std::string &>(at).~basic_string();
  fail_with(cudaErrorIllegalAddress, "", 0, "%s of %zu bytes at %p, %s, at %s", is_write(kind) ? "write" : "read",
            bytes, static_cast<const void *>(address), what, place);
}

// The program's own objects, stacks and pinned host memory: not checked for races. Kernels may touch nothing else.
bool is_unchecked(const char *address, size_t bytes) {
  return (address >= &__executable_start && address < &_end) || fiber_owns(current->fiber, address) ||
         fiber_stacks_contain(address) || host_memory_contains(address, bytes);
}

}  // namespace

uint32_t intern_site(const char *file, int line) {
  const auto inserted = site_numbers.emplace(std::make_pair(file, line), static_cast<uint32_t>(sites.size()));
  if (inserted.second) sites.emplace_back(file, line);
  return inserted.first->second | kSiteBit;
}

uint32_t code_of_address(const void *code) {
  // The instruction before the return address; far from the program it means nothing.
  return static_cast<uint32_t>(static_cast<const char *>(code) - 1 - &__executable_start) & ~kSiteBit;
}

void check_access(const void *pointer, size_t bytes, Access kind, uint32_t code) {
  const Thread *thread = current;
  if (!thread) return;

  const auto *address = static_cast<const char *>(pointer);
  size_t arena_bytes = 0;
  const char *arena = memory_arena(&arena_bytes);
  Block *block = thread->block;
  Cell *cells;
  size_t offset;
  bool shared = true;

  if (arena && address >= arena && address < arena + arena_bytes) {
    if (!in_allocation(address, bytes)) illegal(address, bytes, kind, code, "outside allocated device memory");
    if (!global_cells) global_cells = reserve(arena_bytes / 4 * sizeof(Cell));
    offset = static_cast<size_t>(address - arena);
    cells = global_cells;
    shared = false;
  } else if (fiber_owns(thread->fiber, address)) {
    return;
  } else if (shared_locate(address, &block, &offset)) {
    if (!block) illegal(address, bytes, kind, code, "shared memory of another cluster");
    if (block->ended()) illegal(address, bytes, kind, code, "shared memory of a block that has ended");
    if (!shared_range_is_valid(offset, bytes)) illegal(address, bytes, kind, code, "outside the block's shared memory");
    cells = shared_cells + block->race->slot * (shared_block_bytes() / 4);
  } else {
    if (is_unchecked(address, bytes)) return;
    illegal(address, bytes, kind, code, "memory of the host");
  }

  const uint32_t age = shared ? shared_age : global_age;
  const Block *own = thread->block;
  Record now = {age, own->number, own->race->epoch, thread->race->clock, code, static_cast<uint16_t>(thread->rank),
                0,   kind};

  for (size_t word = offset & ~size_t(3); word < offset + bytes; word += 4) {
    const size_t low = word < offset ? offset - word : 0;
    const size_t high = offset + bytes - word < 4 ? offset + bytes - word : 4;
    now.bytes = static_cast<uint8_t>(((1u << high) - 1) & ~((1u << low) - 1));
    touch(cells[word / 4], age, now, address, shared, word);
  }
}

void shadow_new_launch() {
  for (Bounds &bounds : bounds_cache) bounds = Bounds();
  races.clear();
  seen_pairs.clear();
}

void shadow_begin_wave(size_t n_blocks) {
  const size_t bytes = n_blocks * (shared_block_bytes() / 4) * sizeof(Cell);
  if (bytes <= shared_cells_bytes) return;
  if (shared_cells) munmap(shared_cells, shared_cells_bytes);
  shared_cells = reserve(bytes);
  shared_cells_bytes = bytes;
}

void race_memory_freed(const void *start, size_t bytes) {
  if (!global_cells) return;
  size_t arena_bytes = 0;
  const char *arena = memory_arena(&arena_bytes);
  const size_t first = static_cast<size_t>(static_cast<const char *>(start) - arena) / 4;
  // Whole pages only; the addresses are not used again.
  auto *from = reinterpret_cast<char *>((reinterpret_cast<uintptr_t>(global_cells + first) + 4095) & ~uintptr_t(4095));
  auto *to = reinterpret_cast<char *>(reinterpret_cast<uintptr_t>(global_cells + first + bytes / 4) & ~uintptr_t(4095));
  if (to > from) madvise(from, static_cast<size_t>(to - from), MADV_DONTNEED);
}

std::string race_report() {
  if (races.empty()) return "";

  const auto text = [](const Record &r) {
    static const char *const kinds[] = {"", "read", "write", "atomic read", "atomic write"};
    return format_text("%s at %s by block %u thread %u", kinds[static_cast<int>(r.kind)], describe_code(r.code).c_str(),
                       r.block, r.thread);
  };

  std::string all = format_text("%zu pairs of accesses without order:", seen_pairs.size());
  for (const Race &race : races) {
    all += "\n  race on " + race.where + ": " + text(race.first) + ", " + text(race.second);
  }

  races.clear();
  return all;
}

}  // namespace emu
