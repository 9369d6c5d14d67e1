#include "check.h"

TestSuite(copies, .init = quiet);

Test(copies, there_and_back) {
  float up[300], down[300];
  for (int i = 0; i < 300; ++i) up[i] = (float)i;
  float *a = device_floats(300), *b = device_floats(300);

  emu_reset_counts();
  OK(cudaMemcpy(a, up, sizeof up, cudaMemcpyHostToDevice));
  OK(cudaMemcpy(b, a, sizeof up, cudaMemcpyDeviceToDevice));
  OK(cudaMemcpy(down, b, sizeof up, cudaMemcpyDefault));
  cr_assert_arr_eq(up, down, sizeof up);
  cr_assert_eq(emu_read_counts().copies, 3);
  cr_assert_eq(emu_read_counts().copied_bytes, 3 * sizeof up);

  memset(down, 0, sizeof down);
  OK(cudaMemcpy(down, up, sizeof up, cudaMemcpyHostToHost));
  cr_assert_arr_eq(up, down, sizeof up);

  OK(cudaMemset(a, 0x11, sizeof up));
  OK(cudaMemcpy(down, a, sizeof up, cudaMemcpyDeviceToHost));
  for (size_t i = 0; i < sizeof down; ++i) cr_assert_eq(((unsigned char *)down)[i], 0x11);
  cr_assert_eq(emu_read_counts().memsets, 1);

  OK(cudaFree(a));
  OK(cudaFree(b));
}

Test(copies, out_of_bounds) {
  float host[20] = {0}, *d = device_floats(16), *h = pinned_floats(16);

  FAILS(cudaErrorInvalidValue, cudaMemcpy(d, host, 17 * sizeof(float), cudaMemcpyHostToDevice));
  REPORTS("4 bytes past the end");
  FAILS(cudaErrorInvalidValue, cudaMemcpy(d + 1, host, 16 * sizeof(float), cudaMemcpyHostToDevice));
  FAILS(cudaErrorInvalidValue, cudaMemcpyAsync(host, d, 17 * sizeof(float), cudaMemcpyDeviceToHost, NULL));
  FAILS(cudaErrorInvalidValue, cudaMemset(d, 0, 65));
  FAILS(cudaErrorInvalidValue, cudaMemsetAsync(d + 16, 0, 1, NULL));

  FAILS(cudaErrorInvalidValue, cudaMemcpy(h, d, 17 * sizeof(float), cudaMemcpyDeviceToHost));
  FAILS(cudaErrorInvalidValue, cudaMemcpy(d, h + 8, 9 * sizeof(float), cudaMemcpyHostToDevice));
  REPORTS("pinned");

  OK(cudaMemset(d, 0, 64));
  OK(cudaFree(d));
  OK(cudaFreeHost(h));
}

Test(copies, after_free) {
  float host[4] = {0}, *d = device_floats(4);
  OK(cudaFree(d));
  FAILS(cudaErrorInvalidValue, cudaMemcpy(d, host, 16, cudaMemcpyHostToDevice));
  REPORTS("freed");
  FAILS(cudaErrorInvalidValue, cudaMemcpy(host, d, 16, cudaMemcpyDeviceToHost));
  FAILS(cudaErrorInvalidValue, cudaMemset(d, 0, 16));
}

Test(copies, wrong_directions) {
  float host[4] = {0}, *d = device_floats(4), *e = device_floats(4);

  FAILS(cudaErrorInvalidValue, cudaMemcpy(d, host, 16, cudaMemcpyDeviceToHost));
  FAILS(cudaErrorInvalidValue, cudaMemcpy(host, d, 16, cudaMemcpyHostToDevice));
  FAILS(cudaErrorInvalidValue, cudaMemcpy(d, host, 16, cudaMemcpyDeviceToDevice));
  FAILS(cudaErrorInvalidValue, cudaMemcpy(d, e, 16, cudaMemcpyHostToHost));
  FAILS(cudaErrorInvalidMemcpyDirection, cudaMemcpy(d, host, 16, (enum cudaMemcpyKind)9));
  FAILS(cudaErrorInvalidValue, cudaMemset(host, 0, 16));
  FAILS(cudaErrorInvalidValue, cudaMemcpy(NULL, host, 16, cudaMemcpyHostToDevice));
  FAILS(cudaErrorInvalidValue, cudaMemcpy(d, d + 1, 8, cudaMemcpyDeviceToDevice));  // overlap

  OK(cudaMemcpy(NULL, NULL, 0, cudaMemcpyHostToDevice));
  OK(cudaFree(d));
  OK(cudaFree(e));
}

Test(copies, rectangles) {
  unsigned char host[6][10], *d = NULL, back[4][5];
  for (int i = 0; i < 60; ++i) host[i / 10][i % 10] = (unsigned char)i;

  OK(cudaMalloc((void **)&d, 4 * 7));
  OK(cudaMemset(d, 0, 28));
  OK(cudaMemcpy2D(d, 7, &host[1][2], 10, 5, 4, cudaMemcpyHostToDevice));
  OK(cudaMemcpy2DAsync(back, 5, d, 7, 5, 4, cudaMemcpyDeviceToHost, NULL));
  OK(cudaDeviceSynchronize());

  for (int r = 0; r < 4; ++r)
    for (int c = 0; c < 5; ++c) cr_assert_eq(back[r][c], host[1 + r][2 + c]);

  FAILS(cudaErrorInvalidPitchValue, cudaMemcpy2D(d, 4, host, 10, 5, 4, cudaMemcpyHostToDevice));
  FAILS(cudaErrorInvalidValue, cudaMemcpy2D(d, 8, host, 10, 5, 4, cudaMemcpyHostToDevice));  // last row: 3 * 8 + 5 > 28

  OK(cudaFree(d));
}

Test(copies, freed_before_the_copy_runs) {
  emu_set_deferred(1);
  cudaStream_t a, b;
  OK(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking));
  OK(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking));
  float *h = pinned_floats(4), *d = device_floats(4);

  OK(cudaMemcpyAsync(d, h, 16, cudaMemcpyHostToDevice, a));
  OK(cudaFreeAsync(d, b));
  OK(cudaStreamSynchronize(b));

  FAILS(cudaErrorIllegalAddress, cudaStreamSynchronize(a));
  REPORTS("no longer fits");
  OK(cudaDeviceReset());
}
