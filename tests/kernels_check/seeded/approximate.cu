// refused: .approx
extern "C" __global__ void approximate(float *x) {
  x[threadIdx.x] = __fdividef(x[threadIdx.x], 3.1f);
}
