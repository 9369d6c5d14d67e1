// Asynchronous copies are made as late as the program allows, so that a missing wait reads NaN bytes.
#include "state.h"

namespace emu {

namespace {
// The call site that the race checker reports.
void set_site(const char *file, int line) {
  current->file = file;
  current->line = line;
}
}  // namespace

void async_copy(void *destination, const void *source, size_t bytes, size_t source_bytes, const char *file, int line) {
  set_site(file, line);
  if ((bytes != 4 && bytes != 8 && bytes != 16) || source_bytes > bytes) {
    fail(file, line, "cp.async of %zu bytes from %zu: 4, 8 or 16 are possible", bytes, source_bytes);
  }
  check_aligned(destination, bytes, file, line);
  check_aligned(source, bytes, file, line);
  if (!is_shared(destination)) fail(file, line, "cp.async: the destination %p is not shared memory", destination);

  note_write(destination, bytes);
  memset(destination, 0xff, bytes);
  current->copies.push_back({destination, source, bytes, source_bytes, current->open_group});
}

void async_commit() {
  ++current->open_group;
}

namespace {
void finish_groups(int before) {
  auto &copies = current->copies;
  size_t n = 0;
  for (; n < copies.size() && copies[n].group < before; ++n) {
    const AsyncCopy &copy = copies[n];
    note_read(copy.source, copy.source_bytes);
    note_write(copy.destination, copy.bytes);
    memcpy(copy.destination, copy.source, copy.source_bytes);
    memset(static_cast<char *>(copy.destination) + copy.source_bytes, 0, copy.bytes - copy.source_bytes);
  }
  copies.erase(copies.begin(), copies.begin() + static_cast<ptrdiff_t>(n));
}
}  // namespace

void async_wait(int pending, const char *file, int line) {
  set_site(file, line);
  if (pending < 0) fail(file, line, "cp.async.wait_group %d", pending);
  finish_groups(current->open_group - pending);
}

void async_thread_exited(Thread *thread) {
  if (thread->copies.empty()) return;
  record_error(cudaErrorLaunchFailure, thread, "", 0,
               format_text("the thread exits with %zu cp.async copies never waited for", thread->copies.size()));
}

// ---- mbarrier --------------------------------------------------------------------------------------------------

namespace {

struct MBarrier {  // the 64 bits of the object
  uint64_t phase : 1, pending : 12, expected : 12, transfer : 36, magic : 3;
};
static_assert(sizeof(MBarrier) == 8);
constexpr unsigned kMagic = 5;

MBarrier read(const uint64_t *barrier, const char *file, int line) {
  set_site(file, line);
  check_aligned(barrier, 8, file, line);
  MBarrier value;
  memcpy(&value, barrier, sizeof value);
  if (value.magic != kMagic) fail(file, line, "mbarrier used before its init");
  return value;
}

void write(uint64_t *barrier, MBarrier value) {
  if (value.pending == 0 && value.transfer == 0) {
    value.phase ^= 1;
    value.pending = value.expected;
  }
  memcpy(barrier, &value, sizeof value);
}

// Completes one of the barrier's copies: copies are made only when somebody waits.
bool run_one_copy(uint64_t *barrier, const char *file, int line) {
  auto &copies = current->block->bulk_copies;
  for (size_t i = 0; i < copies.size(); ++i) {
    const BulkCopy copy = copies[i];
    if (copy.barrier != barrier) continue;

    copies.erase(copies.begin() + static_cast<ptrdiff_t>(i));
    MBarrier value = read(barrier, file, line);
    if (value.transfer < copy.bytes) {
      fail(file, line, "mbarrier: %zu bytes arrive, %zu are expected", copy.bytes, static_cast<size_t>(value.transfer));
    }

    memcpy(copy.destination, copy.source, copy.bytes);
    value.transfer -= copy.bytes;
    write(barrier, value);
    return true;
  }

  return false;
}

}  // namespace

void mbarrier_init(uint64_t *barrier, unsigned count, const char *file, int line) {
  set_site(file, line);
  check_aligned(barrier, 8, file, line);
  if (!is_shared(barrier)) fail(file, line, "mbarrier.init: %p is not shared memory", static_cast<void *>(barrier));
  if (count == 0 || count > 4095) fail(file, line, "mbarrier.init: count %u", count);
  note_write(barrier, 8);
  MBarrier value = {};
  value.pending = value.expected = count;
  value.magic = kMagic;
  memcpy(barrier, &value, sizeof value);
}

void mbarrier_arrive(uint64_t *barrier, unsigned expect_bytes, const char *file, int line) {
  MBarrier value = read(barrier, file, line);
  note_atomic_rmw(barrier, 8, kRelease);
  if (value.pending == 0) fail(file, line, "mbarrier: more arrivals than its count");
  value.transfer += expect_bytes;
  value.pending -= 1;
  write(barrier, value);
}

bool mbarrier_try_wait(uint64_t *barrier, unsigned parity, const char *file, int line) {
  for (;;) {
    if (read(barrier, file, line).phase != (parity & 1)) {
      note_atomic_load(barrier, 8, kAcquire);
      return true;
    }
    if (!run_one_copy(barrier, file, line)) break;
  }
  yield(file, line);
  return false;
}

void bulk_copy(void *destination, const void *source, size_t bytes, uint64_t *barrier, const char *file, int line) {
  set_site(file, line);
  check_aligned(destination, 16, file, line);
  check_aligned(source, 16, file, line);
  if (bytes % 16 != 0) fail(file, line, "cp.async.bulk of %zu bytes: not a multiple of 16", bytes);
  if (!is_shared(destination)) fail(file, line, "cp.async.bulk: the destination %p is not shared memory", destination);
  read(barrier, file, line);

  note_read(source, bytes);
  note_write(destination, bytes);
  race_object_release(barrier);
  memset(destination, 0xff, bytes);
  current->block->bulk_copies.push_back({destination, source, bytes, barrier});
}

void async_block_ended(Block *block) {
  if (block->bulk_copies.empty()) return;
  record_error(cudaErrorLaunchFailure, &block->threads[0], "", 0, "the block ends with a bulk copy in flight");
}

// ---- alignment -------------------------------------------------------------------------------------------------

void check_aligned(const void *address, size_t bytes, const char *file, int line) {
  if (reinterpret_cast<uintptr_t>(address) % bytes == 0 || !current) return;
  fail_with(cudaErrorMisalignedAddress, file, line, "misaligned address %p of an access of %zu bytes", address, bytes);
}

}  // namespace emu
