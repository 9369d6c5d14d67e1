// Capture of streams into graphs.
#include <algorithm>

#include "tests/emulation/host/runtime.h"

namespace emu {
namespace {

std::vector<std::shared_ptr<Capture>> captures;
cudaStreamCaptureMode thread_mode = cudaStreamCaptureModeGlobal;
unsigned long long next_id = 1;

void leave(const std::shared_ptr<Capture> &capture) {
  for (CUstream_st *stream : capture->streams) {
    stream->capture.reset();
    stream->tail.clear();
  }
  captures.erase(std::remove(captures.begin(), captures.end(), capture), captures.end());
}

}  // namespace

cudaError_t invalidate(Capture &capture, cudaError_t error) {
  if (capture.invalid) return cudaErrorStreamCaptureInvalidated;
  capture.invalid = true;
  report(std::string(current_call()) + ": not permitted in or during the capture of a stream (" +
         cudaGetErrorName(error) + ")");
  return error;
}

cudaError_t refuse_unsafe() {
  if (thread_mode == cudaStreamCaptureModeRelaxed) return cudaSuccess;
  cudaError_t error = cudaSuccess;
  for (const auto &capture : captures)
    if (capture->mode != cudaStreamCaptureModeRelaxed) {
      invalidate(*capture, cudaErrorStreamCaptureUnsupported);
      error = cudaErrorStreamCaptureUnsupported;
    }
  return error;
}

cudaError_t refuse_synchronization() {
  for (const auto &capture : captures) invalidate(*capture, cudaErrorStreamCaptureUnsupported);
  return captures.empty() ? cudaSuccess : cudaErrorStreamCaptureUnsupported;
}

cudaError_t refuse_implicit() {
  cudaError_t error = cudaSuccess;
  for (const auto &capture : captures) {
    bool blocking = false;
    for (const CUstream_st *stream : capture->streams) blocking |= !(stream->flags & cudaStreamNonBlocking);
    if (!blocking) continue;
    invalidate(*capture, cudaErrorStreamCaptureImplicit);
    error = cudaErrorStreamCaptureImplicit;
  }
  return error;
}

cudaError_t capture_work(CUstream_st &stream, Work work) {
  Capture &capture = *stream.capture;
  if (capture.invalid) return cudaErrorStreamCaptureInvalidated;
  stream.tail = {add_node(capture.graph, std::move(work), stream.tail)};
  return cudaSuccess;
}

cudaError_t join_capture(CUstream_st &stream, const std::shared_ptr<Capture> &capture,
                         const std::vector<CUgraphNode_st *> &nodes) {
  if (std::find(captures.begin(), captures.end(), capture) == captures.end())
    return misuse(cudaErrorStreamCaptureIsolation, "the event was recorded in a capture that has ended");
  if (stream.legacy) return invalidate(*capture, cudaErrorStreamCaptureImplicit);
  if (stream.capture && stream.capture != capture) {
    invalidate(*stream.capture, cudaErrorStreamCaptureMerge);
    invalidate(*capture, cudaErrorStreamCaptureMerge);
    return cudaErrorStreamCaptureMerge;
  }

  if (!stream.capture) {
    stream.capture = capture;
    capture->streams.push_back(&stream);
  }
  for (CUgraphNode_st *node : nodes)
    if (std::find(stream.tail.begin(), stream.tail.end(), node) == stream.tail.end()) stream.tail.push_back(node);

  return cudaSuccess;
}

// Whether every node captured by other streams comes before the end of the origin stream.
static bool joined(const Capture &capture) {
  std::vector<CUgraphNode_st *> before = capture.origin->tail;
  for (size_t i = 0; i < before.size(); ++i)
    for (CUgraphNode_st *node : before[i]->after)
      if (std::find(before.begin(), before.end(), node) == before.end()) before.push_back(node);
  for (const CUstream_st *stream : capture.streams)
    for (CUgraphNode_st *node : stream->tail)
      if (std::find(before.begin(), before.end(), node) == before.end()) return false;
  return true;
}

void drop_captures() {
  while (!captures.empty()) leave(captures.back());
  thread_mode = cudaStreamCaptureModeGlobal;
}

}  // namespace emu

using emu::Capture;
using emu::misuse;
using emu::result;

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, enum cudaStreamCaptureMode mode) {
  EMU_ENTER();
  EMU_FIND_STREAM(stream, handle);
  if (mode < cudaStreamCaptureModeGlobal || mode > cudaStreamCaptureModeRelaxed)
    return misuse(cudaErrorInvalidValue, "%d is no mode of a capture", int(mode));
  if (stream->legacy) return misuse(cudaErrorStreamCaptureUnsupported, "the legacy stream cannot be captured");
  if (stream->capture) return misuse(cudaErrorIllegalState, "the stream is being captured already");

  auto capture = std::make_shared<Capture>();
  capture->id = emu::next_id++;
  capture->mode = mode;
  capture->origin = stream.get();
  capture->streams = {stream.get()};
  capture->graph = emu::new_graph();

  stream->capture = capture;
  emu::captures.push_back(capture);
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t *graph) {
  EMU_ENTER();
  EMU_FIND_STREAM(stream, handle);
  if (!graph) return misuse(cudaErrorInvalidValue, "the place for the graph is NULL");
  const auto capture = stream->capture;
  if (!capture) return misuse(cudaErrorIllegalState, "the stream is not being captured");
  *graph = nullptr;
  if (capture->origin != stream.get()) return result(emu::invalidate(*capture, cudaErrorStreamCaptureUnmatched));

  cudaError_t error = capture->invalid ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
  if (!error && !emu::joined(*capture)) {
    error = cudaErrorStreamCaptureUnjoined;
    emu::report(std::string(__func__) + ": a stream that the capture reached was not joined to it by an event");
  }

  emu::leave(capture);
  if (error)
    emu::delete_graph(capture->graph);
  else
    *graph = capture->graph;
  return result(error);
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, enum cudaStreamCaptureStatus *status) {
  EMU_ENTER();
  EMU_FIND_STREAM(stream, handle);
  if (!status) return misuse(cudaErrorInvalidValue, "the place for the status is NULL");
  if (stream->legacy) {
    if (cudaError_t error = emu::refuse_implicit()) return result(error);
  }
  *status = !stream->capture           ? cudaStreamCaptureStatusNone
            : stream->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                       : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}

cudaError_t cudaStreamGetCaptureInfo(cudaStream_t handle, enum cudaStreamCaptureStatus *status, unsigned long long *id,
                                     cudaGraph_t *graph, const cudaGraphNode_t **dependencies,
                                     const cudaGraphEdgeData **edges, size_t *n) {
  EMU_ENTER();
  EMU_FIND_STREAM(stream, handle);
  if (!status) return misuse(cudaErrorInvalidValue, "the place for the status is NULL");
  if (cudaError_t error = cudaStreamIsCapturing(handle, status)) return error;
  if (*status != cudaStreamCaptureStatusActive) return cudaSuccess;

  if (id) *id = stream->capture->id;
  if (graph) *graph = stream->capture->graph;
  if (dependencies) *dependencies = stream->tail.data();
  if (edges) *edges = nullptr;
  if (n) *n = stream->tail.size();
  return cudaSuccess;
}

cudaError_t cudaThreadExchangeStreamCaptureMode(enum cudaStreamCaptureMode *mode) {
  EMU_ENTER();
  if (!mode) return misuse(cudaErrorInvalidValue, "the mode is NULL");
  if (*mode < cudaStreamCaptureModeGlobal || *mode > cudaStreamCaptureModeRelaxed)
    return misuse(cudaErrorInvalidValue, "%d is no mode of a capture", int(*mode));
  std::swap(*mode, emu::thread_mode);
  return cudaSuccess;
}

}  // extern "C"
