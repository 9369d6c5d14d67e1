// refused: ld.global.nc outside reads of the data set
// const and __restrict__ together let the compiler read through the non-coherent path.
extern "C" __global__ void not_coherent(const float *__restrict__ x, float *__restrict__ y) {
  y[threadIdx.x] = x[threadIdx.x];
}
