// The arithmetic behind the cuBLAS calls, on CBLAS: D = epilogue(alpha op(A) op(B) + beta C), in float.
#pragma once
#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <string>

struct cublasContext {
  cudaStream_t stream = nullptr;
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
  cublasPointerMode_t pointers = CUBLAS_POINTER_MODE_HOST;
  cublasAtomicsMode_t atomics = CUBLAS_ATOMICS_NOT_ALLOWED;
};

namespace emu {

// A column-major matrix as it lies in memory; a row-major one is given as its transpose.
struct Matrix {
  void *data = nullptr;
  cudaDataType type = CUDA_R_32F;                     // CUDA_R_32F or CUDA_R_16BF
  int64_t rows = 0, columns = 0, ld = 0, stride = 0;  // stride: from one matrix of a batch to the next, in elements
};

// What happens to the inputs on their way into the multiplication.
enum class Round { kNone, kTf32, kBf16 };

// The bits that NVIDIA's epilogues are made of and that have no name of their own.
enum EpilogueBit : unsigned {
  kAux = CUBLASLT_EPILOGUE_RELU_AUX & ~CUBLASLT_EPILOGUE_RELU,
  kDrelu = CUBLASLT_EPILOGUE_DRELU & ~kAux,
  kDgelu = CUBLASLT_EPILOGUE_DGELU & ~kAux,
  kBiasGradient = CUBLASLT_EPILOGUE_DRELU_BGRAD & ~CUBLASLT_EPILOGUE_DRELU,
};

struct Epilogue {
  cublasLtEpilogue_t kind = CUBLASLT_EPILOGUE_DEFAULT;
  void *bias = nullptr;  // or gradient of the bias
  cudaDataType bias_type = CUDA_R_32F;
  int64_t bias_stride = 0;
  void *aux = nullptr;  // mask of RELU (bits) or input of GELU
  int64_t aux_ld = 0, aux_stride = 0;
  cudaDataType aux_type = CUDA_R_32F;
};

struct Product {
  const char *name = "";
  bool transpose_a = false, transpose_b = false;
  Matrix a, b, c, d;  // as stored; c may be d
  Round round = Round::kNone;
  int batches = 1;
  bool scalars_on_device = false;
  float alpha = 1, beta = 0;                                    // or
  const float *device_alpha = nullptr, *device_beta = nullptr;  // read when the work runs
  Epilogue epilogue;
};

bool type_known(cudaDataType type);
size_t type_size(cudaDataType type);
float load(const void *data, cudaDataType type, int64_t index);
void store(void *data, cudaDataType type, int64_t index, float value);
float round_tf32(float value);  // to 10 bits of mantissa, ties away from zero (cvt.rna.tf32)
float round_bf16(float value);  // to nearest even

// Queues the product in the stream (or captures it). Addresses are checked when it runs.
cublasStatus_t submit_product(const Product &product, cudaStream_t stream);

// The same for any other library work.
cublasStatus_t submit_library(cudaStream_t stream, const char *name, void (*run)(const void *), const void *data,
                              size_t bytes);

// Raises a device fault unless the range is device or pinned memory. For work that is running.
bool accessible(const char *name, const char *what, const void *data, size_t bytes);

// Library handles: use after destruction is noticed, leaks are counted.
void note_library_handle(void *handle);
bool forget_library_handle(void *handle);  // false: not a handle
bool library_handle_exists(const void *handle);

void apply_epilogue(const Product &product, int batch, const float *a, const float *b, float *result);

}  // namespace emu
