// Shared memory. The static __shared__ objects of all kernels lie in one section of the program; its bytes are
// exchanged when another block runs. Each resident block has a store: its static part at the start, its dynamic part
// ending at an unmapped page. Another block of the cluster reaches the parts through the store.
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>

#include "memory.h"
#include "sanitizer.h"
#include "state.h"

extern "C" char __start_emu_shared[], __stop_emu_shared[];

namespace emu {

namespace {

constexpr size_t kPage = 4096, kAlign = 1024;
constexpr int kNan = 0xff, kCanary = 0xa5;

// Makes the section exist in programs without static shared memory.
__attribute__((section("emu_shared"), used)) char anchor[64];

char *stores;
size_t stores_bytes;
size_t stride, n_stores, dynamic_bytes, dynamic_offset;
Block *loaded;  // the one whose static part is in the section

bool in_section(const void *address) {
  const auto *byte = static_cast<const char *>(address);
  return byte >= __start_emu_shared && byte < __stop_emu_shared;
}

void unload() {
  if (loaded) raw_copy(loaded->store, __start_emu_shared, shared_static_bytes());
  loaded = nullptr;
}

// The offset of an address in this block's shared memory; false when it is elsewhere.
bool own_offset(const void *address, size_t *offset) {
  const auto *byte = static_cast<const char *>(address);
  const Block *block = current->block;
  if (in_section(address)) {
    *offset = static_cast<size_t>(byte - __start_emu_shared);
    return true;
  }
  if (byte < block->store || byte > block->store + dynamic_offset + dynamic_bytes) return false;
  *offset = static_cast<size_t>(byte - block->store);
  return true;
}

}  // namespace

size_t shared_static_bytes() {
  return static_cast<size_t>(__stop_emu_shared - __start_emu_shared);
}

size_t shared_block_bytes() {
  return stride;
}

bool shared_range_is_valid(size_t offset, size_t bytes) {
  return offset + bytes <= shared_static_bytes() ||
         (offset >= dynamic_offset && offset + bytes <= dynamic_offset + dynamic_bytes);
}

void shared_begin(size_t n_blocks, size_t bytes) {
  const size_t data = round_up(round_up(shared_static_bytes(), kAlign) + round_up(bytes, kAlign), kPage);
  const bool same = stores && stride == data + kPage && n_stores >= n_blocks;

  stride = data + kPage;
  dynamic_bytes = bytes;
  dynamic_offset = data - round_up(bytes, kAlign);
  loaded = nullptr;
  if (same) return;

  if (stores) munmap(stores, stores_bytes);
  n_stores = n_blocks;
  stores_bytes = stride * n_blocks;
  void *memory = mmap(nullptr, stores_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    perror("emulation: no memory for shared memory");
    abort();
  }

  stores = static_cast<char *>(memory);
  for (size_t i = 0; i < n_blocks; ++i) mprotect(stores + (i + 1) * stride - kPage, kPage, PROT_NONE);
}

void shared_make(Block *block, size_t slot) {
  block->store = stores + slot * stride;
  const size_t end = stride - kPage, statics = shared_static_bytes();
  unpoison(block->store, end);
  memset(block->store, kNan, statics);
  memset(block->store + statics, kCanary, end - statics);
  memset(block->store + dynamic_offset, kNan, dynamic_bytes);
  poison(block->store + statics, dynamic_offset - statics);
  poison(block->store + dynamic_offset + dynamic_bytes, end - dynamic_offset - dynamic_bytes);
}

void shared_load(Block *block) {
  if (loaded == block) return;
  unload();
  raw_copy(__start_emu_shared, block->store, shared_static_bytes());
  loaded = block;
}

void shared_end_block(Block *block) {
  loaded = nullptr;  // the section's bytes die with it
  const size_t end = stride - kPage;
#if !EMU_ASAN
  for (size_t i = shared_static_bytes(); i < end; ++i) {
    if (i == dynamic_offset) i += dynamic_bytes;
    if (i >= end || static_cast<unsigned char>(block->store[i]) == kCanary) continue;

    record_error(
        cudaErrorIllegalAddress, &block->threads[0], "", 0,
        i >= dynamic_offset
            ? format_text("shared memory was overrun: a write %zu bytes past the end of %zu dynamic bytes",
                          i - dynamic_offset - dynamic_bytes, dynamic_bytes)
            : format_text("shared memory was overrun: a write %zu bytes before the dynamic part", dynamic_offset - i));
    break;
  }
#endif

  // An ended block's shared memory may not be read by its cluster: it is NaN again.
  unpoison(block->store, end);
  memset(block->store, kNan, end);
  poison(block->store, end);
}

void shared_end() {
  loaded = nullptr;
  unpoison(stores, stores_bytes);
}

bool shared_locate(const void *address, Block **block, size_t *offset) {
  const auto *byte = static_cast<const char *>(address);
  if (in_section(address)) {
    *block = current->block;
    *offset = static_cast<size_t>(byte - __start_emu_shared);
    return true;
  }

  if (!stores || byte < stores || byte >= stores + stores_bytes) return false;
  *offset = static_cast<size_t>(byte - stores) % stride;
  const char *store = byte - *offset;

  const Block *own = current->block;
  if (own->store == store) {
    *block = current->block;
    return true;
  }
  for (Block *peer : own->cluster->blocks) {
    if (peer->store != store) continue;
    *block = peer;
    return true;
  }

  *block = nullptr;  // another cluster's
  return true;
}

void *dynamic_shared() {
  return current->block->store + dynamic_offset;
}

bool is_shared(const void *pointer) {
  size_t offset;
  return own_offset(pointer, &offset);
}

uint32_t shared_address(const void *pointer, const char *file, int line) {
  size_t offset = 0;
  if (!own_offset(pointer, &offset)) fail(file, line, "%p is not an address of this block's shared memory", pointer);
  return static_cast<uint32_t>(offset);
}

void *map_shared_rank(const void *pointer, unsigned rank, const char *file, int line) {
  const uint32_t offset = shared_address(pointer, file, line);
  const Cluster *cluster = current->block->cluster;
  if (rank >= cluster->blocks.size()) {
    fail(file, line, "map_shared_rank: rank %u in a cluster of %zu blocks", rank, cluster->blocks.size());
  }
  Block *peer = cluster->blocks[rank];
  if (peer == current->block) return const_cast<void *>(pointer);
  if (peer->ended()) fail(file, line, "map_shared_rank: block %u of the cluster has ended", rank);
  return peer->store + offset;
}

}  // namespace emu
