// Streams: queues of work and the order in which they run.
//
// A piece of work knows what must be done before it (points of other streams: events it waits for, the legacy stream's
// implicit order). Nothing else is ordered, and what is not ordered runs as the schedule says: deferred streams with
// the reverse or random order find the event that was forgotten.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "tests/emulation/host/runtime.h"

namespace emu {
namespace {

struct State {
  std::shared_ptr<CUstream_st> legacy, per_thread;
  std::vector<std::shared_ptr<CUstream_st>> live;     // including those above
  std::vector<std::shared_ptr<CUstream_st>> leaving;  // destroyed with work still queued
  std::vector<std::shared_ptr<CUstream_st>> retired;  // never freed: no new stream has the address of an old one
  unsigned long long next_id = 1;
  int deferred = -1;
  uint64_t random = 0;
  bool seeded = false;
};
State &state() {
  static State s;
  if (!s.legacy) {
    s.legacy = std::make_shared<CUstream_st>();
    s.legacy->legacy = true;
    s.per_thread = std::make_shared<CUstream_st>();
    s.per_thread->id = s.next_id++;
    s.live = {s.legacy, s.per_thread};
  }
  return s;
}

void run_first(const std::shared_ptr<CUstream_st> &stream) {
  if (stream->queue.front().poll) {
    if (!stream->queue.front().poll()) return;  // it stays the first
    stream->queue.pop_front();
  } else {
    Task task = std::move(stream->queue.front());
    stream->queue.pop_front();
    for (const Point &point : task.after) reach(point);
    task.run();
  }
  ++stream->finished;
  auto &leaving = state().leaving;
  if (stream->queue.empty()) leaving.erase(std::remove(leaving.begin(), leaving.end(), stream), leaving.end());
}

std::vector<std::shared_ptr<CUstream_st>> busy_streams() {
  std::vector<std::shared_ptr<CUstream_st>> busy;
  for (const auto *list : {&state().live, &state().leaving})
    for (const auto &stream : *list)
      if (!stream->queue.empty()) busy.push_back(stream);
  return busy;
}

// Host memory of a copy that the program may not touch until the copy is done.
void note_host_range(const Work &work, Task &task) {
  if (work.kind != Work::kCopy || work.copy.staged) return;
  const Copy &copy = work.copy;
  if (copy.kind != cudaMemcpyHostToDevice && copy.kind != cudaMemcpyDeviceToHost) return;
  const bool up = copy.kind == cudaMemcpyHostToDevice;
  task.host = up ? copy.from : copy.to;
  task.host_bytes = (up ? copy.from_pitch : copy.to_pitch) * (copy.height - 1) + copy.width;
  // What the device will write later is garbage until then, so that reading it too early shows.
  if (!up && copy.height == 1 && deferred() && !host_range_queued(task.host, task.host_bytes))
    memset(copy.to, 0xff, copy.width);
}

}  // namespace

bool deferred() {
  int &mode = state().deferred;
  if (mode < 0) {
    const char *streams = getenv("VISE_EMU_STREAMS");
    mode = streams && !strcmp(streams, "deferred");
  }
  return mode > 0;
}

size_t pick(size_t n) {
  if (settings().order == Order::kForward || n < 2) return 0;
  if (settings().order == Order::kReverse) return n - 1;
  State &s = state();
  if (!s.seeded) s.random = settings().seed, s.seeded = true;
  uint64_t x = s.random += 0x9e3779b97f4a7c15u;  // splitmix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return size_t((x ^ (x >> 31)) % n);
}

std::shared_ptr<CUstream_st> legacy_stream() {
  return state().legacy;
}

std::shared_ptr<CUstream_st> find_stream(cudaStream_t handle) {
  State &s = state();
  if (!handle || handle == cudaStreamLegacy) return s.legacy;
  if (handle == cudaStreamPerThread) return s.per_thread;
  for (const auto &stream : s.live)
    if (stream.get() == handle) return stream;
  return nullptr;
}

Point point_of(const std::shared_ptr<CUstream_st> &stream) {
  return {stream, stream->queued};
}

bool reached(const Point &point) {
  return !point.stream || point.stream->finished >= point.ticket;
}

void reach(const Point &point) {
  while (!reached(point)) run_first(point.stream);
}

void step(const Point &point) {
  if (!reached(point)) run_first(point.stream);
}

void run_everything() {
  for (auto busy = busy_streams(); !busy.empty(); busy = busy_streams()) run_first(busy[pick(busy.size())]);
}

Point enqueue(const std::shared_ptr<CUstream_st> &stream, Task task) {
  State &s = state();
  if (stream->legacy) {
    for (const auto *list : {&s.live, &s.leaving})
      for (const auto &other : *list)
        if (other != stream && !(other->flags & cudaStreamNonBlocking) && !reached(point_of(other)))
          task.after.push_back(point_of(other));
  } else if (!(stream->flags & cudaStreamNonBlocking) && !reached(point_of(s.legacy))) {
    task.after.push_back(point_of(s.legacy));
  }

  stream->queue.push_back(std::move(task));
  ++stream->queued;
  const Point point = point_of(stream);
  if (!deferred()) reach(point);
  return point;
}

cudaError_t submit(cudaStream_t handle, Work work, const char *what) {
  const auto stream = find_stream(handle);
  if (!stream) return misuse(cudaErrorInvalidResourceHandle, "%s: the stream does not exist", what ? what : "work");
  if (stream->capture) return capture_work(*stream, std::move(work));
  if (stream->legacy)
    if (cudaError_t error = refuse_implicit()) return error;
  Task task;
  note_host_range(work, task);
  task.run = [work = std::move(work)] { perform(work); };
  enqueue(stream, std::move(task));
  return cudaSuccess;
}

bool host_range_queued(const void *start, size_t bytes) {
  const auto *first = static_cast<const char *>(start);
  for (const auto &stream : busy_streams())
    for (const Task &task : stream->queue) {
      const auto *other = static_cast<const char *>(task.host);
      if (task.host_bytes && first < other + task.host_bytes && other < first + bytes) return true;
    }
  return false;
}

void drop_streams() {
  State &s = state();
  for (const auto *list : {&s.live, &s.leaving})
    for (const auto &stream : *list) {
      stream->queue.clear();
      stream->finished = stream->queued;
    }
  for (const auto &stream : s.live)
    if (stream != s.legacy && stream != s.per_thread) s.retired.push_back(stream);
  s.live = {s.legacy, s.per_thread};
  s.leaving.clear();
}

}  // namespace emu

using emu::find_stream;
using emu::misuse;
using emu::result;
using emu::state;

extern "C" {

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned int flags, int priority) {
  EMU_ENTER();
  if (!stream) return misuse(cudaErrorInvalidValue, "the place for the stream is NULL");
  if (flags & ~unsigned(cudaStreamNonBlocking)) return misuse(cudaErrorInvalidValue, "unknown flags 0x%x", flags);
  auto made = std::make_shared<CUstream_st>();
  made->id = state().next_id++;
  made->flags = flags;
  made->priority = std::clamp(priority, -5, 0);
  state().live.push_back(made);
  *stream = made.get();
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned int flags) {
  return cudaStreamCreateWithPriority(stream, flags, 0);
}

cudaError_t cudaStreamCreate(cudaStream_t *stream) {
  return cudaStreamCreateWithPriority(stream, cudaStreamDefault, 0);
}

cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  emu::enter(__func__);  // resources can be given back after an error too
  const auto stream = find_stream(handle);
  if (!stream || stream == state().legacy || stream == state().per_thread)
    return misuse(cudaErrorInvalidResourceHandle, "not a stream that was created, or destroyed before");
  if (stream->capture) return result(emu::invalidate(*stream->capture, cudaErrorStreamCaptureUnsupported));
  auto &live = state().live;
  live.erase(std::remove(live.begin(), live.end(), stream), live.end());
  if (!stream->queue.empty()) state().leaving.push_back(stream);  // its work still has to run
  state().retired.push_back(stream);
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  EMU_ENTER();
  EMU_FIND_STREAM(stream, handle);
  if (stream->capture) return result(emu::invalidate(*stream->capture, cudaErrorStreamCaptureUnsupported));
  if (stream->legacy) {
    if (cudaError_t error = emu::refuse_implicit()) return result(error);
    // All that the legacy stream would wait for.
    emu::enqueue(stream, {[] {}, {}, nullptr, 0});
  }

  ++emu::counters().synchronizations;
  emu::reach(emu::point_of(stream));
  return result(emu::sticky_error());
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
  EMU_ENTER();
  EMU_FIND_STREAM(stream, handle);
  if (stream->capture) return result(emu::invalidate(*stream->capture, cudaErrorStreamCaptureUnsupported));
  if (stream->legacy) {
    if (cudaError_t error = emu::refuse_implicit()) return result(error);
  }

  const emu::Point point = emu::point_of(stream);
  if (!emu::reached(point)) {
    emu::step(point);
    if (cudaError_t error = emu::sticky_error()) return result(error);
    return result(cudaErrorNotReady);
  }
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize(void) {
  EMU_ENTER();
  if (cudaError_t error = emu::refuse_synchronization()) return result(error);
  ++emu::counters().synchronizations;
  emu::run_everything();
  return result(emu::sticky_error());
}

cudaError_t cudaStreamGetFlags(cudaStream_t handle, unsigned int *flags) {
  EMU_ENTER();
  EMU_FIND_STREAM(stream, handle);
  if (!flags) return misuse(cudaErrorInvalidValue, "the place for the flags is NULL");
  *flags = stream->flags;
  return cudaSuccess;
}

cudaError_t cudaStreamGetPriority(cudaStream_t handle, int *priority) {
  EMU_ENTER();
  EMU_FIND_STREAM(stream, handle);
  if (!priority) return misuse(cudaErrorInvalidValue, "the place for the priority is NULL");
  *priority = stream->priority;
  return cudaSuccess;
}

cudaError_t cudaStreamGetId(cudaStream_t handle, unsigned long long *id) {
  EMU_ENTER();
  EMU_FIND_STREAM(stream, handle);
  if (!id) return misuse(cudaErrorInvalidValue, "the place for the id is NULL");
  *id = stream->id;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
  EMU_ENTER();
  if (least) *least = 0;
  if (greatest) *greatest = -5;
  return cudaSuccess;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void *data) {
  EMU_ENTER();
  if (!function) return misuse(cudaErrorInvalidValue, "the function is NULL");
  emu::Work work;
  work.kind = emu::Work::kHost;
  work.function = function;
  work.data = data;
  return result(emu::submit(handle, std::move(work)));
}

void emu_set_deferred(int deferred) {
  emu::run_everything();
  state().deferred = deferred != 0;
}

size_t emu_pending_work(void) {
  size_t pending = 0;
  for (const auto &stream : emu::busy_streams()) pending += stream->queue.size();
  return pending;
}

}  // extern "C"

namespace emu {
size_t live_streams() {
  return state().live.size() - 2;
}
}  // namespace emu
