// cublasLtMatmul with its descriptors: column- and row-major matrices, batches, epilogues.
#include <cublasLt.h>

#include <cstring>
#include <type_traits>

#include "tests/emulation/host/matmul.h"
#include "tests/emulation/host/runtime.h"

struct cublasLtContext {
  int unused = 0;
};

namespace {

using emu::Matrix;
using emu::Product;
using emu::Round;

// What NVIDIA's semi-opaque descriptors hold here.
struct Operation {
  int32_t compute = CUBLAS_COMPUTE_32F, scale = CUDA_R_32F, pointers = CUBLASLT_POINTER_MODE_HOST;
  int32_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N, transpose_c = CUBLAS_OP_N;
  int32_t fill = CUBLAS_FILL_MODE_FULL, sms = 0, aux_type = -1, bias_type = -1;
  uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  void *bias = nullptr, *aux = nullptr;
  int64_t bias_stride = 0, aux_ld = 0, aux_stride = 0;
};

struct Layout {
  uint32_t type = CUDA_R_32F;
  int32_t order = CUBLASLT_ORDER_COL, batches = 1;
  uint64_t rows = 0, columns = 0;
  int64_t ld = 0, stride = 0;
};

static_assert(sizeof(Operation) <= sizeof(cublasLtMatmulDescOpaque_t), "the operation fits");
static_assert(sizeof(Layout) <= sizeof(cublasLtMatrixLayoutOpaque_t), "the layout fits");

template <class T, class Opaque>
T inside(const Opaque *opaque) {
  T value;
  memcpy(static_cast<void *>(&value), opaque->data, sizeof value);
  return value;
}

template <class T, class Opaque>
void put(Opaque *opaque, const T &value) {
  static_assert(std::is_trivially_copyable<T>::value, "copied as bytes");
  memset(opaque->data, 0, sizeof opaque->data);
  memcpy(opaque->data, &value, sizeof value);
}

// One attribute: where it is and how large.
struct Field {
  void *data;
  size_t bytes;
};

Field field_of(Operation &o, cublasLtMatmulDescAttributes_t attribute) {
  switch (attribute) {
#define X(name, member)             \
  case CUBLASLT_MATMUL_DESC_##name: \
    return {&o.member, sizeof o.member};
    X(COMPUTE_TYPE, compute)
    X(SCALE_TYPE, scale)
    X(POINTER_MODE, pointers)
    X(TRANSA, transpose_a)
    X(TRANSB, transpose_b)
    X(TRANSC, transpose_c)
    X(FILL_MODE, fill)
    X(EPILOGUE, epilogue)
    X(BIAS_POINTER, bias)
    X(BIAS_BATCH_STRIDE, bias_stride)
    X(EPILOGUE_AUX_POINTER, aux)
    X(EPILOGUE_AUX_LD, aux_ld)
    X(EPILOGUE_AUX_BATCH_STRIDE, aux_stride)
    X(SM_COUNT_TARGET, sms)
    X(EPILOGUE_AUX_DATA_TYPE, aux_type)
    X(BIAS_DATA_TYPE, bias_type)
#undef X
    default:
      return {nullptr, 0};
  }
}

Field field_of(Layout &l, cublasLtMatrixLayoutAttribute_t attribute) {
  switch (attribute) {
#define X(name, member)               \
  case CUBLASLT_MATRIX_LAYOUT_##name: \
    return {&l.member, sizeof l.member};
    X(TYPE, type)
    X(ORDER, order)
    X(ROWS, rows)
    X(COLS, columns)
    X(LD, ld)
    X(BATCH_COUNT, batches)
    X(STRIDED_BATCH_OFFSET, stride)
#undef X
    default:
      return {nullptr, 0};
  }
}

template <class T, class Opaque, class Attribute>
cublasStatus_t set(Opaque *opaque, Attribute attribute, const void *value, size_t bytes) {
  if (!opaque || !value) return CUBLAS_STATUS_INVALID_VALUE;
  T object = inside<T>(opaque);
  const Field field = field_of(object, attribute);
  if (!field.data || field.bytes != bytes) return CUBLAS_STATUS_INVALID_VALUE;
  memcpy(field.data, value, bytes);
  put(opaque, object);
  return CUBLAS_STATUS_SUCCESS;
}

template <class T, class Opaque, class Attribute>
cublasStatus_t get(Opaque *opaque, Attribute attribute, void *value, size_t bytes, size_t *written) {
  if (!opaque || (bytes ? !value : !written)) return CUBLAS_STATUS_INVALID_VALUE;
  T object = inside<T>(opaque);
  const Field field = field_of(object, attribute);
  if (!field.data || (bytes && field.bytes != bytes)) return CUBLAS_STATUS_INVALID_VALUE;
  if (written) *written = field.bytes;
  if (bytes) memcpy(value, field.data, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

// The matrix that a layout describes. A row-major one becomes its transpose, which the caller undoes.
bool matrix_of(const Layout &l, const void *data, Matrix *out) {
  const bool row = l.order == CUBLASLT_ORDER_ROW;
  if ((!row && l.order != CUBLASLT_ORDER_COL) || !emu::type_known(cudaDataType(l.type)) || l.batches < 1) return false;
  out->data = const_cast<void *>(data);
  out->type = cudaDataType(l.type);
  out->rows = int64_t(row ? l.columns : l.rows);
  out->columns = int64_t(row ? l.rows : l.columns);
  out->ld = l.ld;
  out->stride = l.stride;
  return out->ld >= out->rows;
}

bool bias_epilogue(uint32_t kind) {
  return (kind & (CUBLASLT_EPILOGUE_BIAS | emu::kBiasGradient | CUBLASLT_EPILOGUE_BGRADA | CUBLASLT_EPILOGUE_BGRADB)) !=
         0;
}

bool epilogue_known(uint32_t kind) {
  switch (kind) {
    case CUBLASLT_EPILOGUE_DEFAULT:
    case CUBLASLT_EPILOGUE_RELU:
    case CUBLASLT_EPILOGUE_RELU_AUX:
    case CUBLASLT_EPILOGUE_BIAS:
    case CUBLASLT_EPILOGUE_RELU_BIAS:
    case CUBLASLT_EPILOGUE_RELU_AUX_BIAS:
    case CUBLASLT_EPILOGUE_DRELU:
    case CUBLASLT_EPILOGUE_DRELU_BGRAD:
    case CUBLASLT_EPILOGUE_GELU:
    case CUBLASLT_EPILOGUE_GELU_AUX:
    case CUBLASLT_EPILOGUE_GELU_BIAS:
    case CUBLASLT_EPILOGUE_GELU_AUX_BIAS:
    case CUBLASLT_EPILOGUE_DGELU:
    case CUBLASLT_EPILOGUE_DGELU_BGRAD:
    case CUBLASLT_EPILOGUE_BGRADA:
    case CUBLASLT_EPILOGUE_BGRADB:
      return true;
    default:
      return false;
  }
}

cublasStatus_t read_epilogue(const Operation &o, const Matrix &d, emu::Epilogue *e) {
  if (!epilogue_known(o.epilogue)) return CUBLAS_STATUS_INVALID_VALUE;

  e->kind = cublasLtEpilogue_t(o.epilogue);
  e->bias = o.bias;
  e->bias_type = o.bias_type < 0 ? d.type : cudaDataType(o.bias_type);
  e->bias_stride = o.bias_stride;
  e->aux = o.aux;
  e->aux_ld = o.aux_ld;
  e->aux_stride = o.aux_stride;
  e->aux_type = o.aux_type < 0 ? d.type : cudaDataType(o.aux_type);

  if (bias_epilogue(o.epilogue) && (!o.bias || !emu::type_known(e->bias_type))) return CUBLAS_STATUS_INVALID_VALUE;
  if (!(o.epilogue & emu::kAux)) return CUBLAS_STATUS_SUCCESS;

  const bool gelu = (o.epilogue & (CUBLASLT_EPILOGUE_GELU | emu::kDgelu)) != 0;
  const int64_t multiple = gelu ? 8 : 128;
  if (!o.aux || o.aux_ld < d.rows || o.aux_ld % multiple || o.aux_stride % multiple) return CUBLAS_STATUS_INVALID_VALUE;
  return gelu && !emu::type_known(e->aux_type) ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
}

bool read_compute(const Operation &o, Round *round) {
  *round = o.compute == CUBLAS_COMPUTE_32F_FAST_TF32   ? Round::kTf32
           : o.compute == CUBLAS_COMPUTE_32F_FAST_16BF ? Round::kBf16
                                                       : Round::kNone;
  return *round != Round::kNone || o.compute == CUBLAS_COMPUTE_32F || o.compute == CUBLAS_COMPUTE_32F_PEDANTIC;
}

// The product that the descriptors describe, without the scalars.
cublasStatus_t read_product(const Operation &o, const void *a, const Layout &la, const void *b, const Layout &lb,
                            const void *c, const Layout &lc, void *d, const Layout &ld, Product *p) {
  p->name = "cublasLtMatmul";
  if (!read_compute(o, &p->round) || o.scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (o.transpose_c != CUBLAS_OP_N || o.fill != CUBLAS_FILL_MODE_FULL) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (o.pointers != CUBLASLT_POINTER_MODE_HOST && o.pointers != CUBLASLT_POINTER_MODE_DEVICE)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  if (ld.order != CUBLASLT_ORDER_COL && o.epilogue != CUBLASLT_EPILOGUE_DEFAULT) return CUBLAS_STATUS_NOT_SUPPORTED;

  if (!matrix_of(la, a, &p->a) || !matrix_of(lb, b, &p->b) || !matrix_of(lc, c, &p->c) || !matrix_of(ld, d, &p->d) ||
      lc.order != ld.order)
    return CUBLAS_STATUS_INVALID_VALUE;
  if (la.type != lb.type || lc.type != ld.type || (la.type == CUDA_R_32F && ld.type != CUDA_R_32F))
    return CUBLAS_STATUS_NOT_SUPPORTED;

  if (la.type == CUDA_R_16BF) p->round = Round::kNone;
  p->transpose_a = (o.transpose_a != CUBLAS_OP_N) != (la.order == CUBLASLT_ORDER_ROW);
  p->transpose_b = (o.transpose_b != CUBLAS_OP_N) != (lb.order == CUBLASLT_ORDER_ROW);

  if (ld.order == CUBLASLT_ORDER_ROW) {  // D' = op(B)' op(A)'
    std::swap(p->a, p->b);
    std::swap(p->transpose_a, p->transpose_b);
    p->transpose_a = !p->transpose_a;
    p->transpose_b = !p->transpose_b;
  }

  const int64_t m = p->transpose_a ? p->a.columns : p->a.rows, k = p->transpose_a ? p->a.rows : p->a.columns;
  const int64_t kb = p->transpose_b ? p->b.columns : p->b.rows, n = p->transpose_b ? p->b.rows : p->b.columns;
  if (k != kb || p->d.rows != m || p->d.columns != n || p->c.rows != m || p->c.columns != n)
    return CUBLAS_STATUS_INVALID_VALUE;
  if (la.batches != ld.batches || lb.batches != ld.batches || lc.batches != ld.batches)
    return CUBLAS_STATUS_INVALID_VALUE;

  p->batches = ld.batches;
  p->scalars_on_device = o.pointers == CUBLASLT_POINTER_MODE_DEVICE;
  return read_epilogue(o, p->d, &p->epilogue);
}

// What a test has asked for.
struct Refusals {
  unsigned epilogue = 0;
  bool epilogues_with_aux_or_gradient = false;
  uint64_t calls_left = UINT64_MAX;
} refusals;

bool is_lacking(unsigned epilogue) {
  const unsigned drelu = CUBLASLT_EPILOGUE_DRELU & ~emu::kAux;
  return refusals.epilogues_with_aux_or_gradient &&
         (epilogue & (emu::kAux | drelu | CUBLASLT_EPILOGUE_BGRADA | CUBLASLT_EPILOGUE_BGRADB)) != 0;
}

cublasStatus_t as_tests_want(unsigned epilogue) {
  if (refusals.epilogue != 0 && epilogue == refusals.epilogue) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (refusals.calls_left == 0) return CUBLAS_STATUS_EXECUTION_FAILED;
  if (refusals.calls_left != UINT64_MAX) --refusals.calls_left;
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

extern "C" {

void emu_refuse_epilogue(unsigned epilogue) {
  refusals.epilogue = epilogue;
}

void emu_lack_training_epilogues(int lack) {
  refusals.epilogues_with_aux_or_gradient = lack != 0;
}

void emu_fail_products_after(uint64_t calls) {
  refusals.calls_left = calls;
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
  if (!handle) return CUBLAS_STATUS_INVALID_VALUE;
  int devices = 0;
  if (cudaGetDeviceCount(&devices) || emu::sticky_error()) return CUBLAS_STATUS_NOT_INITIALIZED;
  *handle = new cublasLtContext();
  emu::note_library_handle(*handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  if (!emu::forget_library_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

size_t cublasLtGetVersion(void) {
  return CUBLAS_VERSION;
}

cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t desc, size_t size, cublasComputeType_t compute,
                                               cudaDataType_t scale) {
  if (!desc || size < sizeof *desc) return CUBLAS_STATUS_INVALID_VALUE;
  Operation operation;
  operation.compute = compute;
  operation.scale = scale;
  put(desc, operation);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *desc, cublasComputeType_t compute, cudaDataType_t scale) {
  if (!desc) return CUBLAS_STATUS_INVALID_VALUE;
  *desc = new cublasLtMatmulDescOpaque_t();
  return cublasLtMatmulDescInit_internal(*desc, sizeof **desc, compute, scale);
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
  delete desc;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute,
                                              const void *value, size_t bytes) {
  return set<Operation>(desc, attribute, value, bytes);
}

cublasStatus_t cublasLtMatmulDescGetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t attribute,
                                              void *value, size_t bytes, size_t *written) {
  return get<Operation>(desc, attribute, value, bytes, written);
}

cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t layout, size_t size, cudaDataType type,
                                                 uint64_t rows, uint64_t columns, int64_t ld) {
  if (!layout || size < sizeof *layout) return CUBLAS_STATUS_INVALID_VALUE;
  Layout made;
  made.type = type;
  made.rows = rows;
  made.columns = columns;
  made.ld = ld;
  put(layout, made);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType type, uint64_t rows,
                                          uint64_t columns, int64_t ld) {
  if (!layout) return CUBLAS_STATUS_INVALID_VALUE;
  *layout = new cublasLtMatrixLayoutOpaque_t();
  return cublasLtMatrixLayoutInit_internal(*layout, sizeof **layout, type, rows, columns, ld);
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void *value,
                                                size_t bytes) {
  return set<Layout>(layout, attribute, value, bytes);
}

cublasStatus_t cublasLtMatrixLayoutGetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute, void *value, size_t bytes,
                                                size_t *written) {
  return get<Layout>(layout, attribute, value, bytes, written);
}

cublasStatus_t cublasLtMatmulPreferenceInit_internal(cublasLtMatmulPreference_t preference, size_t size) {
  if (!preference || size < sizeof *preference) return CUBLAS_STATUS_INVALID_VALUE;
  *preference = {};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *preference) {
  if (!preference) return CUBLAS_STATUS_INVALID_VALUE;
  *preference = new cublasLtMatmulPreferenceOpaque_t();
  return cublasLtMatmulPreferenceInit_internal(*preference, sizeof **preference);
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void *value,
                                                    size_t bytes) {
  if (!preference || !value) return CUBLAS_STATUS_INVALID_VALUE;
  // The one algorithm here needs no workspace: what is preferred is not kept.
  const bool workspace = attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
  return workspace && bytes != sizeof(uint64_t) ? CUBLAS_STATUS_INVALID_VALUE : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t results[], int *found) {
  if (!emu::library_handle_exists(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (!desc || !a || !b || !c || !d || !preference || requested < 1 || !results || !found)
    return CUBLAS_STATUS_INVALID_VALUE;

  *found = 0;
  Product product;
  const cublasStatus_t status =
      read_product(inside<Operation>(desc), nullptr, inside<Layout>(a), nullptr, inside<Layout>(b), nullptr,
                   inside<Layout>(c), nullptr, inside<Layout>(d), &product);
  if (status) return status;
  if (is_lacking(product.epilogue.kind)) return CUBLAS_STATUS_NOT_SUPPORTED;

  memset(&results[0], 0, sizeof results[0]);
  results[0].algo.data[0] = 1;
  results[0].wavesCount = 1;
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha, const void *a,
                              cublasLtMatrixLayout_t la, const void *b, cublasLtMatrixLayout_t lb, const void *beta,
                              const void *c, cublasLtMatrixLayout_t lc, void *d, cublasLtMatrixLayout_t ld,
                              const cublasLtMatmulAlgo_t *, void *workspace, size_t workspace_bytes,
                              cudaStream_t stream) {
  // A cuBLAS handle works too.
  if (!emu::library_handle_exists(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (!desc || !la || !lb || !lc || !ld || !alpha || !beta || !a || !b || !d) return CUBLAS_STATUS_INVALID_VALUE;
  if (workspace && workspace_bytes && !emu::memory_contains(workspace, workspace_bytes))
    return CUBLAS_STATUS_INVALID_VALUE;

  Product product;
  const cublasStatus_t status = read_product(inside<Operation>(desc), a, inside<Layout>(la), b, inside<Layout>(lb), c,
                                             inside<Layout>(lc), d, inside<Layout>(ld), &product);
  if (status) return status;
  if (const cublasStatus_t refused = as_tests_want(product.epilogue.kind)) return refused;

  if (product.scalars_on_device) {
    product.device_alpha = static_cast<const float *>(alpha);
    product.device_beta = static_cast<const float *>(beta);
  } else {
    memcpy(&product.alpha, alpha, sizeof product.alpha);
    memcpy(&product.beta, beta, sizeof product.beta);
    if (product.beta != 0 && !c) return CUBLAS_STATUS_INVALID_VALUE;
  }

  if (product.c.data == nullptr) product.c = product.d;
  return emu::submit_product(product, stream);
}

}  // extern "C"
