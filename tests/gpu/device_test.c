/* The device as the backend sees it: on a GPU and on the emulated device. */
#include "host/backend/cuda/device.h"

#include <criterion/criterion.h>
#include <cuda_runtime_api.h>
#include <string.h>

#include "vise/info.h"

Test(device, makes_the_backend_available) {
  const char *why_not = "untouched";
  cr_assert(vise_i_cuda_is_built());
  cr_expect_eq(vise_i_backend_find(VISE_BACKEND_CUDA, &why_not), &vise_i_backend_cuda);
  cr_expect_str_eq(why_not, "untouched");
  cr_expect(strstr(vise_build_options(), "cuda=yes") != NULL);
}

Test(device, is_listed_as_cuda_describes_it) {
  vise_device_info info[16];
  int n_devices = 0, n_sms = 0;
  struct cudaDeviceProp properties;

  cr_assert_eq(cudaGetDeviceCount(&n_devices), cudaSuccess);
  cr_assert_geq(n_devices, 1);
  cr_assert_eq(vise_list_devices(info, 16), (size_t)n_devices);
  cr_assert_eq(vise_list_devices(NULL, 0), (size_t)n_devices);
  cr_assert_eq(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  cr_assert_eq(cudaDeviceGetAttribute(&n_sms, cudaDevAttrMultiProcessorCount, 0), cudaSuccess);

  cr_expect_eq(info[0].index, 0);
  cr_expect_str_eq(info[0].name, properties.name);
  cr_expect_eq(info[0].compute_major, properties.major);
  cr_expect_eq(info[0].compute_minor, properties.minor);
  cr_expect_eq(info[0].n_multiprocessors, n_sms);
  cr_expect_eq(info[0].memory_bytes, properties.totalGlobalMem);
  cr_expect(info[0].usable);

  vise_backend_info backends[8];
  cr_assert_geq(vise_list_backends(backends, 8), 1);
  cr_expect_eq(backends[0].backend, VISE_BACKEND_CUDA);
  cr_expect(backends[0].available && strstr(backends[0].detail, properties.name) != NULL, "%s", backends[0].detail);
}

Test(device, is_chosen_by_its_index) {
  vise_error err = VISE_ERROR_INIT;
  const int n_devices = vise_i_cuda_n_devices();
  int current = -1;

  for (int i = n_devices - 1; i >= 0; i--) {
    vise_i_cuda_device device = {0};
    cr_assert_eq(vise_i_cuda_describe(i, &device, &err), VISE_OK, "%s", err.text);
    if (!device.usable) continue;
    cr_assert_eq(vise_i_cuda_choose(i, &err), VISE_OK, "%s", err.text);
    cr_expect_eq(cudaGetDevice(&current), cudaSuccess);
    cr_expect_eq(current, i);
  }

  static const int beyond[] = {-1, 1000};
  for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
    vise_i_cuda_device device = {.n_sms = 77};
    vise_error_clear(&err);
    cr_expect_eq(vise_i_cuda_choose(beyond[i], &err), VISE_ERR_UNSUPPORTED);
    cr_expect(strstr(err.text, "CUDA device") != NULL, "%s", err.text);
    cr_expect_eq(vise_i_cuda_describe(beyond[i], &device, NULL), VISE_ERR_UNSUPPORTED);
    cr_expect_eq(device.n_sms, 77);
  }

  cr_expect_eq(cudaGetLastError(), cudaSuccess, "a refused index leaves no error behind");
}

Test(device, that_does_not_exist_is_refused_with_those_that_do) {
  static const struct {
    int n_devices;
    const char *text;
  } cases[] = {{0, "`device` 3: there is no CUDA device"},
               {1, "`device` 3: there is 1 CUDA device, 0"},
               {2, "`device` 3: there are 2 CUDA devices, 0 and 1"},
               {3, "`device` 3: there are 3 CUDA devices, 0 to 2"}};

  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    vise_error err = VISE_ERROR_INIT;
    cr_expect_eq(vise_i_cuda_no_such_device(3, cases[i].n_devices, &err), VISE_ERR_UNSUPPORTED);
    cr_expect_str_eq(err.text, cases[i].text);
  }
}
