// Loads and stores. Each access is checked: it must lie in shared memory of the CTA or in one allocation of the emulated
// device, and be aligned to its width.
#include "tests/emulation/device/memory.h"

#include <algorithm>

#include "count.h"
#include "decode.h"
#include "machine.h"

namespace emu::ptx {

// ---- places ----------------------------------------------------------------------------------------------------------

namespace {

[[noreturn]] void refuse(const Warp &w, const Instruction &i, int lane, uint64_t address, unsigned bytes,
                         const char *why) {
  stop(w, i, lane, "%s: %u bytes at 0x%llx: %s", i.name.c_str(), bytes, static_cast<unsigned long long>(address), why);
}

// Whether device or pinned memory holds these bytes; remembers the allocation.
bool is_global(const Instruction &i, uintptr_t low, uintptr_t end) {
  if (low >= i.low && end <= i.high) return true;
  void *base = nullptr;
  size_t size = 0;
  const auto *pointer = reinterpret_cast<const void *>(low);
  if (memory_contains(pointer, end - low, &base, &size)) {
    i.low = reinterpret_cast<uintptr_t>(base);
    i.high = i.low + size;
    return true;
  }
  return host_memory_contains(pointer, end - low);
}

void locate_global(Warp &w, const Instruction &i, Mask m, unsigned bytes, Places *places) {
  uint64_t low = ~uint64_t(0), high = 0, together = 0;
  PTX_EACH_LANE(l, m) {
    const uint64_t a = places->address[l];
    low = std::min(low, a);
    high = std::max(high, a);
    together |= a;
    places->at[l] = reinterpret_cast<char *>(a);
  }

  if (together & (bytes - 1)) {
    PTX_EACH_LANE(l, m) {
      if (places->address[l] & (bytes - 1)) {
        refuse(w, i, static_cast<int>(l), places->address[l], bytes, "the address is misaligned");
      }
    }
  }

  if (low >= i.low && high + bytes <= i.high) return;
  PTX_EACH_LANE(l, m) {
    const uint64_t a = places->address[l];
    if (!is_global(i, a, a + bytes)) {
      const std::string where = memory_describe(reinterpret_cast<const void *>(a));
      refuse(w, i, static_cast<int>(l), a, bytes, ("no such memory" + where).c_str());
    }
  }
}

}  // namespace

char *locate_shared(Warp &w, const Instruction &i, int lane, uint32_t address, unsigned bytes) {
  if (address & (bytes - 1)) refuse(w, i, lane, address, bytes, "the address is misaligned");
  if (address < kSharedBase || address > w.cta->shared_end || bytes > w.cta->shared_end - address) {
    refuse(w, i, lane, address, bytes,
           ("outside the shared memory, which ends at " + std::to_string(w.cta->shared_end)).c_str());
  }
  return w.cta->shared.get() + (address - kSharedBase);
}

void locate(Warp &w, const Instruction &i, Mask m, const Operand &o, int64_t signed_offset, Space space, unsigned bytes,
            Places *places) {
  const auto offset = static_cast<uint64_t>(signed_offset);
  if (o.wide) {
    const uint64_t *base = in<uint64_t>(w, o);
    for (int l = 0; l < kLanes; ++l) places->address[l] = base[l] + offset;
  } else {
    const uint32_t *base = in<uint32_t>(w, o);
    for (int l = 0; l < kLanes; ++l) places->address[l] = static_cast<uint32_t>(base[l] + offset);
  }

  if (space == Space::kGeneric) {
    Mask shared = 0;
    PTX_EACH_LANE(l, m) shared |= places->address[l] >= kSharedWindow ? 1u << l : 0;
    if (shared && shared != m) stop(w, i, __builtin_ctz(shared), "%s: shared and global in one access", i.name.c_str());
    space = shared ? Space::kShared : Space::kGlobal;
    if (shared) {
      PTX_EACH_LANE(l, m) places->address[l] -= kSharedWindow;
    }
  }

  places->is_shared = space == Space::kShared;
  if (!places->is_shared) return locate_global(w, i, m, bytes, places);
  PTX_EACH_LANE(l, m) {
    const uint64_t a = places->address[l];
    if (a >> 32) refuse(w, i, static_cast<int>(l), a, bytes, "no shared address");
    places->at[l] = locate_shared(w, i, static_cast<int>(l), static_cast<uint32_t>(a), bytes);
  }
}

// ---- loads and stores ------------------------------------------------------------------------------------------------

namespace {

// T: in memory; R: the register. Signed types spread their sign.
template <class T, class R>
void load(Warp &w, const Instruction &i, Mask m) {
  Places places;
  const int n = i.n_out;
  locate(w, i, m, i.o[n], &places);
  note_access(w, i, m, places, Access::kLoad);
  for (int k = 0; k < n; ++k) {
    R *d = out<R>(w, i.o[k]);
    PTX_EACH_LANE(l, m) {
      T value;
      memcpy(&value, places.at[l] + static_cast<size_t>(k) * sizeof(T), sizeof value);
      d[l] = static_cast<R>(value);
    }
  }
  if (polls(i.order)) w.state = State::kYield;  // a poll, perhaps: others' turn
}

template <class T, class R>
void store(Warp &w, const Instruction &i, Mask m) {
  Places places;
  const int n = i.n - 1;
  locate(w, i, m, i.o[0], &places);
  note_access(w, i, m, places, Access::kStore);
  for (int k = 0; k < n; ++k) {
    const R *s = in<R>(w, i.o[k + 1]);
    PTX_EACH_LANE(l, m) {
      const T value = static_cast<T>(s[l]);
      memcpy(places.at[l] + static_cast<size_t>(k) * sizeof(T), &value, sizeof value);
    }
  }
  if (!places.is_shared) note_change(w);
}

struct Wide {  // .b128
  uint64_t lo, hi;
};

// A kernel's arguments; the address is an offset in them.
template <class T, class R>
void load_argument(Warp &w, const Instruction &i, Mask m) {
  const std::vector<unsigned char> &arguments = w.cta->grid->arguments;
  const int n = i.n_out;
  const size_t bytes = sizeof(T) * static_cast<size_t>(n);
  PTX_EACH_LANE(l, m) {
    const uint64_t base = i.o[n].wide ? in<uint64_t>(w, i.o[n])[l] : in<uint32_t>(w, i.o[n])[l];
    const uint64_t at = base + static_cast<uint64_t>(i.offset);
    if (at > arguments.size() || bytes > arguments.size() - at || at % bytes) {
      refuse(w, i, static_cast<int>(l), at, static_cast<unsigned>(bytes), "outside the arguments, or misaligned");
    }
    for (int k = 0; k < n; ++k) {
      T value;
      memcpy(&value, arguments.data() + at + static_cast<size_t>(k) * sizeof(T), sizeof value);
      out<R>(w, i.o[k])[l] = static_cast<R>(value);
    }
  }
}

// .param variables of functions: words of 32 lanes.
template <class T, class R>
void load_param(Warp &w, const Instruction &i, Mask m) {
  for (int k = 0; k < i.n_out; ++k) {
    R *d = out<R>(w, i.o[k]);
    const char *from = w.regs + i.offset + static_cast<ptrdiff_t>(sizeof(T)) * k * kLanes;
    PTX_EACH_LANE(l, m) {
      T value;
      for (size_t word = 0; word < sizeof(T) / 4; ++word) {
        memcpy(reinterpret_cast<char *>(&value) + 4 * word, from + (word * kLanes + l) * 4, 4);
      }
      d[l] = static_cast<R>(value);
    }
  }
}

template <class T, class R>
void store_param(Warp &w, const Instruction &i, Mask m) {
  for (int k = 0; k < i.n; ++k) {
    const R *s = in<R>(w, i.o[k]);
    char *to = w.regs + i.offset + static_cast<ptrdiff_t>(sizeof(T)) * k * kLanes;
    PTX_EACH_LANE(l, m) {
      const T value = static_cast<T>(s[l]);
      for (size_t word = 0; word < sizeof(T) / 4; ++word) {
        memcpy(to + (word * kLanes + l) * 4, reinterpret_cast<const char *>(&value) + 4 * word, 4);
      }
    }
  }
}

// ---- generic addresses -----------------------------------------------------------------------------------------------

void copy_address(Warp &w, const Instruction &i, Mask m) {
  uint64_t *d = out<uint64_t>(w, i.o[0]);
  const uint64_t *a = in<uint64_t>(w, i.o[1]);
  PTX_EACH_LANE(l, m) d[l] = a[l];
}

void shared_to_generic(Warp &w, const Instruction &i, Mask m) {
  uint64_t *d = out<uint64_t>(w, i.o[0]);
  const uint64_t *a = in<uint64_t>(w, i.o[1]);
  PTX_EACH_LANE(l, m) d[l] = a[l] + kSharedWindow;
}

void generic_to_shared(Warp &w, const Instruction &i, Mask m) {
  uint64_t *d = out<uint64_t>(w, i.o[0]);
  const uint64_t *a = in<uint64_t>(w, i.o[1]);
  PTX_EACH_LANE(l, m) {
    if (a[l] < kSharedWindow)
      stop(w, i, static_cast<int>(l), "0x%llx is no address of shared memory", static_cast<unsigned long long>(a[l]));
    d[l] = a[l] - kSharedWindow;
  }
}

// ---- decoding --------------------------------------------------------------------------------------------------------

struct Type {
  const char *name;
  unsigned bytes;
  bool is_signed;
};
constexpr Type kTypes[] = {{"b8", 1, false},  {"u8", 1, false},  {"s8", 1, true},    {"b16", 2, false},
                           {"u16", 2, false}, {"s16", 2, true},  {"b32", 4, false},  {"u32", 4, false},
                           {"s32", 4, true},  {"f32", 4, false}, {"b64", 8, false},  {"u64", 8, false},
                           {"s64", 8, true},  {"f64", 8, false}, {"b128", 16, false}};

const Type *type_named(const std::string &name) {
  for (const Type &type : kTypes) {
    if (name == type.name) return &type;
  }
  return nullptr;
}

template <class T, class S>
Handler load_into(int width, bool is_signed) {
  switch (width) {
    case 2:
      return is_signed ? load<S, uint16_t> : load<T, uint16_t>;
    case 4:
      return is_signed ? load<S, uint32_t> : load<T, uint32_t>;
    default:
      return is_signed ? load<S, uint64_t> : load<T, uint64_t>;
  }
}

Handler load_handler(const Type &type, int width) {
  switch (type.bytes) {
    case 1:
      return load_into<uint8_t, int8_t>(width, type.is_signed);
    case 2:
      return load_into<uint16_t, int16_t>(width, type.is_signed);
    case 4:
      return width == 2 ? nullptr : load_into<uint32_t, int32_t>(width, type.is_signed);
    case 8:
      return width == 8 ? load<uint64_t, uint64_t> : nullptr;
    default:
      return width == 16 ? load<Wide, Wide> : nullptr;
  }
}

template <class T>
Handler store_from(int width) {
  return width == 2 ? store<T, uint16_t> : width == 4 ? store<T, uint32_t> : store<T, uint64_t>;
}

Handler store_handler(const Type &type, int width) {
  switch (type.bytes) {
    case 1:
      return store_from<uint8_t>(width);
    case 2:
      return store_from<uint16_t>(width);
    case 4:
      return width == 2 ? nullptr : store_from<uint32_t>(width);
    case 8:
      return width == 8 ? store<uint64_t, uint64_t> : nullptr;
    default:
      return width == 16 ? store<Wide, Wide> : nullptr;
  }
}

// The form of a handler for registers of this width in bytes.
#define PTX_BY_WIDTH(handler, T, width) \
  ((width) == 2 ? &handler<T, uint16_t> : (width) == 4 ? &handler<T, uint32_t> : &handler<T, uint64_t>)

void decode_param(Decoder &d, bool is_load, const Type &type, const Written &values, const Written &where,
                  Instruction *i) {
  int width = static_cast<int>(type.bytes);
  for (const std::string &word : values.words) {
    width = static_cast<int>(type.bytes);
    d.add(i, d.operand(word, width, true, &width), is_load);
  }
  if (width < static_cast<int>(type.bytes) || (type.is_signed && width > static_cast<int>(type.bytes))) {
    d.fail("a register of %d bytes for a parameter of type %s", width, type.name);
  }

  Param param;
  if (d.find_param(where.words.at(0), &param)) {
    i->cls = Class::kNone;
    i->slots = i->latency = 0;
    i->offset = param.at + where.offset * kLanes;
    i->param_id = param.id;
    if (where.offset + static_cast<int64_t>(type.bytes * values.words.size()) > (param.bytes + 3) / 4 * 4) {
      d.fail("beyond the end of %s", param.name.c_str());
    }
    if (type.bytes == 4) {
      i->run = is_load ? PTX_BY_WIDTH(load_param, uint32_t, width) : PTX_BY_WIDTH(store_param, uint32_t, width);
    } else if (type.bytes == 8) {
      i->run = is_load ? PTX_BY_WIDTH(load_param, uint64_t, width) : PTX_BY_WIDTH(store_param, uint64_t, width);
    } else {
      d.fail("a parameter of %u bytes", type.bytes);
    }
    return;
  }

  // A kernel's own arguments lie in the constant bank.
  if (!d.function().is_entry || !is_load) d.fail("'%s' is no parameter", where.words[0].c_str());
  i->cls = Class::kInteger;
  i->slots = 1;
  i->latency = 8;
  d.address(where, i);
  i->run = type.bytes == 1   ? PTX_BY_WIDTH(load_argument, uint8_t, width)
           : type.bytes == 2 ? PTX_BY_WIDTH(load_argument, uint16_t, width)
           : type.bytes == 4 ? PTX_BY_WIDTH(load_argument, uint32_t, width)
                             : PTX_BY_WIDTH(load_argument, uint64_t, width);
}

bool decode_cvta(Decoder &d, const std::vector<std::string> &parts, const std::vector<Written> &w, Instruction *i) {
  const bool to = parts.at(1) == "to";
  const std::string &space = parts.at(to ? 2 : 1);
  if (parts.back() != "u64" || w.size() != 2) return false;
  if (space == "global") {
    i->run = copy_address;
    i->slots = i->latency = 0;
    i->cls = Class::kNone;
  } else if (space == "shared") {
    i->run = to ? generic_to_shared : shared_to_generic;
    i->slots = to ? 0 : 2;
    i->cls = to ? Class::kNone : Class::kInteger;
    i->latency = to ? 0 : 6;
  } else {
    return false;
  }
  d.add(i, d.operand(w[0].words.at(0), 8), true);
  d.add(i, d.operand(w[1].words.at(0), 8), false);
  return true;
}

}  // namespace

bool decode_memory(Decoder &d, const std::vector<std::string> &parts, const std::vector<Written> &w, Instruction *i) {
  if (parts[0] == "cvta") return decode_cvta(d, parts, w, i);
  const bool is_load = parts[0] == "ld";
  if ((!is_load && parts[0] != "st") || w.size() != 2) return false;
  const Written &values = is_load ? w[0] : w[1], &where = is_load ? w[1] : w[0];

  const Type *type = type_named(parts.back());
  if (!type) return false;
  i->space = Space::kGeneric;
  for (size_t k = 1; k + 1 < parts.size(); ++k) {
    const std::string &part = parts[k];
    if (part == "global") {
      i->space = Space::kGlobal;
    } else if (part == "shared" || part == "shared::cta") {
      i->space = Space::kShared;
    } else if (part == "param") {
      i->space = Space::kParam;
    } else if (part == "nc") {
      i->coherent = false;
    } else if (part == "acquire") {
      i->order = Ordering::kAcquire;
    } else if (part == "release") {
      i->order = Ordering::kRelease;
    } else if (part == "relaxed") {
      i->order = Ordering::kStrong;
    } else if (part == "volatile") {
      i->order = Ordering::kRelaxed;
    } else if (part != "v2" && part != "v4" && part != "gpu" && part != "sys" && part != "L1::no_allocate") {
      return false;
    }
  }
  if (i->space == Space::kParam) {
    decode_param(d, is_load, *type, values, where, i);
    return true;
  }

  if (!is_load) d.address(where, i);
  int width = static_cast<int>(type->bytes);
  for (const std::string &word : values.words) {
    width = static_cast<int>(std::max(type->bytes, 2u));
    d.add(i, d.operand(word, width, true, &width), is_load);
  }
  if (is_load) d.address(where, i);
  i->run = is_load ? load_handler(*type, width) : store_handler(*type, width);
  if (!i->run) d.fail("a register of %d bytes for %s", width, type->name);

  i->bytes = static_cast<uint8_t>(type->bytes * values.words.size());
  const bool shared = i->space == Space::kShared;
  i->cls = is_load ? (shared ? Class::kSharedLoad : Class::kGlobalLoad)
                   : (shared ? Class::kSharedStore : Class::kGlobalStore);
  i->latency = 0;
  return true;
}

}  // namespace emu::ptx
