// The builds without the race checker.
#include "../device/state.h"

namespace emu {

void note_atomic_load(const void *, size_t, Memory) {
}
void note_atomic_store(const void *, size_t, Memory) {
}
void note_atomic_rmw(const void *, size_t, Memory) {
}
void note_fence() {
}
void note_read(const void *, size_t) {
}
void note_write(const void *, size_t) {
}
void race_begin_launch() {
}
void race_end_launch() {
}
void race_begin_wave(size_t) {
}
void race_make_block(Block *) {
}
void race_drop_block(Block *) {
}
void race_memory_freed(const void *, size_t) {
}
void race_block_barrier(Block *) {
}
void race_meet(Thread *const *, size_t) {
}
void race_cluster_arrive(Thread *) {
}
void race_cluster_complete(Cluster *) {
}
void race_cluster_wait(Thread *) {
}
void race_grid_barrier() {
}
void race_object_release(const void *) {
}
void race_object_acquire(Thread *, const void *) {
}

}  // namespace emu
