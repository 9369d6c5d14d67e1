// AddressSanitizer's interface, or nothing where it is off.
#pragma once
#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define EMU_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define EMU_ASAN 1
#endif
#endif

#if EMU_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace emu {

inline void poison(void *start, size_t bytes) {
#if EMU_ASAN
  __asan_poison_memory_region(start, bytes);
#else
  (void)start, (void)bytes;
#endif
}

inline void unpoison(void *start, size_t bytes) {
#if EMU_ASAN
  __asan_unpoison_memory_region(start, bytes);
#else
  (void)start, (void)bytes;
#endif
}

// A copy that AddressSanitizer does not check: a section has red zones between its objects.
#if EMU_ASAN && defined(__x86_64__)
inline void raw_copy(void *to, const void *from, size_t bytes) {
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}
#elif EMU_ASAN
__attribute__((no_sanitize("address"))) inline void raw_copy(void *to, const void *from, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) static_cast<volatile char *>(to)[i] = static_cast<const volatile char *>(from)[i];
}
#else
inline void raw_copy(void *to, const void *from, size_t bytes) {
  __builtin_memcpy(to, from, bytes);
}
#endif

}  // namespace emu
