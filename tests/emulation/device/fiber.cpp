#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "sanitizer.h"

#if !defined(__x86_64__) || defined(VISE_EMU_UCONTEXT)
#define EMU_UCONTEXT 1
#include <ucontext.h>
#endif

namespace emu {

#if EMU_ASAN
constexpr size_t kStackSize = 256 << 10;  // instrumented frames are large
#else
constexpr size_t kStackSize = 64 << 10;
#endif

namespace {

constexpr size_t kStacksAtOnce = 64;
constexpr uint64_t kCanary[4] = {0x5aa5c33c0ff01e2d, 0x0123456789abcdef, 0x5aa5c33c0ff01e2d, 0xfedcba9876543210};

std::vector<char *> spare_stacks;
std::vector<char *> chunks;  // kStacksAtOnce stacks each

char *take_stack() {
  if (spare_stacks.empty()) {
    void *memory = mmap(nullptr, kStacksAtOnce * kStackSize, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
      perror("emulation: no memory for the stacks of fibers");
      abort();
    }

    chunks.push_back(static_cast<char *>(memory));
    for (size_t i = kStacksAtOnce; i-- > 0;) spare_stacks.push_back(static_cast<char *>(memory) + i * kStackSize);
  }

  char *stack = spare_stacks.back();
  spare_stacks.pop_back();
  unpoison(stack, kStackSize);
  memcpy(stack, kCanary, sizeof kCanary);
  return stack;
}

#if EMU_ASAN
// What AddressSanitizer wants to know about the scheduler's own stack.
void *scheduler_fake;
const void *scheduler_bottom;
size_t scheduler_size;
#endif

}  // namespace

#if EMU_UCONTEXT

namespace {
ucontext_t scheduler_context;

void swap_to_fiber(Fiber &fiber) {
  swapcontext(&scheduler_context, static_cast<ucontext_t *>(fiber.saved));
}
void swap_to_scheduler(Fiber &fiber) {
  swapcontext(static_cast<ucontext_t *>(fiber.saved), &scheduler_context);
}
void prepare(Fiber &fiber, void (*entry)(), unsigned) {
  auto *context = new ucontext_t();
  getcontext(context);
  context->uc_stack.ss_sp = fiber.stack;
  context->uc_stack.ss_size = kStackSize;
  makecontext(context, entry, 0);
  fiber.saved = context;
}
void dispose(Fiber &fiber) {
  delete static_cast<ucontext_t *>(fiber.saved);
}
}  // namespace

#else

// System V x86-64: six registers are callee-saved; the rest are dead at a call. The floating-point control words never
// change in a kernel.
extern "C" void emu_switch_stack(void **save, void *to);
asm(R"(.text
.globl emu_switch_stack
.type emu_switch_stack,@function
.align 16
emu_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmp *%rcx
.size emu_switch_stack,.-emu_switch_stack
)");

namespace {
void *scheduler_saved;

void swap_to_fiber(Fiber &fiber) {
  emu_switch_stack(&scheduler_saved, fiber.saved);
}
void swap_to_scheduler(Fiber &fiber) {
  emu_switch_stack(&fiber.saved, scheduler_saved);
}
void prepare(Fiber &fiber, void (*entry)(), unsigned colour) {
  auto **top = reinterpret_cast<void **>(fiber.stack + kStackSize - colour % 61 * 192);
  *--top = nullptr;  // the return address of entry, which never returns; keeps the stack aligned at the jump
  *--top = reinterpret_cast<void *>(entry);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  fiber.saved = top;
}
void dispose(Fiber &) {
}
}  // namespace

#endif

void fiber_make(Fiber &fiber, void (*entry)(), unsigned colour) {
  fiber.stack = take_stack();
  fiber.fake_stack = nullptr;
  prepare(fiber, entry, colour);
}

void fiber_enter(Fiber &fiber) {
#if EMU_ASAN
  __sanitizer_start_switch_fiber(&scheduler_fake, fiber.stack, kStackSize);
#endif
  swap_to_fiber(fiber);
#if EMU_ASAN
  __sanitizer_finish_switch_fiber(scheduler_fake, nullptr, nullptr);
#endif
}

void fiber_leave(Fiber &fiber, bool for_good) {
#if EMU_ASAN
  __sanitizer_start_switch_fiber(for_good ? nullptr : &fiber.fake_stack, scheduler_bottom, scheduler_size);
#else
  (void)for_good;
#endif
  swap_to_scheduler(fiber);
#if EMU_ASAN
  __sanitizer_finish_switch_fiber(fiber.fake_stack, &scheduler_bottom, &scheduler_size);
#endif
}

void fiber_begun() {
#if EMU_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &scheduler_bottom, &scheduler_size);
#endif
}

bool fiber_release(Fiber &fiber) {
  if (!fiber.stack) return true;
  unpoison(fiber.stack, kStackSize);
  const bool intact = memcmp(fiber.stack, kCanary, sizeof kCanary) == 0;
  dispose(fiber);
  spare_stacks.push_back(fiber.stack);
  fiber.stack = nullptr;
  return intact;
}

bool fiber_owns(const Fiber &fiber, const void *address) {
  const auto *byte = static_cast<const char *>(address);
  return byte >= fiber.stack && byte < fiber.stack + kStackSize;
}

bool fiber_stacks_contain(const void *address) {
  const auto *byte = static_cast<const char *>(address);
  for (const char *chunk : chunks) {
    if (byte >= chunk && byte < chunk + kStacksAtOnce * kStackSize) return true;
  }
  return false;
}

}  // namespace emu
