// Atomics: relaxed, as on a device; order between threads comes from fences, barriers and acquire/release accesses.
#pragma once
#include "emu/builtins.h"

#define EMU_ATOMIC_OF(T, name, expression)                                                         \
  inline T name(T *address, T value, EMU_SITE) {                                                   \
    return emu::atomic_rmw(                                                                        \
        address, emu::kRelaxed, [&](T old) -> T { return static_cast<T>(expression); }, EMU_HERE); \
  }                                                                                                \
  inline T name##_block(T *address, T value, EMU_SITE) {                                           \
    return name(address, value, EMU_HERE);                                                         \
  }                                                                                                \
  inline T name##_system(T *address, T value, EMU_SITE) {                                          \
    return name(address, value, EMU_HERE);                                                         \
  }
#define EMU_ATOMIC_INTEGERS(name, expression) \
  EMU_ATOMIC_OF(int, name, expression)        \
  EMU_ATOMIC_OF(unsigned, name, expression)   \
  EMU_ATOMIC_OF(unsigned long long, name, expression)
// Signed sums wrap: computed unsigned.
EMU_ATOMIC_OF(int, atomicAdd, static_cast<unsigned>(old) + static_cast<unsigned>(value))
EMU_ATOMIC_OF(unsigned, atomicAdd, old + value)
EMU_ATOMIC_OF(unsigned long long, atomicAdd, old + value)
EMU_ATOMIC_OF(float, atomicAdd, old + value)
EMU_ATOMIC_OF(double, atomicAdd, old + value)
EMU_ATOMIC_OF(int, atomicSub, static_cast<unsigned>(old) - static_cast<unsigned>(value))
EMU_ATOMIC_OF(unsigned, atomicSub, old - value)
EMU_ATOMIC_INTEGERS(atomicExch, ((void)old, value))
EMU_ATOMIC_OF(float, atomicExch, ((void)old, value))
EMU_ATOMIC_INTEGERS(atomicMin, old < value ? old : value)
EMU_ATOMIC_INTEGERS(atomicMax, old < value ? value : old)
EMU_ATOMIC_OF(long long, atomicMin, old < value ? old : value)
EMU_ATOMIC_OF(long long, atomicMax, old < value ? value : old)
EMU_ATOMIC_INTEGERS(atomicAnd, old &value)
EMU_ATOMIC_INTEGERS(atomicOr, old | value)
EMU_ATOMIC_INTEGERS(atomicXor, old ^ value)
EMU_ATOMIC_OF(unsigned, atomicInc, old >= value ? 0 : old + 1)
EMU_ATOMIC_OF(unsigned, atomicDec, old == 0 || old > value ? value : old - 1)
#undef EMU_ATOMIC_INTEGERS
#undef EMU_ATOMIC_OF

#define EMU_ATOMIC_CAS(T)                                                                             \
  inline T atomicCAS(T *address, T expected, T value, EMU_SITE) {                                     \
    return emu::atomic_rmw(                                                                           \
        address, emu::kRelaxed, [&](T old) -> T { return old == expected ? value : old; }, EMU_HERE); \
  }
EMU_ATOMIC_CAS(int)
EMU_ATOMIC_CAS(unsigned)
EMU_ATOMIC_CAS(unsigned long long)
EMU_ATOMIC_CAS(unsigned short)
#undef EMU_ATOMIC_CAS
