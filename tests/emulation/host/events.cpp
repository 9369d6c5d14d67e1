// Events. Each recording makes a new record, so that a wait means the latest recording at the time of the call.
#include <algorithm>

#include "tests/emulation/host/runtime.h"

namespace {
struct Record {
  emu::Point point;
  double time = 0;
  // Recorded in a stream that was capturing:
  std::shared_ptr<emu::Capture> capture;
  std::vector<CUgraphNode_st *> nodes;
};
}  // namespace

struct CUevent_st {
  unsigned flags = 0;
  std::shared_ptr<Record> record;
};

namespace {

std::vector<CUevent_st *> &events() {
  static std::vector<CUevent_st *> list;
  return list;
}
// Never freed, so that no new event has the address of an old one.
std::vector<std::unique_ptr<CUevent_st>> &retired() {
  static std::vector<std::unique_ptr<CUevent_st>> list;
  return list;
}
void retire(CUevent_st *event) {
  event->record.reset();  // lives on with whoever waits for it
  retired().emplace_back(event);
}
bool exists(cudaEvent_t event) {
  return std::find(events().begin(), events().end(), event) != events().end();
}

constexpr unsigned kFlags = cudaEventBlockingSync | cudaEventDisableTiming | cudaEventInterprocess;

}  // namespace

namespace emu {
void drop_events() {
  for (CUevent_st *event : events()) retire(event);
  events().clear();
}
size_t live_events() {
  return events().size();
}
}  // namespace emu

using emu::misuse;
using emu::result;

#define NEED_EVENT(event) \
  if (!exists(event)) return misuse(cudaErrorInvalidResourceHandle, "the event does not exist")

extern "C" {

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags) {
  EMU_ENTER();
  if (!event) return misuse(cudaErrorInvalidValue, "the place for the event is NULL");
  if (flags & ~kFlags) return misuse(cudaErrorInvalidValue, "unknown flags 0x%x", flags);
  if ((flags & cudaEventInterprocess) && !(flags & cudaEventDisableTiming))
    return misuse(cudaErrorInvalidValue, "cudaEventInterprocess needs cudaEventDisableTiming");
  *event = new CUevent_st();
  (*event)->flags = flags;
  events().push_back(*event);
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *event) {
  return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  emu::enter(__func__);
  NEED_EVENT(event);
  events().erase(std::find(events().begin(), events().end(), event));
  retire(event);
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
  EMU_ENTER();
  NEED_EVENT(event);
  EMU_FIND_STREAM(stream, handle);

  auto record = std::make_shared<Record>();
  if (stream->capture) {
    if (stream->capture->invalid) return result(cudaErrorStreamCaptureInvalidated);
    record->capture = stream->capture;
    record->nodes = stream->tail;
    event->record = record;
    return cudaSuccess;
  }

  if (stream->legacy) {
    if (cudaError_t error = emu::refuse_implicit()) return result(error);
  }

  event->record = record;
  // The queue has only a weak reference: those who can still ask own the record.
  std::weak_ptr<Record> weak = record;
  record->point.stream = stream;
  record->point.ticket = stream->queued + 1;
  emu::enqueue(stream, {[weak] {
                          if (auto known = weak.lock()) known->time = emu::device_time();
                        },
                        {},
                        nullptr,
                        0});
  return cudaSuccess;
}

cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned int flags) {
  EMU_ENTER();
  if (flags == cudaEventRecordExternal) return misuse(cudaErrorNotSupported, "event record nodes are not emulated");
  if (flags) return misuse(cudaErrorInvalidValue, "unknown flags 0x%x", flags);
  return cudaEventRecord(event, stream);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned int flags) {
  EMU_ENTER();
  NEED_EVENT(event);
  EMU_FIND_STREAM(stream, handle);
  if (flags)
    return misuse(flags == cudaEventWaitExternal ? cudaErrorNotSupported : cudaErrorInvalidValue,
                  "flags 0x%x are not supported", flags);

  const auto record = event->record;
  if (record && record->capture) {
    if (record->capture->invalid) return result(cudaErrorStreamCaptureInvalidated);
    return result(emu::join_capture(*stream, record->capture, record->nodes));
  }
  if (stream->capture) {
    if (!record) return cudaSuccess;
    // A graph node cannot wait for work outside the graph.
    return result(emu::invalidate(*stream->capture, cudaErrorStreamCaptureIsolation));
  }

  if (!record) return cudaSuccess;  // never recorded: nothing to wait for
  if (stream->legacy) {
    if (cudaError_t error = emu::refuse_implicit()) return result(error);
  }

  emu::enqueue(stream, {[] {}, {record->point}, nullptr, 0});
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  EMU_ENTER();
  NEED_EVENT(event);
  const auto record = event->record;
  if (record && record->capture) return result(emu::invalidate(*record->capture, cudaErrorCapturedEvent));
  ++emu::counters().synchronizations;
  if (record) emu::reach(record->point);
  return result(emu::sticky_error());
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  EMU_ENTER();
  NEED_EVENT(event);
  const auto record = event->record;
  if (!record) return cudaSuccess;
  if (record->capture) return result(emu::invalidate(*record->capture, cudaErrorCapturedEvent));
  if (emu::reached(record->point)) return cudaSuccess;
  emu::step(record->point);
  if (cudaError_t error = emu::sticky_error()) return result(error);
  return result(cudaErrorNotReady);
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end) {
  EMU_ENTER();
  NEED_EVENT(start);
  NEED_EVENT(end);
  if (!ms) return misuse(cudaErrorInvalidValue, "the place for the time is NULL");

  for (CUevent_st *event : {start, end}) {
    if (event->flags & cudaEventDisableTiming)
      return misuse(cudaErrorInvalidResourceHandle, "an event was made with cudaEventDisableTiming");
    if (!event->record || event->record->capture)
      return misuse(cudaErrorInvalidResourceHandle, "an event was not recorded");
  }
  for (CUevent_st *event : {start, end})
    if (!emu::reached(event->record->point)) return result(cudaErrorNotReady);

  *ms = float(end->record->time - start->record->time);
  return cudaSuccess;
}

}  // extern "C"
