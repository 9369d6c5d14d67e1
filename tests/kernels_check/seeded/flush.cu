// refused: .ftz
extern "C" __global__ void flush(float *x) {
  float y;
  asm("add.ftz.f32 %0, %1, %1;" : "=f"(y) : "f"(x[threadIdx.x]));
  x[threadIdx.x] = y;
}
