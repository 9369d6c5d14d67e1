// NCCL between processes of this machine, each with an emulated device of its own: sends and receives in groups, as the
// exchange of ranks calls them. Messages go through memory that the processes share: a ring of bytes from each rank to each.
// The work of a group stays the first in its stream until all of it is done; a program that asks (cudaEventQuery) gets the
// answer "not yet", and may abort it, as on a device.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "tests/emulation/host/runtime.h"

#if __has_include(<nccl.h>)
#include <nccl.h>
#else
extern "C" {
typedef struct ncclComm *ncclComm_t;
typedef struct {
  char internal[128];
} ncclUniqueId;
typedef enum {
  ncclSuccess = 0,
  ncclSystemError = 2,
  ncclInvalidArgument = 4,
  ncclInvalidUsage = 5,
} ncclResult_t;
typedef enum { ncclInt8 = 0 } ncclDataType_t;
}
#endif

namespace {

constexpr uint64_t kRingBytes = 1 << 16;

// Bytes written and read so far, and the last ones of them.
struct Ring {
  std::atomic<uint64_t> written, read;
  unsigned char bytes[kRingBytes];
};

// Memory that is all 0 to begin with: [rank that sends][rank that receives].
struct Shared {
  std::atomic<uint32_t> n_joined, n_left;
  Ring rings[];
};

struct Message {
  bool receives;
  unsigned char *data;
  uint64_t n_bytes, at = 0;  // at: bytes moved, those of the header first
  int peer;
  uint64_t header = 0;  // the length, as the sender has it
};

struct Group {
  std::vector<Message> messages;
  cudaStream_t stream = nullptr;
};

}  // namespace

struct ncclComm {
  int rank, n_ranks;
  size_t n_bytes;
  Shared *shared;
  std::shared_ptr<bool> aborted = std::make_shared<bool>(false);

  Ring &ring(int from, int to) const {
    return shared->rings[from * n_ranks + to];
  }
};

namespace {

struct State {
  int depth = 0;  // of ncclGroupStart
  ncclComm *comm = nullptr;
  Group group;
};
State &state() {
  static State s;
  return s;
}

// Up to n bytes into the ring or out of it; returns how many.
uint64_t write_some(Ring &ring, const unsigned char *from, uint64_t n) {
  const uint64_t at = ring.written.load(std::memory_order_relaxed);
  const uint64_t room = kRingBytes - (at - ring.read.load(std::memory_order_acquire));
  n = std::min({n, room, kRingBytes - at % kRingBytes});
  memcpy(ring.bytes + at % kRingBytes, from, n);
  ring.written.store(at + n, std::memory_order_release);
  return n;
}

uint64_t read_some(Ring &ring, unsigned char *to, uint64_t n) {
  const uint64_t at = ring.read.load(std::memory_order_relaxed);
  const uint64_t there = ring.written.load(std::memory_order_acquire) - at;
  n = std::min({n, there, kRingBytes - at % kRingBytes});
  memcpy(to, ring.bytes + at % kRingBytes, n);
  ring.read.store(at + n, std::memory_order_release);
  return n;
}

// Moves what can be moved of a message: its length, then its bytes. Whether it is done.
bool move(const ncclComm &comm, Message &m) {
  Ring &ring = m.receives ? comm.ring(m.peer, comm.rank) : comm.ring(comm.rank, m.peer);
  const uint64_t all = sizeof m.header + m.n_bytes;
  if (!m.receives) m.header = m.n_bytes;

  for (;;) {
    const bool in_header = m.at < sizeof m.header;
    unsigned char *place =
        in_header ? reinterpret_cast<unsigned char *>(&m.header) + m.at : m.data + (m.at - sizeof m.header);
    const uint64_t left = in_header ? sizeof m.header - m.at : all - m.at;
    const uint64_t n = m.receives ? read_some(ring, place, left) : write_some(ring, place, left);
    m.at += n;

    if (m.receives && m.at == sizeof m.header && m.header != m.n_bytes) {
      emu::device_fault(cudaErrorUnknown, "ncclRecv of %llu bytes: rank %d sends %llu", (unsigned long long)m.n_bytes,
                        m.peer, (unsigned long long)m.header);
      return true;
    }
    if (m.at == all) return true;
    if (n == 0) return false;
  }
}

// Messages between two ranks go one after the other; those of others do not wait for them.
bool progress(const ncclComm &comm, Group &group) {
  bool done = true;
  std::vector<bool> blocked(2 * size_t(comm.n_ranks));
  for (Message &m : group.messages) {
    const size_t channel = 2 * size_t(m.peer) + m.receives;
    if (m.at == sizeof m.header + m.n_bytes || blocked[channel]) continue;
    if (!move(comm, m)) {
      done = false;
      blocked[channel] = true;
    }
    if (emu::sticky_error()) return true;
  }
  return done;
}

ncclResult_t submit_group() {
  auto group = std::make_shared<Group>(std::move(state().group));
  ncclComm *comm = state().comm;
  state().group = Group();
  if (group->messages.empty()) return ncclSuccess;

  const auto stream = emu::find_stream(group->stream);
  if (!stream) return ncclInvalidArgument;
  const auto aborted = comm->aborted;
  emu::Task task;
  task.poll = [comm, group, aborted] {
    if (emu::sticky_error() || *aborted) return true;
    if (!progress(*comm, *group)) {
      sched_yield();
      return false;
    }
    ++emu::counters().launches;
    ++emu::counters().library_calls;
    return true;
  };
  emu::enqueue(stream, std::move(task));
  return ncclSuccess;
}

ncclResult_t add(Message message, ncclComm *comm, cudaStream_t stream) {
  State &s = state();
  if (!comm || message.peer < 0 || message.peer >= comm->n_ranks || message.peer == comm->rank)
    return ncclInvalidArgument;
  if (!emu::memory_contains(message.data, message.n_bytes)) return ncclInvalidArgument;
  if (!s.group.messages.empty() && (s.comm != comm || s.group.stream != stream)) return ncclInvalidUsage;
  s.comm = comm;
  s.group.stream = stream;
  s.group.messages.push_back(message);
  return s.depth > 0 ? ncclSuccess : submit_group();
}

}  // namespace

extern "C" {

const char *ncclGetErrorString(ncclResult_t result) {
  return result == ncclSuccess ? "no error" : "an error of the emulated NCCL";
}

// The id is the path of the shared memory.
ncclResult_t ncclGetUniqueId(ncclUniqueId *id) {
  const char *folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  memset(id, 0, sizeof *id);
  snprintf(id->internal, sizeof id->internal, "%s/vise-nccl-XXXXXX", folder);
  const int file = mkstemp(id->internal);
  if (file < 0) return ncclSystemError;
  close(file);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRank(ncclComm_t *out, int n_ranks, ncclUniqueId id, int rank) {
  if (rank < 0 || rank >= n_ranks) return ncclInvalidArgument;
  const size_t n_bytes = sizeof(Shared) + size_t(n_ranks) * size_t(n_ranks) * sizeof(Ring);
  const int file = open(id.internal, O_RDWR | O_CLOEXEC);
  if (file < 0 || ftruncate(file, off_t(n_bytes)) != 0) return ncclSystemError;
  void *memory = mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED) return ncclSystemError;

  auto *comm = new ncclComm{rank, n_ranks, n_bytes, static_cast<Shared *>(memory)};
  ++comm->shared->n_joined;
  while (comm->shared->n_joined.load() < uint32_t(n_ranks)) sched_yield();
  if (rank == 0) unlink(id.internal);
  *out = comm;
  return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  if (!comm) return ncclInvalidArgument;
  munmap(comm->shared, comm->n_bytes);
  delete comm;
  return ncclSuccess;
}

// Its work that is still queued ends, undone.
ncclResult_t ncclCommAbort(ncclComm_t comm) {
  if (!comm) return ncclInvalidArgument;
  *comm->aborted = true;
  return ncclCommDestroy(comm);
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *result) {
  if (!comm || !result) return ncclInvalidArgument;
  *result = ncclSuccess;
  return ncclSuccess;
}

ncclResult_t ncclGroupStart() {
  ++state().depth;
  return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
  if (state().depth == 0) return ncclInvalidUsage;
  return --state().depth > 0 ? ncclSuccess : submit_group();
}

ncclResult_t ncclSend(const void *data, size_t n, ncclDataType_t type, int peer, ncclComm_t comm, cudaStream_t stream) {
  if (type != ncclInt8) return ncclInvalidArgument;
  return add({false, static_cast<unsigned char *>(const_cast<void *>(data)), n, 0, peer}, comm, stream);
}

ncclResult_t ncclRecv(void *data, size_t n, ncclDataType_t type, int peer, ncclComm_t comm, cudaStream_t stream) {
  if (type != ncclInt8) return ncclInvalidArgument;
  return add({true, static_cast<unsigned char *>(data), n, 0, peer}, comm, stream);
}

}  // extern "C"
