// Shuffles, votes, matches and reductions of a warp.
#pragma once
#include <type_traits>

#include "emu/builtins.h"

inline void __syncwarp(unsigned mask = 0xffffffffu, EMU_SITE) {
  emu::warp_collective(mask, "__syncwarp", nullptr, nullptr, nullptr, EMU_HERE);
}
inline unsigned __activemask() {
  return emu::active_mask();
}

namespace emu {

enum class Shuffle : int { kIndex, kUp, kDown, kXor };

template <class T>
struct ShuffleInput {
  T value;
  int argument, width;
};

// The lane to read from.
inline int shuffle_source(Shuffle kind, int lane, int argument, int width) {
  const int base = lane & ~(width - 1);

  switch (kind) {
    case Shuffle::kIndex:
      return base + (argument & (width - 1));
    case Shuffle::kUp:
      return lane - argument < base ? lane : lane - argument;
    case Shuffle::kDown:
      return lane + argument >= base + width ? lane : lane + argument;
    default:
      return (lane ^ argument) >= base + width ? lane : lane ^ argument;
  }
}

template <class T, Shuffle K>
EMU_UNCHECKED void shuffle_compute(unsigned mask, const void *const inputs[32], void *const outputs[32]) {
  for (int lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1)) continue;
    const auto *own = static_cast<const ShuffleInput<T> *>(inputs[lane]);
    const int source = shuffle_source(K, lane, own->argument, own->width);
    if (mask >> source & 1) {
      std::memcpy(outputs[lane], &static_cast<const ShuffleInput<T> *>(inputs[source])->value, sizeof(T));
    } else {
      std::memset(outputs[lane], 0xff, sizeof(T));  // undefined on a device: NaN here
    }
  }
}

template <class T, Shuffle K>
EMU_UNCHECKED T shuffle(unsigned mask, const char *name, T value, int argument, int width, const char *file, int line) {
  static_assert(std::is_trivially_copyable<T>::value && sizeof(T) <= 16, "what a shuffle carries");
  if (width < 1 || width > 32 || (width & (width - 1)) != 0) fail(file, line, "%s: width %d", name, width);
  const ShuffleInput<T> input = {value, argument, width};
  T output;
  warp_collective(mask, name, &input, &output, &shuffle_compute<T, K>, file, line);
  return output;
}

EMU_UNCHECKED inline void ballot_compute(unsigned mask, const void *const inputs[32], void *const outputs[32]) {
  unsigned result = 0;
  for (int lane = 0; lane < 32; ++lane) {
    if ((mask >> lane & 1) && *static_cast<const int *>(inputs[lane])) result |= 1u << lane;
  }
  for (int lane = 0; lane < 32; ++lane) {
    if (mask >> lane & 1) *static_cast<unsigned *>(outputs[lane]) = result;
  }
}
EMU_UNCHECKED inline unsigned ballot(unsigned mask, const char *name, int predicate, const char *file, int line) {
  unsigned result = 0;
  warp_collective(mask, name, &predicate, &result, &ballot_compute, file, line);
  return result;
}

template <class T>
EMU_UNCHECKED void match_compute(unsigned mask, const void *const inputs[32], void *const outputs[32]) {
  for (int lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1)) continue;
    unsigned same = 0;
    for (int other = 0; other < 32; ++other) {
      if ((mask >> other & 1) && std::memcmp(inputs[lane], inputs[other], sizeof(T)) == 0) same |= 1u << other;
    }
    *static_cast<unsigned *>(outputs[lane]) = same;
  }
}
template <class T>
EMU_UNCHECKED unsigned match(unsigned mask, const char *name, T value, const char *file, int line) {
  unsigned result = 0;
  warp_collective(mask, name, &value, &result, &match_compute<T>, file, line);
  return result;
}

template <class T, class F>
EMU_UNCHECKED void reduce_compute(unsigned mask, const void *const inputs[32], void *const outputs[32]) {
  T result = {};
  bool first = true;

  for (int lane = 0; lane < 32; ++lane) {
    if (!(mask >> lane & 1)) continue;
    const T value = *static_cast<const T *>(inputs[lane]);
    result = first ? value : F()(result, value);
    first = false;
  }

  for (int lane = 0; lane < 32; ++lane) {
    if (mask >> lane & 1) *static_cast<T *>(outputs[lane]) = result;
  }
}
template <class T, class F>
EMU_UNCHECKED T reduce(unsigned mask, const char *name, T value, const char *file, int line) {
  T result = {};
  warp_collective(mask, name, &value, &result, &reduce_compute<T, F>, file, line);
  return result;
}

struct Add {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(static_cast<unsigned>(a) + static_cast<unsigned>(b));
  }
};
struct Min {
  template <class T>
  T operator()(T a, T b) const {
    return b < a ? b : a;
  }
};
struct Max {
  template <class T>
  T operator()(T a, T b) const {
    return a < b ? b : a;
  }
};
struct And {
  template <class T>
  T operator()(T a, T b) const {
    return a & b;
  }
};
struct Or {
  template <class T>
  T operator()(T a, T b) const {
    return a | b;
  }
};
struct Xor {
  template <class T>
  T operator()(T a, T b) const {
    return a ^ b;
  }
};

}  // namespace emu

template <class T>
inline T __shfl_sync(unsigned mask, T value, int lane, int width = 32, EMU_SITE) {
  return emu::shuffle<T, emu::Shuffle::kIndex>(mask, "__shfl_sync", value, lane, width, EMU_HERE);
}
template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, EMU_SITE) {
  return emu::shuffle<T, emu::Shuffle::kUp>(mask, "__shfl_up_sync", value, static_cast<int>(delta), width, EMU_HERE);
}
template <class T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, EMU_SITE) {
  return emu::shuffle<T, emu::Shuffle::kDown>(mask, "__shfl_down_sync", value, static_cast<int>(delta), width,
                                              EMU_HERE);
}
template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32, EMU_SITE) {
  return emu::shuffle<T, emu::Shuffle::kXor>(mask, "__shfl_xor_sync", value, lane_mask, width, EMU_HERE);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, EMU_SITE) {
  return emu::ballot(mask, "__ballot_sync", predicate, EMU_HERE);
}
inline int __any_sync(unsigned mask, int predicate, EMU_SITE) {
  return emu::ballot(mask, "__any_sync", predicate, EMU_HERE) != 0;
}
inline int __all_sync(unsigned mask, int predicate, EMU_SITE) {
  return emu::ballot(mask, "__all_sync", !predicate, EMU_HERE) == 0;
}
template <class T>
inline unsigned __match_any_sync(unsigned mask, T value, EMU_SITE) {
  return emu::match(mask, "__match_any_sync", value, EMU_HERE);
}
// The mask where all lanes agree, 0 otherwise.
template <class T>
inline unsigned __match_all_sync(unsigned mask, T value, int *predicate, EMU_SITE) {
  const unsigned same = emu::match(mask, "__match_all_sync", value, EMU_HERE);
  const unsigned all = emu::ballot(mask, "__match_all_sync", 1, EMU_HERE);
  *predicate = same == all;
  return same == all ? same : 0;
}

#define EMU_REDUCE(name, T, F)                              \
  inline T name(unsigned mask, T value, EMU_SITE) {         \
    return emu::reduce<T, F>(mask, #name, value, EMU_HERE); \
  }
EMU_REDUCE(__reduce_add_sync, unsigned, emu::Add)
EMU_REDUCE(__reduce_add_sync, int, emu::Add)
EMU_REDUCE(__reduce_min_sync, unsigned, emu::Min)
EMU_REDUCE(__reduce_min_sync, int, emu::Min)
EMU_REDUCE(__reduce_max_sync, unsigned, emu::Max)
EMU_REDUCE(__reduce_max_sync, int, emu::Max)
EMU_REDUCE(__reduce_and_sync, unsigned, emu::And)
EMU_REDUCE(__reduce_or_sync, unsigned, emu::Or)
EMU_REDUCE(__reduce_xor_sync, unsigned, emu::Xor)
#undef EMU_REDUCE
