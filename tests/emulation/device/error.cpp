// Errors of running kernels: recorded with a report, sticky, never the end of the process.
#include <cstdio>
#include <map>

#include "state.h"

namespace emu {

namespace {

cudaError_t sticky = cudaSuccess;
std::string report;

std::string place(const Thread *thread) {
  std::string text = "kernel " + (grid ? symbol_name(grid->launch->kernel->function) : std::string("?"));
  if (!thread) return text;
  const uint3 b = thread->block->index, t = thread->index;
  return text + format_text(", block (%u,%u,%u), thread (%u,%u,%u)", b.x, b.y, b.z, t.x, t.y, t.z);
}

const char *state_text(State state) {
  switch (state) {
    case State::kReady:
      return "ready to run";
    case State::kRunning:
      return "running";
    case State::kBlockBarrier:
      return "at a block barrier";
    case State::kWarp:
      return "at a warp operation";
    case State::kClusterBarrier:
      return "at the cluster barrier";
    case State::kGridBarrier:
      return "at the grid barrier";
    case State::kYield:
      return "spinning";
    default:
      return "exited";
  }
}

}  // namespace

std::string format_arguments(const char *format, va_list arguments) {
  char text[1024];
  vsnprintf(text, sizeof text, format, arguments);
  return text;
}

std::string format_text(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  std::string text = format_arguments(format, arguments);
  va_end(arguments);
  return text;
}

void record_error(cudaError_t error, const Thread *thread, const char *file, int line, const std::string &text) {
  if (grid) grid->failed = true;
  if (sticky != cudaSuccess) return;  // the first one is the cause
  sticky = error;
  report = place(thread) + (line ? format_text(", %s:%d", file, line) : std::string()) + ": " + text;
  if (!settings().quiet) fprintf(stderr, "emulated device: %s\n", report.c_str());
}

void fail_with(cudaError_t error, const char *file, int line, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const std::string text = format_arguments(format, arguments);
  va_end(arguments);
  record_error(error, current, file, line, text);
  // The fiber is left without unwinding, so this frame's string is freed by hand; the rest is the kernel's.
  const_cast<std::string &>(text).~basic_string();
  fiber_leave(current->fiber, true);
  __builtin_unreachable();
}

void fail(const char *file, int line, const char *format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  fail_with(cudaErrorLaunchFailure, file, line, "%s", text);
}

std::string waiting_summary() {
  struct Group {
    int n_threads = 0;
    std::map<uint32_t, int> blocks;
  };

  std::map<std::string, Group> groups;
  for (const auto &block : grid->blocks) {
    for (int i = 0; i < block->n_threads; ++i) {
      const Thread &thread = block->threads[static_cast<size_t>(i)];
      std::string what = state_text(thread.state);
      if (thread.state == State::kWarp) what += std::string(" (") + thread.operation + ")";
      if (thread.state != State::kExited && thread.line) what += format_text(", %s:%d", thread.file, thread.line);

      Group &group = groups[what];
      ++group.n_threads;
      ++group.blocks[block->number];
    }
  }

  std::string text;
  for (const auto &entry : groups) {
    text += format_text("\n  %d threads of %zu blocks %s; blocks", entry.second.n_threads, entry.second.blocks.size(),
                        entry.first.c_str());
    int shown = 0;
    for (const auto &block : entry.second.blocks) {
      text += shown < 8 ? format_text(" %u", block.first) : shown == 8 ? " ..." : "";
      ++shown;
    }
  }

  return text;
}

cudaError_t device_error() {
  return sticky;
}

const std::string &device_report() {
  return report;
}

void reset_error() {
  sticky = cudaSuccess;
  report.clear();
}

}  // namespace emu
