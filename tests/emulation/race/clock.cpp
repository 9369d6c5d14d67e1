#include "clock.h"

#include <algorithm>

namespace emu {

namespace {
bool earlier(const std::pair<uint16_t, uint32_t> &entry, uint16_t thread) {
  return entry.first < thread;
}
}  // namespace

bool Known::covers(uint32_t other_epoch, uint16_t thread, uint32_t clock) const {
  if (other_epoch != epoch) return other_epoch < epoch;
  const auto found = std::lower_bound(clocks.begin(), clocks.end(), thread, earlier);
  return found != clocks.end() && found->first == thread && found->second >= clock;
}

void Known::add_clock(uint16_t thread, uint32_t clock) {
  const auto found = std::lower_bound(clocks.begin(), clocks.end(), thread, earlier);
  if (found != clocks.end() && found->first == thread) {
    found->second = std::max(found->second, clock);
  } else {
    clocks.insert(found, {thread, clock});
  }
}

void Known::merge(const Known &other) {
  if (other.epoch < epoch) return;
  if (other.epoch > epoch) {
    *this = other;
    return;
  }
  for (const auto &entry : other.clocks) add_clock(entry.first, entry.second);
}

const Known *Knowledge::of(uint32_t block) const {
  const auto found = blocks_.find(block);
  return found == blocks_.end() ? nullptr : &found->second;
}

void Knowledge::merge(const Knowledge &other) {
  for (const auto &entry : other.blocks_) {
    const auto inserted = blocks_.insert(entry);
    if (!inserted.second) inserted.first->second.merge(entry.second);
  }
}

KnowledgeRef joined(const KnowledgeRef &a, const KnowledgeRef &b) {
  if (!a || a == b) return b;
  if (!b) return a;
  auto both = std::make_shared<Knowledge>(*a);
  both->merge(*b);
  return both;
}

}  // namespace emu
