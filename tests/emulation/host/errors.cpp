// Errors: the last one, sticky ones, reports, names.
#include <cstdio>

#include "tests/emulation/host/runtime.h"

namespace emu {
namespace {

struct State {
  cudaError_t last = cudaSuccess;
  cudaError_t fault = cudaSuccess;  // from host-side work; a kernel's is device_error()
  std::string report;
  const char *call = "";
  bool host_function = false;
};
State &state() {
  static State s;
  return s;
}

}  // namespace

cudaError_t enter(const char *name) {
  state().call = name;
  if (state().host_function) return misuse(cudaErrorNotPermitted, "called from a host function of a stream");
  return sticky_error();
}

cudaError_t result(cudaError_t error) {
  if (error) state().last = error;
  return error;
}

void report(const std::string &text) {
  state().report = text;
  if (!settings().quiet) fprintf(stderr, "emulated CUDA: %s\n", text.c_str());
}

cudaError_t misuse(cudaError_t error, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  report(std::string(state().call) + ": " + format_arguments(format, arguments));
  va_end(arguments);
  return result(error);
}

void device_fault(cudaError_t error, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  report(format_arguments(format, arguments));
  va_end(arguments);
  if (!state().fault) state().fault = error;
}

cudaError_t sticky_error() {
  const cudaError_t error = device_error();
  return error ? error : state().fault;
}

void clear_errors() {
  reset_error();
  state().fault = state().last = cudaSuccess;
}

bool &in_host_function() {
  return state().host_function;
}

const char *current_call() {
  return state().call;
}

}  // namespace emu

extern "C" {

cudaError_t cudaGetLastError(void) {
  if (cudaError_t error = emu::sticky_error()) return error;
  const cudaError_t last = emu::state().last;
  emu::state().last = cudaSuccess;
  return last;
}

cudaError_t cudaPeekAtLastError(void) {
  const cudaError_t error = emu::sticky_error();
  return error ? error : emu::state().last;
}

const char *cudaGetErrorName(cudaError_t error) {
  switch (error) {
#define X(name, text) \
  case name:          \
    return #name;
#include "tests/emulation/host/error_names.inc"
#undef X
    default:
      return "unrecognized error code";
  }
}

const char *cudaGetErrorString(cudaError_t error) {
  switch (error) {
#define X(name, text) \
  case name:          \
    return text;
#include "tests/emulation/host/error_names.inc"
#undef X
    default:
      return "unrecognized error code";
  }
}

const char *emu_last_report(void) {
  const std::string &kernel = emu::device_report();
  return emu::device_error() && !kernel.empty() ? kernel.c_str() : emu::state().report.c_str();
}

}  // extern "C"
