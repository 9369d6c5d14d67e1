#include "memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "grid.h"
#include "sanitizer.h"
#include "state.h"

namespace emu {

namespace {

constexpr size_t kArena = size_t(16) << 30;  // addresses only; pages are mapped as they are allocated
constexpr size_t kPage = 4096, kAlign = 256;
constexpr unsigned char kNan = 0xff, kCanary = 0xa5;

struct Allocation {
  size_t bytes;
  char *page;  // first mapped page
  size_t page_bytes;
};

char *arena, *arena_next;
std::map<char *, Allocation> live;
std::map<char *, size_t> freed;  // for descriptions
std::map<const char *, size_t> host_ranges;
size_t used;
std::string check_text;

void reserve() {
  void *memory = mmap(nullptr, kArena, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    perror("emulation: no addresses for device memory");
    abort();
  }
  arena = arena_next = static_cast<char *>(memory);
}

// The live allocation that starts at or before the address, whether or not it reaches that far.
std::map<char *, Allocation>::iterator before(const void *address) {
  auto after = live.upper_bound(static_cast<char *>(const_cast<void *>(address)));
  return after == live.begin() ? live.end() : std::prev(after);
}

void fill_slack(char *start, const Allocation &a) {
  char *end = a.page + a.page_bytes;
  memset(a.page, kCanary, static_cast<size_t>(start - a.page));
  memset(start + a.bytes, kCanary, static_cast<size_t>(end - start) - a.bytes);
  poison(a.page, static_cast<size_t>(start - a.page));
  poison(start + a.bytes, static_cast<size_t>(end - start) - a.bytes);
}

const char *first_damage(const char *from, const char *to) {
  for (; from < to; ++from) {
    if (static_cast<unsigned char>(*from) != kCanary) return from;
  }
  return nullptr;
}

// Under AddressSanitizer the slack is poisoned instead: a write there is reported at once.
const char *damage(const char *start, const Allocation &a) {
#if EMU_ASAN
  (void)start, (void)a, (void)first_damage;
  return nullptr;
#else
  const char *found = first_damage(a.page, start);
  return found ? found : first_damage(start + a.bytes, a.page + a.page_bytes);
#endif
}

}  // namespace

void *memory_allocate(size_t bytes) {
  if (!arena) reserve();
  if (bytes > settings().memory || used + bytes > settings().memory) return nullptr;

  const size_t page_bytes = round_up(std::max<size_t>(bytes, 1), kPage);
  // An unmapped page before and after; the allocation ends as near to the one after as its alignment allows.
  if (arena_next + page_bytes + 2 * kPage > arena + kArena) return nullptr;
  Allocation a = {bytes, arena_next + kPage, page_bytes};
  if (mprotect(a.page, a.page_bytes, PROT_READ | PROT_WRITE) != 0) return nullptr;
  arena_next = a.page + a.page_bytes;

  char *start = a.page + a.page_bytes - round_up(std::max<size_t>(bytes, 1), kAlign);
  unpoison(a.page, a.page_bytes);
  memset(start, kNan, bytes);
  fill_slack(start, a);

  live.emplace(start, a);
  used += bytes;
  ++counters().allocations;
  return start;
}

cudaError_t memory_free(void *pointer) {
  const auto found = live.find(static_cast<char *>(pointer));
  if (found == live.end()) return cudaErrorInvalidValue;
  const Allocation a = found->second;

  unpoison(a.page, a.page_bytes);
  madvise(a.page, a.page_bytes, MADV_DONTNEED);
  mprotect(a.page, a.page_bytes, PROT_NONE);

  freed[found->first] = a.bytes;
  race_memory_freed(a.page, a.page_bytes);
  used -= a.bytes;
  live.erase(found);
  ++counters().frees;
  return cudaSuccess;
}

bool memory_contains(const void *pointer, size_t bytes, void **base, size_t *size) {
  const auto *byte = static_cast<const char *>(pointer);
  const auto found = before(pointer);
  if (found == live.end() || byte > found->first + found->second.bytes ||
      (byte == found->first + found->second.bytes && bytes != 0)) {
    return false;
  }
  if (base) *base = found->first;
  if (size) *size = found->second.bytes;
  return bytes <= found->second.bytes - static_cast<size_t>(byte - found->first);
}

size_t memory_used() {
  return used;
}

size_t memory_live() {
  return live.size();
}

void memory_free_all() {
  while (!live.empty()) memory_free(live.begin()->first);
}

const char *memory_check() {
  check_text.clear();
  for (const auto &entry : live) {
    const char *found = damage(entry.first, entry.second);
    if (!found) continue;
    check_text = format_text("global memory was overrun: a write at %p%s", static_cast<const void *>(found),
                             memory_describe(found).c_str());
    fill_slack(entry.first, entry.second);
    break;
  }
  return check_text.c_str();
}

std::string memory_describe(const void *address) {
  const auto *byte = static_cast<const char *>(address);
  if (!arena || byte < arena || byte >= arena + kArena) return "";

  const auto here = before(address);
  if (here != live.end() && byte < here->first + here->second.bytes + 2 * kPage) {
    const auto offset = static_cast<size_t>(byte - here->first);
    if (offset < here->second.bytes) return format_text(" (byte %zu of %zu allocated)", offset, here->second.bytes);
    return format_text(" (%zu bytes past the end of an allocation of %zu bytes)", offset - here->second.bytes,
                       here->second.bytes);
  }

  auto gone = freed.upper_bound(const_cast<char *>(byte));
  if (gone != freed.begin() && byte < std::prev(gone)->first + std::prev(gone)->second) {
    return format_text(" (freed memory, of an allocation of %zu bytes)", std::prev(gone)->second);
  }

  const auto next = live.upper_bound(const_cast<char *>(byte));
  if (next != live.end() && next->first - byte < static_cast<ptrdiff_t>(2 * kPage)) {
    return format_text(" (%zu bytes before an allocation of %zu bytes)", static_cast<size_t>(next->first - byte),
                       next->second.bytes);
  }

  return " (no allocation)";
}

char *memory_arena(size_t *bytes) {
  *bytes = kArena;
  return arena;
}

void host_memory_add(void *pointer, size_t bytes) {
  host_ranges[static_cast<char *>(pointer)] = bytes;
}

void host_memory_remove(void *pointer) {
  host_ranges.erase(static_cast<char *>(pointer));
}

bool host_memory_contains(const void *pointer, size_t bytes) {
  const auto *byte = static_cast<const char *>(pointer);
  auto after = host_ranges.upper_bound(byte);
  if (after == host_ranges.begin()) return false;
  --after;
  return byte + bytes <= after->first + after->second;
}

}  // namespace emu
