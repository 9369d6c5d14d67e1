// atom and red.
#include <algorithm>

#include "count.h"
#include "decode.h"
#include "machine.h"

namespace emu::ptx {

namespace {

enum Operation : uint8_t { kAdd, kMin, kMax, kAnd, kOr, kXor, kExchange, kCompareAndSwap, kOperations };
const char *const kNames[] = {"add", "min", "max", "and", "or", "xor", "exch", "cas"};

// T is signed for comparisons of signed numbers.
template <class T>
T combine(uint8_t operation, T old, T a, T b) {
  using U = std::make_unsigned_t<T>;
  switch (operation) {
    case kAdd:
      return static_cast<T>(static_cast<U>(old) + static_cast<U>(a));
    case kMin:
      return std::min(old, a);
    case kMax:
      return std::max(old, a);
    case kAnd:
      return old & a;
    case kOr:
      return old | a;
    case kXor:
      return old ^ a;
    case kExchange:
      return a;
    default:
      return old == a ? b : old;
  }
}

// The lanes one after the other.
template <class T>
void atomic(Warp &w, const Instruction &i, Mask m) {
  Places places;
  const int where = i.n_out;
  locate(w, i, m, i.o[where], &places);
  note_access(w, i, m, places, Access::kAtomic);
  const T *a = in<T>(w, i.o[where + 1]), *b = i.n > where + 2 ? in<T>(w, i.o[where + 2]) : a;

  PTX_EACH_LANE(l, m) {
    T old;
    memcpy(&old, places.at[l], sizeof old);
    const T value = combine(i.operation, old, a[l], b[l]);
    memcpy(places.at[l], &value, sizeof value);
    if (where) out<T>(w, i.o[0])[l] = old;
  }
  note_change(w);
}

}  // namespace

bool decode_atomic(Decoder &d, const std::vector<std::string> &parts, const std::vector<Written> &w, Instruction *i) {
  const bool returns = parts[0] == "atom";
  if ((!returns && parts[0] != "red") || w.size() < 2) return false;

  i->operation = kOperations;
  i->order = Ordering::kRelaxed;
  for (size_t k = 1; k + 1 < parts.size(); ++k) {
    const std::string &part = parts[k];
    const auto found = std::find(std::begin(kNames), std::end(kNames), part);
    if (found != std::end(kNames)) {
      i->operation = static_cast<uint8_t>(found - kNames);
    } else if (part == "global" || part == "shared") {
      i->space = part == "global" ? Space::kGlobal : Space::kShared;
    } else if (part == "acquire" || part == "release" || part == "acq_rel") {
      i->order = part == "acquire" ? Ordering::kAcquire : part == "release" ? Ordering::kRelease : Ordering::kBoth;
    } else if (part != "relaxed" && part != "gpu" && part != "sys" && part != "cta") {
      return false;
    }
  }

  const std::string &type = parts.back();
  const int width = type == "u32" || type == "s32" || type == "b32" ? 4 : 8;
  if (width == 8 && type != "u64" && type != "s64" && type != "b64") return false;  // of floats: there are none
  if (i->operation == kOperations || w.size() != (returns ? 1u : 0u) + (i->operation == kCompareAndSwap ? 3 : 2)) {
    return false;
  }

  size_t k = 0;
  if (returns) d.add(i, d.operand(w[k++].words.at(0), width), true);
  d.address(w[k++], i);
  for (; k < w.size(); ++k) d.add(i, d.operand(w[k].words.at(0), width), false);
  i->bytes = static_cast<uint8_t>(width);
  i->run = type == "s32"   ? atomic<int32_t>
           : width == 4    ? atomic<uint32_t>
           : type == "s64" ? atomic<int64_t>
                           : atomic<uint64_t>;
  i->cls = Class::kAtomic;
  i->latency = 0;
  return true;
}

}  // namespace emu::ptx
