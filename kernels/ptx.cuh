/*
 * Every PTX instruction of the project. Beside each stands what takes its place where there is no such instruction: a
 * model on the emulated device, whose warp-wide part is plain C on arrays of 32 lanes, tested against the PTX manual's
 * definitions (tests/unit/kernels/ptx_models_test.c). Kernels include this header and write no asm of their own.
 *
 * Conventions: ptx_NAME is called by kernels; vise_model_NAME is the model's plain part. Warp-wide instructions are
 * called by all 32 lanes. Pointers into shared memory are ordinary (generic) pointers.
 *
 * Needs sm_80; mbarrier and bulk copies need sm_90 (VISE_PTX_HAS_BULK) and trap below.
 */
#ifndef VISE_K_PTX_CUH
#define VISE_K_PTX_CUH

#include "kernels/device.cuh"

#if defined(__CUDACC__)
#define PTX VISE_FN
#define PTX_SITE
#define PTX_ONLY_SITE void
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
#define VISE_PTX_HAS_BULK 1
#else
#define VISE_PTX_HAS_BULK 0
#endif
#elif defined(VISE_EMULATED)
#include <emu/device.h>
#define PTX EMU_UNCHECKED static inline
#define PTX_SITE , EMU_SITE
#define PTX_ONLY_SITE EMU_SITE
#define VISE_PTX_HAS_BULK 1
#endif

/* 16 bytes that are read and written as one. */
typedef struct
#if defined(__CUDACC__)
    __align__(16)
#elif defined(__cplusplus)
    alignas(16)
#endif
        ptx_b128 {
  uint64_t lo, hi;
}
ptx_b128;

/* ---- waiting ------------------------------------------------------------------------------------------------------
   In every loop that polls: nothing on a GPU, where a poll must not sleep; elsewhere it lets other threads run. */
#if defined(__CUDACC__)
PTX void ptx_spin(void) {
}
#elif defined(VISE_EMULATED)
PTX void ptx_spin(PTX_ONLY_SITE) {
  emu::yield(EMU_HERE);
}
#endif

/* ---- loads and stores that order memory ---------------------------------------------------------------------------
   acquire: what the releasing thread wrote before (and what its CTA wrote before the __syncthreads it passed) is seen
   by plain accesses after. relaxed: the access alone, without order for others. gpu: among the CTAs of one device; sys:
   also the host and other devices. The 128-bit forms are single accesses in the memory model: payload and flag arrive
   together. */
#if defined(__CUDACC__)
#define PTX_LOAD_U32(name, scope)                                                            \
  PTX uint32_t name(const uint32_t *p) {                                                     \
    uint32_t v;                                                                              \
    asm volatile("ld.acquire." scope ".global.u32 %0, [%1];" : "=r"(v) : "l"(p) : "memory"); \
    return v;                                                                                \
  }
#define PTX_STORE_U32(name, scope)                                                         \
  PTX void name(uint32_t *p, uint32_t v) {                                                 \
    asm volatile("st.release." scope ".global.u32 [%0], %1;" ::"l"(p), "r"(v) : "memory"); \
  }
PTX_LOAD_U32(ptx_load_acquire_gpu, "gpu")
PTX_LOAD_U32(ptx_load_acquire_sys, "sys")
PTX_STORE_U32(ptx_store_release_gpu, "gpu")
PTX_STORE_U32(ptx_store_release_sys, "sys")

#define PTX_LOAD_B128(name, order)                                                               \
  PTX ptx_b128 name(const ptx_b128 *p) {                                                         \
    ptx_b128 v;                                                                                  \
    asm volatile("{ .reg .b128 v; ld." order ".gpu.global.b128 v, [%2]; mov.b128 {%0, %1}, v; }" \
                 : "=l"(v.lo), "=l"(v.hi)                                                        \
                 : "l"(p)                                                                        \
                 : "memory");                                                                    \
    return v;                                                                                    \
  }
#define PTX_STORE_B128(name, order)                                                                                   \
  PTX void name(ptx_b128 *p, ptx_b128 v) {                                                                            \
    asm volatile("{ .reg .b128 v; mov.b128 v, {%1, %2}; st." order ".gpu.global.b128 [%0], v; }" ::"l"(p), "l"(v.lo), \
                 "l"(v.hi)                                                                                            \
                 : "memory");                                                                                         \
  }
PTX_LOAD_B128(ptx_load_acquire_gpu_b128, "acquire")
PTX_LOAD_B128(ptx_load_relaxed_gpu_b128, "relaxed")
PTX_STORE_B128(ptx_store_release_gpu_b128, "release")
PTX_STORE_B128(ptx_store_relaxed_gpu_b128, "relaxed")

/* Makes relaxed stores after it release, and relaxed loads before it acquire. */
PTX void ptx_fence_acq_rel_gpu(void) {
  asm volatile("fence.acq_rel.gpu;" ::: "memory");
}
#elif defined(VISE_EMULATED)
PTX uint32_t ptx_load_acquire_gpu(const uint32_t *p PTX_SITE) {
  return emu::atomic_load(p, emu::kAcquire, EMU_HERE);
}
PTX uint32_t ptx_load_acquire_sys(const uint32_t *p PTX_SITE) {
  return emu::atomic_load(p, emu::kAcquire, EMU_HERE);
}
PTX void ptx_store_release_gpu(uint32_t *p, uint32_t v PTX_SITE) {
  emu::atomic_store(p, v, emu::kRelease, EMU_HERE);
}
PTX void ptx_store_release_sys(uint32_t *p, uint32_t v PTX_SITE) {
  emu::atomic_store(p, v, emu::kRelease, EMU_HERE);
}
PTX ptx_b128 ptx_load_acquire_gpu_b128(const ptx_b128 *p PTX_SITE) {
  return emu::atomic_load(p, emu::kAcquire, EMU_HERE);
}
PTX ptx_b128 ptx_load_relaxed_gpu_b128(const ptx_b128 *p PTX_SITE) {
  return emu::atomic_load(p, emu::kRelaxed, EMU_HERE);
}
PTX void ptx_fence_acq_rel_gpu(void) {
  emu::note_fence();
}
PTX void ptx_store_release_gpu_b128(ptx_b128 *p, ptx_b128 v PTX_SITE) {
  emu::atomic_store(p, v, emu::kRelease, EMU_HERE);
}
PTX void ptx_store_relaxed_gpu_b128(ptx_b128 *p, ptx_b128 v PTX_SITE) {
  emu::atomic_store(p, v, emu::kRelaxed, EMU_HERE);
}
#endif

/* Adds to a counter: red releases and returns nothing, atom acquires and releases and returns the old value. */
#if defined(__CUDACC__)
PTX void ptx_red_release_gpu_add(uint32_t *p, uint32_t v) {
  asm volatile("red.release.gpu.global.add.u32 [%0], %1;" ::"l"(p), "r"(v) : "memory");
}

PTX uint32_t ptx_atom_acq_rel_gpu_add(uint32_t *p, uint32_t v) {
  uint32_t old;
  asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], %2;" : "=r"(old) : "l"(p), "r"(v) : "memory");
  return old;
}
#elif defined(VISE_EMULATED)
PTX void ptx_red_release_gpu_add(uint32_t *p, uint32_t v PTX_SITE) {
  emu::atomic_rmw(
      p, emu::kRelease, [v](uint32_t old) { return old + v; }, EMU_HERE);
}
PTX uint32_t ptx_atom_acq_rel_gpu_add(uint32_t *p, uint32_t v PTX_SITE) {
  return emu::atomic_rmw(
      p, emu::kAcqRel, [v](uint32_t old) { return old + v; }, EMU_HERE);
}
#endif

/* ---- reads of the data set ----------------------------------------------------------------------------------------
   Through the non-coherent path, which nothing else may use: the data set is the one memory that no launch writes. The
   check of the PTX knows these reads by their comment. */
#if defined(__CUDACC__)
#define PTX_DATA_SET(name, T, type, constraint)                                                      \
  PTX T name(const void *p) {                                                                        \
    T v;                                                                                             \
    asm("ld.global.nc.L1::no_allocate." type " %0, [%1]; // data set" : "=" constraint(v) : "l"(p)); \
    return v;                                                                                        \
  }

PTX uint4 ptx_data_set_16(const void *p) {
  uint4 v;
  asm("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4]; // data set"
      : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
      : "l"(p));
  return v;
}

PTX_DATA_SET(ptx_data_set_1, uint16_t, "u8", "h") /* PTX has no 8-bit registers */
#elif defined(VISE_EMULATED)
#define PTX_DATA_SET(name, T, type, constraint)  \
  static inline T name(const void *p PTX_SITE) { \
    T v;                                         \
    emu::check_aligned(p, sizeof v, EMU_HERE);   \
    memcpy(&v, p, sizeof v);                     \
    return v;                                    \
  }
PTX_DATA_SET(ptx_data_set_16, uint4, "", "")
static inline uint16_t ptx_data_set_1(const void *p) {
  return *static_cast<const uint8_t *>(p);
}
#endif
#if defined(__CUDACC__) || defined(VISE_EMULATED)
PTX_DATA_SET(ptx_data_set_8, uint64_t, "u64", "l")
PTX_DATA_SET(ptx_data_set_4, uint32_t, "u32", "r")
#endif

/* ---- cp.async: asynchronous copies from global to shared memory ---------------------------------------------------
   n_source of the 4, 8 or 16 bytes are read, the rest of the destination is zeroed. Copies are collected by commit;
   ptx_cp_async_wait(N) waits until at most the N newest groups of the calling thread are pending; the copies of other
   threads need a barrier after that. N is a constant. */
#if defined(__CUDACC__)
PTX uint32_t ptx_shared_address(const void *p) {
  return (uint32_t)__cvta_generic_to_shared(p);
}

#define PTX_CP_ASYNC(name, policy, size)                                                                          \
  PTX void name(void *shared, const void *global, uint32_t n_source) {                                            \
    asm volatile("cp.async." policy ".shared.global [%0], [%1], " size ", %2;" ::"r"(ptx_shared_address(shared)), \
                 "l"(global), "r"(n_source)                                                                       \
                 : "memory");                                                                                     \
  }
PTX_CP_ASYNC(ptx_cp_async_4, "ca", "4")
PTX_CP_ASYNC(ptx_cp_async_8, "ca", "8")
PTX_CP_ASYNC(ptx_cp_async_16, "cg", "16")
PTX void ptx_cp_async_commit(void) {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
#define ptx_cp_async_wait(n_pending) asm volatile("cp.async.wait_group %0;" ::"n"(n_pending) : "memory")
#elif defined(VISE_EMULATED)
PTX uint32_t ptx_shared_address(const void *p PTX_SITE) {
  return emu::shared_address(p, EMU_HERE);
}
PTX void ptx_cp_async_4(void *shared, const void *global, uint32_t n_source PTX_SITE) {
  emu::async_copy(shared, global, 4, n_source, EMU_HERE);
}
PTX void ptx_cp_async_8(void *shared, const void *global, uint32_t n_source PTX_SITE) {
  emu::async_copy(shared, global, 8, n_source, EMU_HERE);
}
PTX void ptx_cp_async_16(void *shared, const void *global, uint32_t n_source PTX_SITE) {
  emu::async_copy(shared, global, 16, n_source, EMU_HERE);
}
PTX void ptx_cp_async_commit(void) {
  emu::async_commit();
}
#define ptx_cp_async_wait(n_pending) emu::async_wait(n_pending)
#endif

/* ---- mbarrier and bulk copies (sm_90) -----------------------------------------------------------------------------
   One thread sets a barrier up for n arrivals and fences; per phase one thread announces the bytes and starts the
   copies, everyone polls the parity of the phase (0, 1, 0, ...). Addresses and sizes are multiples of 16 bytes. Shared
   memory that was written or read by ordinary accesses needs ptx_fence_proxy_async before a bulk copy overwrites it. That
   fence is for shared memory alone: what a launch has written to global memory it must not read by bulk copies. */
#if defined(__CUDACC__)
#if VISE_PTX_HAS_BULK
#define PTX_SM90(...) asm volatile(__VA_ARGS__)
#else
#define PTX_SM90(...) __trap()
#endif
PTX void ptx_mbarrier_init(uint64_t *barrier, uint32_t n_arrivals) {
  PTX_SM90("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(ptx_shared_address(barrier)), "r"(n_arrivals) : "memory");
}
PTX void ptx_mbarrier_fence_init(void) {
  PTX_SM90("fence.mbarrier_init.release.cluster;" ::: "memory");
}
PTX void ptx_mbarrier_arrive_expect(uint64_t *barrier, uint32_t n_bytes) {
  PTX_SM90("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(ptx_shared_address(barrier)), "r"(n_bytes)
           : "memory");
}

PTX int ptx_mbarrier_try_wait(uint64_t *barrier, uint32_t parity) {
  uint32_t done = 0;
  PTX_SM90("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
           : "=r"(done)
           : "r"(ptx_shared_address(barrier)), "r"(parity)
           : "memory");
  return (int)done;
}

PTX void ptx_bulk_copy(void *shared, const void *global, uint32_t n_bytes, uint64_t *barrier) {
  PTX_SM90("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
               ptx_shared_address(shared)),
           "l"(global), "r"(n_bytes), "r"(ptx_shared_address(barrier))
           : "memory");
}

PTX void ptx_fence_proxy_async(void) {
  PTX_SM90("fence.proxy.async.shared::cta;" ::: "memory");
}
#elif defined(VISE_EMULATED)
PTX void ptx_mbarrier_init(uint64_t *barrier, uint32_t n_arrivals PTX_SITE) {
  emu::mbarrier_init(barrier, n_arrivals, EMU_HERE);
}
PTX void ptx_mbarrier_fence_init(void) {
}
PTX void ptx_mbarrier_arrive_expect(uint64_t *barrier, uint32_t n_bytes PTX_SITE) {
  emu::mbarrier_arrive(barrier, n_bytes, EMU_HERE);
}
PTX int ptx_mbarrier_try_wait(uint64_t *barrier, uint32_t parity PTX_SITE) {
  return emu::mbarrier_try_wait(barrier, parity, EMU_HERE);
}
PTX void ptx_bulk_copy(void *shared, const void *global, uint32_t n_bytes, uint64_t *barrier PTX_SITE) {
  emu::bulk_copy(shared, global, n_bytes, barrier, EMU_HERE);
}
PTX void ptx_fence_proxy_async(void) {
}
#endif

/* ---- sums and least values of a warp ------------------------------------------------------------------------------
   Of all 32 lanes, to each of them. */
#if defined(__CUDACC__)
#define PTX_REDUX(name, operation)                                                       \
  PTX int32_t name(int32_t v) {                                                          \
    int32_t r;                                                                           \
    asm volatile("redux.sync." operation ".s32 %0, %1, 0xffffffff;" : "=r"(r) : "r"(v)); \
    return r;                                                                            \
  }
PTX_REDUX(ptx_redux_add, "add")
PTX_REDUX(ptx_redux_min, "min")
#elif defined(VISE_EMULATED)
PTX int32_t ptx_redux_add(int32_t v PTX_SITE) {
  for (int by = 16; by > 0; by /= 2) v += __shfl_xor_sync(0xffffffffu, v, by, 32, EMU_HERE);
  return v;
}
PTX int32_t ptx_redux_min(int32_t v PTX_SITE) {
  for (int by = 16; by > 0; by /= 2) {
    const int32_t other = __shfl_xor_sync(0xffffffffu, v, by, 32, EMU_HERE);
    if (other < v) v = other;
  }
  return v;
}
#endif

/* ---- rounding to the types of the matrix units --------------------------------------------------------------------
   tf32: to 10 bits of mantissa, to nearest, ties to even, left in the upper bits of a float; before sm_90 ties are away
   from zero, for lack of an instruction. bf16: to nearest, ties to even; two to a register, the lower half first. */
#if defined(__CUDACC__)
PTX uint32_t ptx_tf32(float x) {
  uint32_t r;
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
  asm("cvt.rn.tf32.f32 %0, %1;" : "=r"(r) : "f"(x));
#else
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(x));
#endif
  return r;
}

PTX uint32_t ptx_bf16x2(float lower, float upper) {
  uint32_t r;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(upper), "f"(lower));
  return r;
}
#else
static inline uint32_t ptx_tf32(float x) {
  const uint32_t bits = vise_bits_f32(x);
  const int finite = (bits & 0x7f800000u) != 0x7f800000u, nan = (bits & 0x7fffffffu) > 0x7f800000u;
  return nan ? 0x7fffffffu : (finite ? bits + 0xfffu + (bits >> 13 & 1u) : bits) & ~0x1fffu;
}

static inline uint32_t vise_model_bf16(float x) {
  const uint32_t bits = vise_bits_f32(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fffu;
  return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

static inline uint32_t ptx_bf16x2(float lower, float upper) {
  return vise_model_bf16(upper) << 16 | vise_model_bf16(lower);
}
#endif

/* ---- matrix products ----------------------------------------------------------------------------------------------
   d[16][8] += a[16][K] b[K][8] by a warp. With g = lane / 4, t = lane % 4 the lane holds
     d      0: (g, 2t)  1: (g, 2t + 1)  2: (g + 8, 2t)  3: (g + 8, 2t + 1)
     tf32   K = 8:  a 0: (g, t)  1: (g + 8, t)  2: (g, t + 4)  3: (g + 8, t + 4);  b 0: (t, g)  1: (t + 4, g)
     bf16   K = 16, pairs along K: a 0: (g, 2t)  1: (g + 8, 2t)  2: (g, 2t + 8)  3: (g + 8, 2t + 8);
            b 0: (2t, g)  1: (2t + 8, g)
   The unit ignores the lower 13 bits of a tf32. Order and rounding of its sums are not specified; the model adds in
   float64 and rounds once. */
#if !defined(__CUDACC__)
static inline void vise_model_mma(int n_k, const float *a, const float *b, float *const d[32]) {
  for (int lane = 0; lane < 32; lane++) {
    for (int i = 0; i < 4; i++) {
      const int row = lane / 4 + 8 * (i / 2), column = lane % 4 * 2 + i % 2;
      double sum = (double)d[lane][i];
      for (int k = 0; k < n_k; k++) sum += (double)a[row * n_k + k] * (double)b[k * 8 + column];
      d[lane][i] = (float)sum;
    }
  }
}

static inline void vise_model_mma_tf32(const uint32_t *const a[32], const uint32_t *const b[32], float *const d[32]) {
  float full_a[16 * 8], full_b[8 * 8];
  for (int lane = 0; lane < 32; lane++) {
    const int g = lane / 4, t = lane % 4;
    for (int i = 0; i < 4; i++) {
      full_a[(g + 8 * (i % 2)) * 8 + t + 4 * (i / 2)] = vise_f32_bits(a[lane][i] & ~0x1fffu);
    }
    for (int i = 0; i < 2; i++) full_b[(t + 4 * i) * 8 + g] = vise_f32_bits(b[lane][i] & ~0x1fffu);
  }
  vise_model_mma(8, full_a, full_b, d);
}

static inline void vise_model_mma_bf16(const uint32_t *const a[32], const uint32_t *const b[32], float *const d[32]) {
  float full_a[16 * 16], full_b[16 * 8];
  for (int lane = 0; lane < 32; lane++) {
    const int g = lane / 4, t = lane % 4;
    for (int i = 0; i < 4; i++) {
      float *pair = full_a + (g + 8 * (i % 2)) * 16 + 2 * t + 8 * (i / 2);
      pair[0] = vise_f32_bits(a[lane][i] << 16);
      pair[1] = vise_f32_bits(a[lane][i] & 0xffff0000u);
    }

    for (int i = 0; i < 2; i++) {
      full_b[(2 * t + 8 * i) * 8 + g] = vise_f32_bits(b[lane][i] << 16);
      full_b[(2 * t + 8 * i + 1) * 8 + g] = vise_f32_bits(b[lane][i] & 0xffff0000u);
    }
  }

  vise_model_mma(16, full_a, full_b, d);
}
#endif

#if defined(__CUDACC__)
#define PTX_MMA(name, shape)                                                                        \
  PTX void name(float d[4], const uint32_t a[4], const uint32_t b[2]) {                             \
    asm volatile("mma.sync.aligned." shape " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};" \
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                   \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));               \
  }
PTX_MMA(ptx_mma_tf32, "m16n8k8.row.col.f32.tf32.tf32.f32")
PTX_MMA(ptx_mma_bf16, "m16n8k16.row.col.f32.bf16.bf16.f32")
#elif defined(VISE_EMULATED)
struct ptx_mma_operands {
  const uint32_t *a, *b;
  int bf16;
};

PTX void ptx_mma_lanes(unsigned, const void *const inputs[32], void *const outputs[32]) {
  const uint32_t *a[32], *b[32];
  float *d[32];

  for (int lane = 0; lane < 32; lane++) {
    const ptx_mma_operands *operands = static_cast<const ptx_mma_operands *>(inputs[lane]);
    a[lane] = operands->a;
    b[lane] = operands->b;
    d[lane] = static_cast<float *>(outputs[lane]);
  }

  if (static_cast<const ptx_mma_operands *>(inputs[0])->bf16) {
    vise_model_mma_bf16(a, b, d);
  } else {
    vise_model_mma_tf32(a, b, d);
  }
}

PTX void ptx_mma_tf32(float d[4], const uint32_t a[4], const uint32_t b[2] PTX_SITE) {
  const ptx_mma_operands operands = {a, b, 0};
  emu::warp_collective(0xffffffffu, "mma.m16n8k8.tf32", &operands, d, ptx_mma_lanes, EMU_HERE);
}

PTX void ptx_mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2] PTX_SITE) {
  const ptx_mma_operands operands = {a, b, 1};
  emu::warp_collective(0xffffffffu, "mma.m16n8k16.bf16", &operands, d, ptx_mma_lanes, EMU_HERE);
}
#endif

/* Four 8 x 8 matrices of 16-bit values from shared memory: lane l gives the address of row l % 8 (16 aligned bytes) of
   matrix l / 8; r[m] of lane l receives elements 2(l % 4) and 2(l % 4) + 1 of row l / 4 of matrix m, or, transposed, of
   column l / 4. */
#if !defined(__CUDACC__)
static inline void vise_model_ldmatrix(const void *const rows[32], int transposed, uint32_t *const r[32]) {
  uint16_t matrix[4][8][8];
  for (int lane = 0; lane < 32; lane++) memcpy(matrix[lane / 8][lane % 8], rows[lane], 16);
  for (int lane = 0; lane < 32; lane++) {
    for (int m = 0; m < 4; m++) {
      const int i = lane / 4, j = lane % 4 * 2;
      const uint32_t first = transposed ? matrix[m][j][i] : matrix[m][i][j];
      const uint32_t second = transposed ? matrix[m][j + 1][i] : matrix[m][i][j + 1];
      r[lane][m] = second << 16 | first;
    }
  }
}
#endif

#if defined(__CUDACC__)
#define PTX_LDMATRIX(name, shape)                                                         \
  PTX void name(uint32_t r[4], const void *row) {                                         \
    asm volatile("ldmatrix.sync.aligned.m8n8.x4" shape ".shared.b16 {%0,%1,%2,%3}, [%4];" \
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])                         \
                 : "r"(ptx_shared_address(row))                                           \
                 : "memory");                                                             \
  }
PTX_LDMATRIX(ptx_ldmatrix_x4, "")
PTX_LDMATRIX(ptx_ldmatrix_x4_transposed, ".trans")
#elif defined(VISE_EMULATED)
PTX void ptx_ldmatrix_lanes(unsigned, const void *const rows[32], void *const outputs[32]) {
  uint32_t *r[32];
  for (int lane = 0; lane < 32; lane++) r[lane] = static_cast<uint32_t *>(outputs[lane]);
  vise_model_ldmatrix(rows, 0, r);
}

PTX void ptx_ldmatrix_lanes_transposed(unsigned, const void *const rows[32], void *const outputs[32]) {
  uint32_t *r[32];
  for (int lane = 0; lane < 32; lane++) r[lane] = static_cast<uint32_t *>(outputs[lane]);
  vise_model_ldmatrix(rows, 1, r);
}

PTX void ptx_ldmatrix(uint32_t r[4], const void *row, const char *operation, emu::WarpFunction lanes PTX_SITE) {
  if (!emu::is_shared(row)) emu::fail(EMU_HERE, "%s: address outside shared memory", operation);
  emu::check_aligned(row, 16, EMU_HERE);
  emu::note_read(row, 16);
  emu::warp_collective(0xffffffffu, operation, row, r, lanes, EMU_HERE);
}

PTX void ptx_ldmatrix_x4(uint32_t r[4], const void *row PTX_SITE) {
  ptx_ldmatrix(r, row, "ldmatrix.x4", ptx_ldmatrix_lanes, EMU_HERE);
}
PTX void ptx_ldmatrix_x4_transposed(uint32_t r[4], const void *row PTX_SITE) {
  ptx_ldmatrix(r, row, "ldmatrix.x4.trans", ptx_ldmatrix_lanes_transposed, EMU_HERE);
}
#endif

#endif
