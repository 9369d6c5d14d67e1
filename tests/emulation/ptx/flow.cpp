// Where diverged lanes meet again: the immediate post-dominator of a branch, over single instructions. The end of the
// function, where every return goes, post-dominates all that reaches it.
#include <algorithm>

#include "program.h"

namespace emu::ptx {

namespace {

// Successors of instruction k; the end has none.
std::vector<int> successors(const Function &f, int k) {
  const Instruction &i = f.code[static_cast<size_t>(k)];
  const int n = static_cast<int>(f.code.size()) - 1;
  if (k == n) return {};
  if (i.target == kNoTarget) return {k + 1};
  if (i.guard < 0) return {i.target};
  return {k + 1, i.target};
}

}  // namespace

// Cooper, Harvey and Kennedy's algorithm on the reversed graph.
void find_reconvergence(Function &f) {
  const int n = static_cast<int>(f.code.size()), end = n - 1;
  std::vector<std::vector<int>> predecessors(static_cast<size_t>(n)), following(static_cast<size_t>(n));
  for (int k = 0; k < n; ++k) {
    following[static_cast<size_t>(k)] = successors(f, k);
    for (int to : following[static_cast<size_t>(k)]) predecessors[static_cast<size_t>(to)].push_back(k);
  }

  // Post-order of the walk from the end against the flow.
  std::vector<int> order, number(static_cast<size_t>(n), -1), stack = {end};
  std::vector<size_t> next(static_cast<size_t>(n), 0);
  std::vector<bool> seen(static_cast<size_t>(n), false);
  seen[static_cast<size_t>(end)] = true;
  while (!stack.empty()) {
    const auto at = static_cast<size_t>(stack.back());
    if (next[at] < predecessors[at].size()) {
      const int to = predecessors[at][next[at]++];
      if (!seen[static_cast<size_t>(to)]) {
        seen[static_cast<size_t>(to)] = true;
        stack.push_back(to);
      }
    } else {
      number[at] = static_cast<int>(order.size());
      order.push_back(static_cast<int>(at));
      stack.pop_back();
    }
  }

  std::vector<int> meets(static_cast<size_t>(n), -1);
  meets[static_cast<size_t>(end)] = end;
  const auto join = [&](int a, int b) {
    while (a != b) {
      while (number[static_cast<size_t>(a)] < number[static_cast<size_t>(b)]) a = meets[static_cast<size_t>(a)];
      while (number[static_cast<size_t>(b)] < number[static_cast<size_t>(a)]) b = meets[static_cast<size_t>(b)];
    }
    return a;
  };

  for (bool changed = true; changed;) {
    changed = false;
    for (auto k = order.rbegin(); k != order.rend(); ++k) {
      if (*k == end) continue;
      int meet = -1;
      for (int to : following[static_cast<size_t>(*k)]) {
        if (meets[static_cast<size_t>(to)] >= 0) meet = meet < 0 ? to : join(to, meet);
      }
      if (meet != meets[static_cast<size_t>(*k)]) {
        meets[static_cast<size_t>(*k)] = meet;
        changed = true;
      }
    }
  }

  // Code from which the end cannot be reached (endless loops) meets at the end.
  for (int k = 0; k < n; ++k) {
    const int meet = meets[static_cast<size_t>(k)];
    f.code[static_cast<size_t>(k)].reconverge = meet < 0 ? end : meet;
  }
}

}  // namespace emu::ptx
