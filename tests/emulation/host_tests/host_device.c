#include "check.h"

TestSuite(device, .init = quiet);

Test(device, properties_and_attributes_agree) {
  struct cudaDeviceProp p;
  int value = 0;

  OK(cudaGetDeviceProperties(&p, 0));
  cr_assert_eq(p.major, 9);
  cr_assert_eq(p.minor, 0);
  cr_assert_eq(p.warpSize, 32);
  cr_assert_eq(p.multiProcessorCount, atoi(getenv("VISE_EMU_SMS") ? getenv("VISE_EMU_SMS") : "4"));
  cr_assert_eq(p.sharedMemPerBlockOptin, 232448);
  cr_assert_eq(p.cooperativeLaunch, 1);
  cr_assert_eq(p.clusterLaunch, 1);

  const struct {
    enum cudaDeviceAttr name;
    size_t value;
  } pairs[] = {{cudaDevAttrMultiProcessorCount, (size_t)p.multiProcessorCount},
               {cudaDevAttrMaxThreadsPerBlock, (size_t)p.maxThreadsPerBlock},
               {cudaDevAttrMaxSharedMemoryPerBlockOptin, p.sharedMemPerBlockOptin},
               {cudaDevAttrMaxSharedMemoryPerMultiprocessor, p.sharedMemPerMultiprocessor},
               {cudaDevAttrComputeCapabilityMajor, (size_t)p.major},
               {cudaDevAttrCooperativeLaunch, (size_t)p.cooperativeLaunch},
               {cudaDevAttrL2CacheSize, (size_t)p.l2CacheSize}};
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; ++i) {
    OK(cudaDeviceGetAttribute(&value, pairs[i].name, 0));
    cr_assert_eq((size_t)value, pairs[i].value);
  }

  FAILS(cudaErrorInvalidValue, cudaDeviceGetAttribute(&value, (enum cudaDeviceAttr)9999, 0));
  emu_set_sms(132);
  OK(cudaDeviceGetAttribute(&value, cudaDevAttrMultiProcessorCount, 0));
  cr_assert_eq(value, 132);
}

Test(device, one_device) {
  int n = 0, device = 9;
  OK(cudaGetDeviceCount(&n));
  cr_assert_eq(n, 1);

  OK(cudaSetDevice(0));
  OK(cudaGetDevice(&device));
  cr_assert_eq(device, 0);

  FAILS(cudaErrorInvalidDevice, cudaSetDevice(1));
  FAILS(cudaErrorInvalidDevice, cudaSetDevice(-1));
  struct cudaDeviceProp p;
  FAILS(cudaErrorInvalidDevice, cudaGetDeviceProperties(&p, 1));
  FAILS(cudaErrorInvalidValue, cudaGetDeviceProperties(NULL, 0));
  FAILS(cudaErrorInvalidValue, cudaGetDeviceCount(NULL));
}

Test(device, none) {
  int n = 9;
  setenv("VISE_EMU_DEVICES", "0", 1);
  FAILS(cudaErrorNoDevice, cudaGetDeviceCount(&n));
  cr_assert_eq(n, 0);
  FAILS(cudaErrorNoDevice, cudaSetDevice(0));
}

Test(device, versions_and_limits) {
  int driver = 0, runtime = 0;
  OK(cudaDriverGetVersion(&driver));
  OK(cudaRuntimeGetVersion(&runtime));
  cr_assert_eq(runtime, CUDART_VERSION);
  cr_assert_geq(driver, runtime);
  size_t stack = 0;
  OK(cudaDeviceSetLimit(cudaLimitStackSize, 4096));
  OK(cudaDeviceGetLimit(&stack, cudaLimitStackSize));
  cr_assert_eq(stack, 4096);
  FAILS(cudaErrorUnsupportedLimit, cudaDeviceSetLimit((enum cudaLimit)77, 1));

  OK(cudaDeviceReset());
  OK(cudaDeviceGetLimit(&stack, cudaLimitStackSize));
  cr_assert_eq(stack, 1024);
}

Test(device, last_error) {
  OK(cudaGetLastError());
  FAILS(cudaErrorInvalidDevice, cudaSetDevice(3));
  OK(cudaDeviceSynchronize());  // success does not clear it
  FAILS(cudaErrorInvalidDevice, cudaPeekAtLastError());
  FAILS(cudaErrorInvalidDevice, cudaGetLastError());
  OK(cudaGetLastError());
  OK(cudaPeekAtLastError());
}

Test(device, names) {
  cr_assert_str_eq(cudaGetErrorName(cudaSuccess), "cudaSuccess");
  cr_assert_str_eq(cudaGetErrorString(cudaSuccess), "no error");
  cr_assert_str_eq(cudaGetErrorName(cudaErrorMemoryAllocation), "cudaErrorMemoryAllocation");
  cr_assert_str_eq(cudaGetErrorString(cudaErrorMemoryAllocation), "out of memory");
  cr_assert_str_eq(cudaGetErrorName(cudaErrorCooperativeLaunchTooLarge), "cudaErrorCooperativeLaunchTooLarge");
  cr_assert_str_eq(cudaGetErrorString((cudaError_t)12345), "unrecognized error code");
}

Test(device, sticky_error_of_deferred_work) {
  emu_set_deferred(1);
  float *d = device_floats(4), value;
  cudaStream_t s;
  OK(cudaStreamCreate(&s));
  OK(cudaMemset(d, 0, 16));

  // A grid barrier in a launch that is not cooperative: the call returns before anything has happened.
  OK(cudaLaunchKernel(kernel_alone, dim(2), dim(32), NULL, 0, s));
  OK(launch_add(d, 4, 1.0f, s));
  emu_reset_counts();

  const cudaError_t error = cudaStreamSynchronize(s);
  cr_assert_neq(error, cudaSuccess);
  FAILS(error, launch_add(d, 4, 1.0f, s));
  FAILS(error, cudaMemcpy(&value, d, 4, cudaMemcpyDeviceToHost));
  FAILS(error, cudaStreamCreate(&s));
  FAILS(error, cudaDeviceSynchronize());
  FAILS(error, cudaPeekAtLastError());
  cr_assert_eq(emu_read_counts().copies, 0);

  OK(cudaDeviceReset());
  OK(cudaGetLastError());
  OK(cudaDeviceSynchronize());
}
