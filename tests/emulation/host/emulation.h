// What tests ask of the emulated CUDA device beyond CUDA's own calls, for C and C++. On a real device there is nothing
// to link with: tests that include this run on the emulation only.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  uint64_t launches;              // kernels that ran, including those of graphs and cuBLAS
  uint64_t cooperative_launches;  // among these
  uint64_t library_calls;         // among these, made by cuBLAS
  uint64_t graph_launches;
  uint64_t copies, copied_bytes, memsets;
  uint64_t allocations, frees, host_allocations;
  uint64_t synchronizations;  // calls that make the host wait
} emu_counts;

emu_counts emu_read_counts(void);
void emu_reset_counts(void);

// Sets the number of multiprocessors, like VISE_EMU_SMS.
void emu_set_sms(int sms);
// Sets the bytes of device memory, like VISE_EMU_MEMORY.
void emu_set_memory(size_t bytes);
// 1: work stays in its stream until the program waits for it, like VISE_EMU_STREAMS=deferred.
void emu_set_deferred(int deferred);
// 0: reports are stored but not printed, like VISE_EMU_QUIET=1.
void emu_set_printing(int printing);
// Makes cublasLtMatmul refuse products with this epilogue, though the heuristic still finds algorithms for them; 0
// refuses none.
void emu_refuse_epilogue(unsigned epilogue);
// 1: the heuristic finds no algorithm for epilogues that keep or read a mask, or make the gradient of a bias, as some
// cuBLAS may for float32.
void emu_lack_training_epilogues(int lack);
// After this many more calls every cublasLtMatmul returns CUBLAS_STATUS_EXECUTION_FAILED; UINT64_MAX: never.
void emu_fail_products_after(uint64_t calls);

// The release store that this block makes after `after` others, in all launches from now on, is lost; UINT64_MAX: none is.
void emu_lose_store(unsigned block, uint64_t after);

// The last report of a misuse or a failing kernel, "" when there was none.
const char *emu_last_report(void);

size_t emu_live_allocations(void);  // in device memory
size_t emu_live_host_allocations(void);
size_t emu_live_handles(void);  // streams, events, graphs, executable graphs and cuBLAS handles together
size_t emu_pending_work(void);  // queued but not yet run, in all streams

#ifdef __cplusplus
}
#endif
