// What the files of the emulated CUDA runtime share. The calls themselves are declared by NVIDIA's own headers.
//
// Work is a copy, a fill, a kernel, a host function or a library call. A stream is a queue of work; with
// VISE_EMU_STREAMS=deferred it runs only when the program waits for it (or asks, which lets one piece run), otherwise
// at once. A stream that captures appends the work to a graph instead.
#pragma once
#include <cuda_runtime_api.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/emulation/device/grid.h"
#include "tests/emulation/device/memory.h"
#include "tests/emulation/host/emulation.h"

namespace emu {

// ---- errors (errors.cpp) -----------------------------------------------------------------------------------------

// First in every call that CUDA refuses after a device error or inside a host function; name is for reports.
cudaError_t enter(const char *name);
// Notes an error as the last one and returns it.
cudaError_t result(cudaError_t error);
// A misuse that the emulation can explain: stores and prints a report that begins with the call's name.
cudaError_t misuse(cudaError_t error, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Stores a report, and prints it unless settings().quiet.
void report(const std::string &text);
// An error in work whose call has already returned: sticky, like a kernel's.
void device_fault(cudaError_t error, const char *format, ...) __attribute__((format(printf, 2, 3)));
cudaError_t sticky_error();
void clear_errors();         // cudaDeviceReset
bool &in_host_function();    // CUDA calls are not permitted there
const char *current_call();  // the name given to enter

#define EMU_ENTER() \
  if (cudaError_t emu_refused = emu::enter(__func__)) return emu::result(emu_refused)

// ---- faults on demand (faults.cpp) -------------------------------------------------------------------------------

// Asked by each allocation of device or pinned memory, by each launch, and by each kernel that is due. An error is to be
// returned, as it was reported; true: the device has failed, and the kernel does not run.
cudaError_t allocation_fault(size_t bytes);
cudaError_t launch_fault();
bool kernel_fault();

// ---- work (work.cpp) ---------------------------------------------------------------------------------------------

struct Copy {
  void *to = nullptr;
  const void *from = nullptr;
  size_t to_pitch = 0, from_pitch = 0, width = 0, height = 1;
  cudaMemcpyKind kind = cudaMemcpyDefault;
  std::shared_ptr<std::vector<unsigned char>> staged;  // the source of a call that returns before the copy is done
};
inline Copy flat_copy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind) {
  return {to, from, bytes, bytes, bytes, 1, kind, nullptr};
}

struct Fill {
  void *to = nullptr;
  size_t pitch = 0, width = 0, height = 1;  // width in elements
  unsigned value = 0, element = 1;          // element in bytes: 1, 2 or 4
};

struct Work {
  enum Kind { kEmpty, kKernel, kCopy, kFill, kHost, kLibrary } kind = kEmpty;
  Launch launch;
  Copy copy;
  Fill fill;
  cudaHostFn_t function = nullptr;
  void *data = nullptr;
  std::function<void()> library;  // cuBLAS and the like: one kernel as far as counters and the clock go
};

// Check a copy or fill: its direction, memory that is not (or no longer) allocated, overruns.
cudaError_t check_copy(Copy &copy);  // turns cudaMemcpyDefault into the direction it means
cudaError_t check_fill(const Fill &fill);
void perform(const Work &work);  // errors become device faults

// The emulated device's time in milliseconds (VISE_EMU_CLOCK), and what moves it on.
double device_time();
void advance_clock(const Work &work);
void reset_clock();

// ---- streams (streams.cpp) ---------------------------------------------------------------------------------------

struct Capture;

struct Point {  // "when the stream has finished so much work"
  std::shared_ptr<CUstream_st> stream;
  uint64_t ticket = 0;
};

struct Task {
  std::function<void()> run;
  std::vector<Point> after;
  const void *host = nullptr;  // host memory that the work reads or writes
  size_t host_bytes = 0;
  // Of work that other processes share, in the place of run: does what it can; is it done?
  std::function<bool()> poll = nullptr;
};

}  // namespace emu

struct CUstream_st : std::enable_shared_from_this<CUstream_st> {
  unsigned long long id = 0;
  unsigned flags = 0;
  int priority = 0;
  bool legacy = false;
  uint64_t queued = 0, finished = 0;
  std::deque<emu::Task> queue;
  std::shared_ptr<emu::Capture> capture;  // while capturing
  std::vector<CUgraphNode_st *> tail;     // captured nodes that the next one comes after
};

struct CUgraphNode_st {
  emu::Work work;
  std::vector<CUgraphNode_st *> after;
  CUgraph_st *graph = nullptr;
  std::vector<void *> parameters;  // what cudaGraphKernelNodeGetParams points to
};

namespace emu {

bool deferred();                                                // VISE_EMU_STREAMS, or what a test set
std::shared_ptr<CUstream_st> find_stream(cudaStream_t handle);  // nullptr when there is none
std::shared_ptr<CUstream_st> legacy_stream();

#define EMU_FIND_STREAM(stream, handle)         \
  const auto stream = emu::find_stream(handle); \
  if (!stream) return emu::misuse(cudaErrorInvalidResourceHandle, "the stream does not exist")

// Puts work into the stream, after all that is already there, or into the stream's graph.
cudaError_t submit(cudaStream_t handle, Work work, const char *what = nullptr);
// The same for work that does not become a graph node: the caller has dealt with captures.
Point enqueue(const std::shared_ptr<CUstream_st> &stream, Task task);
Point point_of(const std::shared_ptr<CUstream_st> &stream);  // after all that is queued now
bool reached(const Point &point);
void reach(const Point &point);  // runs what is needed
void step(const Point &point);   // runs one piece of work
void run_everything();
// Whether queued work touches the host range.
bool host_range_queued(const void *start, size_t bytes);
void drop_streams();  // cudaDeviceReset
// Picks one of n by the schedule: the first, the last or a random one.
size_t pick(size_t n);

// ---- events (events.cpp) -----------------------------------------------------------------------------------------

void drop_events();

// ---- capture and graphs (capture.cpp, graph.cpp) -------------------------------------------------------------------

struct Capture {
  unsigned long long id = 0;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  CUstream_st *origin = nullptr;
  CUgraph_st *graph = nullptr;
  bool invalid = false;
  std::vector<CUstream_st *> streams;
};

// Calls that might synchronise or allocate are refused while a capture is under way (unless all are relaxed).
cudaError_t refuse_unsafe();
// Calls that wait for everything are refused during any capture, and invalidate all captures.
cudaError_t refuse_synchronization();
// Refuses legacy stream work during the capture of a stream that synchronises with it.
cudaError_t refuse_implicit();
cudaError_t invalidate(Capture &capture, cudaError_t error);
cudaError_t capture_work(CUstream_st &stream, Work work);
cudaError_t join_capture(CUstream_st &stream, const std::shared_ptr<Capture> &capture,
                         const std::vector<CUgraphNode_st *> &nodes);
void drop_captures();

CUgraph_st *new_graph();
CUgraphNode_st *add_node(CUgraph_st *graph, Work work, std::vector<CUgraphNode_st *> after);
void delete_graph(CUgraph_st *graph);
void drop_graphs();

// ---- memory (memory.cpp), launches (launch.cpp) --------------------------------------------------------------------

void drop_host_memory();
cudaError_t make_launch(Launch &launch, const void *function, void **arguments);

}  // namespace emu
