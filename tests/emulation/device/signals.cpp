// Faults in kernels (unmapped addresses, traps, misaligned accesses that the compiler's check found) end the launch,
// not the process; a timer ends threads that neither wait nor exit. Under AddressSanitizer its own handlers stay in
// place.
#include <ucontext.h>
#include <unistd.h>

#include <csignal>
#include <ctime>

#include "memory.h"
#include "sanitizer.h"
#include "state.h"

namespace emu {

namespace {

constexpr double kTick = 0.05;  // CPU seconds
#if !EMU_ASAN
constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
struct sigaction previous[4];
#endif
bool timer_made;
timer_t timer;
volatile sig_atomic_t ticks, expired;
Thread *ticked_thread;
uint64_t ticked_switch;
int ticked_times;

// Why a thread left from a handler; the scheduler reports it, where building text is safe.
int fault_signal;
const void *fault_address, *fault_code;

const void *code_of(const void *context) {
#if defined(__x86_64__)
  return reinterpret_cast<const void *>(static_cast<const ucontext_t *>(context)->uc_mcontext.gregs[REG_RIP]);
#else
  (void)context;
  return nullptr;
#endif
}

void leave_from_handler(int signal, const void *address, const void *context) {
  fault_signal = signal;
  fault_address = address;
  fault_code = code_of(context);
  sigset_t unblock;
  sigemptyset(&unblock);
  sigaddset(&unblock, signal);
  sigprocmask(SIG_UNBLOCK, &unblock, nullptr);
  fiber_leave(current->fiber, true);
}

#if !EMU_ASAN
void on_fault(int signal, siginfo_t *info, void *context) {
  if (current) leave_from_handler(signal, info->si_addr, context);
  for (size_t i = 0; i < 4; ++i) {  // not a kernel's fault: the previous handler's
    if (kSignals[i] == signal) sigaction(signal, &previous[i], nullptr);
  }
}
#endif

void on_tick(int signal, siginfo_t *, void *context) {
  if (!grid) return;
  ++ticks;

  const double limit = settings().stuck_seconds;
  if (ticks * kTick > limit) expired = 1;

  if (current && current == ticked_thread && counters().switches == ticked_switch) {
    if (++ticked_times * kTick > (limit < 20 ? limit : 20)) leave_from_handler(signal, nullptr, context);
  } else {
    ticked_times = 0;
    ticked_thread = current;
    ticked_switch = counters().switches;
  }
}

void arm(double seconds) {
  itimerspec when = {};
  when.it_interval.tv_nsec = when.it_value.tv_nsec = static_cast<long>(seconds * 1e9);
  timer_settime(timer, 0, &when, nullptr);
}

void make_timer() {
  sigevent event = {};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGRTMIN + 7;
  timer_made = timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) == 0;
  struct sigaction action = {};
  action.sa_sigaction = on_tick;  // on the fiber's own stack
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGRTMIN + 7, &action, nullptr);
}

#if !EMU_ASAN
/* A thread that launches has this stack for faults meanwhile, and then its own again, which it may free. */
stack_t stack_before;

void take_fault_stack() {
  static char memory[64 << 10];
  stack_t stack = {};
  stack.ss_sp = memory;
  stack.ss_size = sizeof memory;
  sigaltstack(&stack, &stack_before);
}
#endif

const char *misaligned_or_trap(const void *code) {
#if defined(__x86_64__)
  const auto *bytes = static_cast<const unsigned char *>(code);
  if (bytes && bytes[0] == 0x0f && bytes[1] == 0x0b) return "misaligned access";  // ud2 of -fsanitize=alignment
#endif
  (void)code;
  return "illegal instruction";
}

}  // namespace

void signals_begin() {
  static pid_t owner;  // timers do not survive a fork
  if (owner != getpid()) {
    owner = getpid();
    make_timer();
  }

  fault_signal = 0;
  ticks = expired = 0;
  ticked_thread = nullptr;
  ticked_times = 0;

#if !EMU_ASAN
  take_fault_stack();
  for (size_t i = 0; i < 4; ++i) {
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    sigaction(kSignals[i], &action, &previous[i]);
  }
#endif

  if (timer_made) arm(kTick);
}

void signals_end() {
  if (timer_made) {
    itimerspec never = {};
    timer_settime(timer, 0, &never, nullptr);
  }
#if !EMU_ASAN
  for (size_t i = 0; i < 4; ++i) sigaction(kSignals[i], &previous[i], nullptr);
  sigaltstack(&stack_before, nullptr);
#endif
}

bool signals_expired() {
  return expired != 0;
}

bool signals_take_fault(Thread *thread) {
  if (fault_signal == 0) return false;
  const int signal = fault_signal;
  fault_signal = 0;

  const std::string at = source_of(fault_code);
  if (signal == SIGILL) {
    record_error(cudaErrorMisalignedAddress, thread, "", 0, std::string(misaligned_or_trap(fault_code)) + " at " + at);
  } else if (signal == SIGFPE) {
    record_error(cudaErrorLaunchFailure, thread, "", 0, "integer division by zero or overflow at " + at);
  } else if (signal == SIGSEGV || signal == SIGBUS) {
    record_error(
        cudaErrorIllegalAddress, thread, "", 0,
        format_text("illegal address %p at %s%s", fault_address, at.c_str(), memory_describe(fault_address).c_str()));
  } else {
    record_error(cudaErrorLaunchTimeout, thread, "", 0, "runs on without waiting or ending at " + at);
  }

  return true;
}

}  // namespace emu
