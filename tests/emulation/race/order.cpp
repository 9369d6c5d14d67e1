// Happens-before: how barriers, warp operations, fences and acquire/release accesses order the threads.
#include <unordered_map>

#include "race.h"

namespace emu {

uint32_t global_age = 1, shared_age = 1;

namespace {

uint32_t last_age = 1;
size_t n_slots;
std::unordered_map<const void *, KnowledgeRef> objects;           // what was released where
std::unordered_map<const Cluster *, KnowledgeRef> cluster_known;  // from the last cluster barrier

RaceThread &of(const Thread *thread) {
  return *thread->race;
}

uint32_t *valid_lanes(const Thread *thread) {
  RaceThread &race = of(thread);
  if (race.lanes_epoch != thread->block->race->epoch) {
    race.lanes_epoch = thread->block->race->epoch;
    memset(race.lanes, 0, sizeof race.lanes);
  }
  return race.lanes;
}

// Shared memory has one address in all blocks: objects are identified by their place in the block's store.
const void *place_of(const void *address) {
  Block *block = nullptr;
  size_t offset = 0;
  if (!shared_locate(address, &block, &offset) || !block) return address;
  return block->store + offset;
}

void learn(Thread *thread, const KnowledgeRef &what) {
  RaceThread &race = of(thread);
  if (!what || race.last_joined == what) return;
  race.known = joined(race.known, what);
  race.last_joined = what;
}

// Gives each thread the union of what all of them know.
void share_knowledge(Thread *const *threads, size_t n, bool own_clocks) {
  KnowledgeRef all = of(threads[0]).known;
  bool same = true;
  for (size_t i = 1; i < n; ++i) {
    const KnowledgeRef &other = of(threads[i]).known;
    same = same && other == all;
    if (!same) all = joined(all, other);
  }

  if (own_clocks) {
    auto with = all ? std::make_shared<Knowledge>(*all) : std::make_shared<Knowledge>();
    const Block *block = threads[0]->block;

    Known own;
    own.epoch = block->race->epoch;
    for (size_t i = 0; i < n; ++i) {
      const uint32_t *lanes = valid_lanes(threads[i]);
      const int first = threads[i]->rank - threads[i]->lane();
      for (int lane = 0; lane < kWarpSize; ++lane) {
        if (lanes[lane]) own.add_clock(static_cast<uint16_t>(first + lane), lanes[lane]);
      }
      own.add_clock(static_cast<uint16_t>(threads[i]->rank), of(threads[i]).clock);
    }
    with->at(block->number).merge(own);
    all = with;
  } else if (same) {
    return;
  }

  for (size_t i = 0; i < n; ++i) of(threads[i]).known = all;
}

KnowledgeRef fence_snapshot(const Thread *thread) {
  const RaceThread &race = of(thread);
  if (!race.fenced) return nullptr;
  auto made = race.fence_known ? std::make_shared<Knowledge>(*race.fence_known) : std::make_shared<Knowledge>();
  Known own;
  own.epoch = race.fence_epoch;
  own.add_clock(static_cast<uint16_t>(thread->rank), race.fence_clock);
  made->at(thread->block->number).merge(own);
  return made;
}

}  // namespace

KnowledgeRef snapshot(Thread *thread) {
  RaceThread &race = of(thread);
  auto made = race.known ? std::make_shared<Knowledge>(*race.known) : std::make_shared<Knowledge>();
  Known own;
  own.epoch = thread->block->race->epoch;

  const uint32_t *lanes = valid_lanes(thread);
  const int first = thread->rank - thread->lane();
  for (int lane = 0; lane < kWarpSize; ++lane) {
    if (lanes[lane]) own.clocks.emplace_back(static_cast<uint16_t>(first + lane), lanes[lane]);
  }

  own.add_clock(static_cast<uint16_t>(thread->rank), race.clock);
  made->at(thread->block->number).merge(own);
  ++race.clock;
  return made;
}

// ---- barriers and warp operations --------------------------------------------------------------------------------

void race_block_barrier(Block *block) {
  static std::vector<Thread *> all;
  all.clear();
  for (int i = 0; i < block->n_threads; ++i) all.push_back(&block->threads[static_cast<size_t>(i)]);
  share_knowledge(all.data(), all.size(), false);
  ++block->race->epoch;
}

void race_meet(Thread *const *threads, size_t n) {
  if (n < 2) return;

  bool one_warp = true;
  for (size_t i = 1; i < n; ++i) one_warp = one_warp && threads[i]->rank / kWarpSize == threads[0]->rank / kWarpSize;
  share_knowledge(threads, n, !one_warp);

  if (one_warp) {
    uint32_t lanes[kWarpSize] = {};
    for (size_t i = 0; i < n; ++i) {
      const uint32_t *own = valid_lanes(threads[i]);
      for (int lane = 0; lane < kWarpSize; ++lane) lanes[lane] = own[lane] > lanes[lane] ? own[lane] : lanes[lane];
    }
    for (size_t i = 0; i < n; ++i) lanes[threads[i]->lane()] = of(threads[i]).clock;
    for (size_t i = 0; i < n; ++i) memcpy(of(threads[i]).lanes, lanes, sizeof lanes);
  }

  for (size_t i = 0; i < n; ++i) ++of(threads[i]).clock;
}

void race_grid_barrier() {
  global_age = shared_age = ++last_age;
  objects.clear();
  for (auto &block : grid->blocks) {
    for (int i = 0; i < block->n_threads; ++i) {
      RaceThread &race = of(&block->threads[static_cast<size_t>(i)]);
      race.known = race.fence_known = race.seen = nullptr;
      race.last_joined = nullptr;
      race.fenced = false;
    }
  }
}

void race_cluster_arrive(Thread *thread) {
  RaceThread &race = of(thread);
  race.arrive_epoch = thread->block->race->epoch;
  race.arrive_clock = race.clock++;
}

void race_cluster_complete(Cluster *cluster) {
  auto all = std::make_shared<Knowledge>();
  const Knowledge *last = nullptr;
  for (Block *block : cluster->blocks) {
    Known &own = all->at(block->number);
    for (int i = 0; i < block->n_threads; ++i) {
      const Thread &thread = block->threads[static_cast<size_t>(i)];
      RaceThread &race = of(&thread);
      const bool exited = thread.state == State::kExited;  // counts as an arrival
      const uint32_t epoch = exited ? block->race->epoch : race.arrive_epoch;

      if (epoch > own.epoch) {
        own.epoch = epoch;
        own.clocks.clear();
      }
      if (epoch == own.epoch) {
        own.clocks.emplace_back(static_cast<uint16_t>(i), exited ? race.clock : race.arrive_clock);
      }
    }
  }

  for (Block *block : cluster->blocks) {
    for (int i = 0; i < block->n_threads; ++i) {
      const KnowledgeRef &known = of(&block->threads[static_cast<size_t>(i)]).known;
      if (!known || known.get() == last) continue;
      all->merge(*known);
      last = known.get();
    }
  }

  cluster_known[cluster] = all;
}

void race_cluster_wait(Thread *thread) {
  static KnowledgeRef before, barrier, after;  // most threads learn the same
  RaceThread &race = of(thread);
  const KnowledgeRef &all = cluster_known[thread->block->cluster];
  if (!after || before != race.known || barrier != all) {
    before = race.known;
    barrier = all;
    after = joined(race.known, all);
  }
  race.known = after;
}

// ---- atomic accesses and fences ----------------------------------------------------------------------------------

void race_object_release(const void *address) {
  KnowledgeRef &object = objects[place_of(address)];
  object = joined(object, snapshot(current));
}

void race_object_acquire(Thread *thread, const void *address) {
  const auto found = objects.find(place_of(address));
  if (found != objects.end()) learn(thread, found->second);
}

namespace {

void loaded(const void *address, Memory order) {
  if (order & kAcquire) {
    race_object_acquire(current, address);
    return;
  }
  const auto found = objects.find(place_of(address));
  if (found == objects.end()) return;
  RaceThread &race = of(current);
  if (race.seen != found->second) race.seen = joined(race.seen, found->second);
}

void stored(const void *address, Memory order, bool continues) {
  KnowledgeRef released = order & kRelease ? snapshot(current) : fence_snapshot(current);
  const void *place = place_of(address);
  if (!released && !continues) {
    objects.erase(place);  // a plain relaxed store ends the sequence of releases
    return;
  }
  if (!released) return;
  KnowledgeRef &object = objects[place];
  object = continues ? joined(object, released) : released;
}

uint32_t site() {
  return intern_site(current->file, current->line);
}

}  // namespace

void note_atomic_load(const void *address, size_t bytes, Memory order) {
  if (!current) return;
  check_access(address, bytes, Access::kAtomicRead, site());
  loaded(address, order);
}

void note_atomic_store(const void *address, size_t bytes, Memory order) {
  if (!current) return;
  check_access(address, bytes, Access::kAtomicWrite, site());
  stored(address, order, false);
}

void note_atomic_rmw(const void *address, size_t bytes, Memory order) {
  if (!current) return;
  check_access(address, bytes, Access::kAtomicWrite, site());
  loaded(address, order);
  stored(address, order, true);
}

void note_fence() {
  if (!current) return;
  RaceThread &race = of(current);
  learn(current, race.seen);
  race.seen = nullptr;
  race.fenced = true;
  race.fence_epoch = current->block->race->epoch;
  race.fence_clock = race.clock++;
  race.fence_known = race.known;
}

void note_read(const void *address, size_t bytes) {
  if (current && bytes) check_access(address, bytes, Access::kRead, site());
}

void note_write(const void *address, size_t bytes) {
  if (current && bytes) check_access(address, bytes, Access::kWrite, site());
}

// ---- launches ----------------------------------------------------------------------------------------------------

void race_begin_launch() {
  global_age = shared_age = ++last_age;
  objects.clear();
  shadow_new_launch();
}

void race_end_launch() {
  const std::string found = race_report();
  if (!found.empty()) record_error(cudaErrorLaunchFailure, nullptr, "", 0, found);
  global_age = shared_age = ++last_age;
}

void race_begin_wave(size_t n_blocks) {
  shared_age = ++last_age;
  n_slots = 0;
  cluster_known.clear();
  shadow_begin_wave(n_blocks);
}

void race_make_block(Block *block) {
  if (!block->race) block->race = new RaceBlock();
  *block->race = RaceBlock();
  block->race->slot = n_slots++;
  for (int i = 0; i < block->n_threads; ++i) {
    Thread &thread = block->threads[static_cast<size_t>(i)];
    if (!thread.race) thread.race = new RaceThread();
    *thread.race = RaceThread();
  }
}

void race_drop_block(Block *block) {
  for (int i = 0; i < block->n_threads; ++i) {
    delete block->threads[static_cast<size_t>(i)].race;
    block->threads[static_cast<size_t>(i)].race = nullptr;
  }
  delete block->race;
  block->race = nullptr;
}

}  // namespace emu
