// refused: has a stack frame
// An array indexed by a run-time value lives in local memory.
extern "C" __global__ void stack_frame(int *x, int n) {
  int v[32];
  for (int i = 0; i < 32; i++) v[i] = x[i];
  for (int i = 0; i < n; i++) v[x[i] & 31] += v[(x[i] >> 5) & 31];
  for (int i = 0; i < 32; i++) x[i] = v[i];
}
