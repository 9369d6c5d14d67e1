// Bank conflicts of shared memory: 32 banks of 4 bytes; in a wavefront each gives one word, to all lanes that want it.
//
// Accesses of up to 4 bytes are made for the whole warp at once; those of 8 bytes for each half of it, those of 16 for
// each quarter. Two neighbouring parts are made at once if every pair of lanes that differ in bit 0 of their number, or
// every pair that differ in bit 1, want the same bytes. (The programming guide says nothing of this since compute
// capability 3.x; these are the rules that published measurements from Volta on agree with.)
#include <algorithm>

#include "count.h"

namespace emu::ptx {

namespace {

// The most different words that the lanes want of one bank.
unsigned conflicts(Mask m, const uint64_t *addresses, unsigned bytes) {
  uint64_t wanted[32][32];
  unsigned n[32] = {}, most = 0;
  PTX_EACH_LANE(l, m) {
    for (unsigned word = 0; word < (bytes + 3) / 4; ++word) {
      const uint64_t at = addresses[l] / 4 + word;
      const unsigned bank = at % 32;
      if (std::find(wanted[bank], wanted[bank] + n[bank], at) != wanted[bank] + n[bank]) continue;
      if (n[bank] == 32) continue;
      wanted[bank][n[bank]++] = at;
      most = std::max(most, n[bank]);
    }
  }
  return most;
}

bool pairs_agree(Mask m, const uint64_t *addresses, unsigned bit) {
  PTX_EACH_LANE(l, m) {
    const Mask other = l ^ bit;
    if (m >> other & 1 && addresses[other] != addresses[l]) return false;
  }
  return true;
}

}  // namespace

unsigned wavefronts(Mask m, const uint64_t *addresses, unsigned bytes) {
  if (bytes <= 4) return conflicts(m, addresses, bytes);
  const unsigned part = bytes == 8 ? 16 : 8;
  unsigned sum = 0;
  for (unsigned first = 0; first < kLanes; first += 2 * part) {
    const Mask both = m & static_cast<Mask>(((uint64_t(1) << 2 * part) - 1) << first);
    const Mask half = m & static_cast<Mask>(((uint64_t(1) << part) - 1) << first);
    if (pairs_agree(both, addresses, 1) || pairs_agree(both, addresses, 2)) {
      sum += conflicts(both, addresses, bytes);
    } else {
      sum += conflicts(half, addresses, bytes) + conflicts(both & ~half, addresses, bytes);
    }
  }
  return sum;
}

}  // namespace emu::ptx
