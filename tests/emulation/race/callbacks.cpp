// What code compiled with -fsanitize=thread calls at each load and store, in place of ThreadSanitizer's own library.
#include "race.h"

namespace {
using emu::Access;

inline void see(const void *address, size_t bytes, Access kind, const void *code) {
  if (emu::current) emu::check_access(address, bytes, kind, emu::code_of_address(code));
}

// A volatile access is a relaxed atomic one, and a loop of them is a spin.
inline void see_volatile(const void *address, size_t bytes, bool write, const void *) {
  if (!emu::current) return;
  if (write) {
    emu::note_change();
    emu::note_atomic_store(address, bytes, emu::kRelaxed);
  } else {
    emu::note_atomic_load(address, bytes, emu::kRelaxed);
  }
}
}  // namespace

#define CODE __builtin_return_address(0)
#define CALLBACKS(n)                                 \
  void __tsan_read##n(void *p) {                     \
    see(p, n, Access::kRead, CODE);                  \
  }                                                  \
  void __tsan_write##n(void *p) {                    \
    see(p, n, Access::kWrite, CODE);                 \
  }                                                  \
  void __tsan_unaligned_read##n(void *p) {           \
    see(p, n, Access::kRead, CODE);                  \
  }                                                  \
  void __tsan_unaligned_write##n(void *p) {          \
    see(p, n, Access::kWrite, CODE);                 \
  }                                                  \
  void __tsan_volatile_read##n(void *p) {            \
    see_volatile(p, n, false, CODE);                 \
  }                                                  \
  void __tsan_volatile_write##n(void *p) {           \
    see_volatile(p, n, true, CODE);                  \
  }                                                  \
  void __tsan_unaligned_volatile_read##n(void *p) {  \
    see_volatile(p, n, false, CODE);                 \
  }                                                  \
  void __tsan_unaligned_volatile_write##n(void *p) { \
    see_volatile(p, n, true, CODE);                  \
  }

extern "C" {
CALLBACKS(1)
CALLBACKS(2)
CALLBACKS(4)
CALLBACKS(8)
CALLBACKS(16)
void __tsan_read_range(void *p, unsigned long n) {
  see(p, n, Access::kRead, CODE);
}
void __tsan_write_range(void *p, unsigned long n) {
  see(p, n, Access::kWrite, CODE);
}
void *__tsan_memcpy(void *to, const void *from, size_t n) {
  see(from, n, Access::kRead, CODE);
  see(to, n, Access::kWrite, CODE);
  return memcpy(to, from, n);
}
void *__tsan_memmove(void *to, const void *from, size_t n) {
  see(from, n, Access::kRead, CODE);
  see(to, n, Access::kWrite, CODE);
  return memmove(to, from, n);
}
void *__tsan_memset(void *to, int value, size_t n) {
  see(to, n, Access::kWrite, CODE);
  return memset(to, value, n);
}
void __tsan_init(void) {
}
void __tsan_func_entry(void *) {
}
void __tsan_func_exit(void) {
}
void __tsan_vptr_update(void **, void *) {
}
void __tsan_vptr_read(void **) {
}
// Guards of static objects that host code next to kernels may have.
unsigned char __tsan_atomic8_load(const volatile unsigned char *p, int) {
  return *p;
}
}
