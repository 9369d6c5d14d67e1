// Who knows what about whom. Time in a thread is its clock, raised whenever it tells others what it has done. A block
// barrier raises the block's epoch: all its threads then know all that came before, and clocks need no comparing.
// Knowledge holds what is known about other blocks and, since the last barrier, about threads of its own block.
#pragma once
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

namespace emu {

// What is known about one block: everything before epoch and, within it, some threads up to a clock.
struct Known {
  uint32_t epoch = 0;
  std::vector<std::pair<uint16_t, uint32_t>> clocks;  // (thread, clock), sorted by thread

  bool covers(uint32_t other_epoch, uint16_t thread, uint32_t clock) const;
  void add_clock(uint16_t thread, uint32_t clock);
  void merge(const Known &other);
};

class Knowledge {
 public:
  const Known *of(uint32_t block) const;
  Known &at(uint32_t block) {
    return blocks_[block];
  }
  void merge(const Knowledge &other);

 private:
  std::unordered_map<uint32_t, Known> blocks_;
};

// Shared until changed: many threads learn the same at once.
using KnowledgeRef = std::shared_ptr<const Knowledge>;
// The union; one of the two itself when the other is empty or the same.
KnowledgeRef joined(const KnowledgeRef &a, const KnowledgeRef &b);

}  // namespace emu
