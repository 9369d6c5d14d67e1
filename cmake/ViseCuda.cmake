# The CUDA backend and its kernels. VISE_CUDA=AUTO builds them where the CUDA toolkit is found, ON insists, OFF does
# without. The sanitizer builds instrument host code only and do without both.
#
#   VISE_HAS_NVCC           there is a compiler for kernels
#   VISE_HAS_CUDA           this build has the backend; links with vise_cuda_headers and vise_cuda_runtime (the static
#                           one, so that programs start where there is no driver) are in order then
#   vise_kernel(NAME [FOLDER])   compiles FOLDER/NAME.cu (of kernels/) for every architecture, host side included,
#                           warnings as errors, into NAME.o, and keeps what ptxas reports (NAME.ptxas) and the PTX
#                           (NAME.keep/) for tests/kernels_check
set(VISE_CUDA_ARCHITECTURES 80 90 100 120 CACHE STRING
  "Compute capabilities to make machine code for; the PTX of compute_90 serves what comes later")

set(VISE_HAS_NVCC FALSE)
set(VISE_HAS_CUDA FALSE)
if(NOT VISE_CUDA STREQUAL "OFF")
  find_program(VISE_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH PATHS /usr/local/cuda/bin
    DOC "The CUDA compiler")
  set(toolkit)
  if(VISE_NVCC)
    set(VISE_HAS_NVCC TRUE)
    get_filename_component(toolkit ${VISE_NVCC} REALPATH)
    get_filename_component(toolkit ${toolkit} DIRECTORY)
    get_filename_component(toolkit ${toolkit} DIRECTORY)
  endif()
  find_path(VISE_CUDA_INCLUDE cuda_runtime_api.h HINTS ${toolkit}/include $ENV{CUDA_PATH}/include
    /usr/local/cuda/include)
  find_path(VISE_CUBLAS_INCLUDE cublasLt.h HINTS ${VISE_CUDA_INCLUDE}) # declarations; the library is loaded at run time
  find_library(VISE_CUDART_STATIC cudart_static HINTS ${toolkit}/lib64 ${toolkit}/lib $ENV{CUDA_PATH}/lib64
    /usr/local/cuda/lib64)
  set(missing)
  foreach(part NVCC CUDA_INCLUDE CUBLAS_INCLUDE CUDART_STATIC)
    if(NOT VISE_${part})
      list(APPEND missing VISE_${part})
    endif()
  endforeach()
  list(JOIN missing ", " missing)
  if(missing AND VISE_CUDA STREQUAL "ON")
    message(FATAL_ERROR "VISE_CUDA=ON: the CUDA toolkit lacks ${missing}; set these or CUDA_PATH, or use AUTO or OFF")
  elseif(missing)
    message(STATUS "CUDA: not found: ${missing}; there will be no CUDA backend")
  elseif(NOT VISE_SANITIZE)
    set(VISE_HAS_CUDA TRUE)
  endif()
elseif(VISE_EMULATION)
  find_path(VISE_CUDA_INCLUDE cuda_runtime_api.h HINTS $ENV{CUDA_PATH}/include /usr/local/cuda/include REQUIRED)
endif()

add_library(vise_cuda_headers INTERFACE)
if(VISE_CUDA_INCLUDE)
  target_include_directories(vise_cuda_headers SYSTEM INTERFACE ${VISE_CUDA_INCLUDE})
  target_compile_definitions(vise_cuda_headers INTERFACE VISE_HAS_CUDA=1)
endif()
add_library(vise_cuda_runtime INTERFACE)
if(VISE_HAS_CUDA)
  target_link_libraries(vise_cuda_runtime INTERFACE ${VISE_CUDART_STATIC} rt dl pthread)
endif()

# No contraction that the source does not ask for, IEEE division and square root, subnormals kept: the same bits on
# every GPU and in the emulation.
set(VISE_NVCC_FLAGS -std=c++17 -O3 -fmad=false -ftz=false -prec-div=true -prec-sqrt=true -Werror all-warnings
  -Xptxas -v -I${PROJECT_SOURCE_DIR} -I${PROJECT_SOURCE_DIR}/include --threads 2 -lineinfo)
# The host side beside the kernels is written like C and needs nothing of a C++ library.
list(APPEND VISE_NVCC_FLAGS
  -Xcompiler=-Wall,-Wextra,-Werror,-ffp-contract=off,-fPIC,-fvisibility=hidden,-fno-exceptions,-fno-threadsafe-statics)
if(VISE_WATCHDOG)
  list(APPEND VISE_NVCC_FLAGS -DVISE_WATCHDOG=1)
endif()
set(VISE_NVCC_TARGETS)
foreach(architecture ${VISE_CUDA_ARCHITECTURES})
  list(APPEND VISE_NVCC_TARGETS -gencode arch=compute_${architecture},code=sm_${architecture})
endforeach()
list(APPEND VISE_NVCC_TARGETS -gencode arch=compute_90,code=compute_90)

set(VISE_KERNEL_FOLDER ${PROJECT_BINARY_DIR}/kernels)
set(VISE_KERNELS)
function(vise_kernel name)
  set(base ${VISE_KERNEL_FOLDER}/${name})
  set(folder kernels ${ARGN})
  list(GET folder -1 folder)
  set(source ${PROJECT_SOURCE_DIR}/${folder}/${name}.cu)
  # ptxas reports on every kernel; only a failure is worth a reader's time.
  add_custom_command(OUTPUT ${base}.o BYPRODUCTS ${base}.ptxas
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${base}.keep
    COMMAND ${CMAKE_COMMAND} -E make_directory ${base}.keep
    COMMAND sh -c "log=$1; shift; \"$@\" > \"$log\" 2>&1 || { cat \"$log\" >&2; exit 1; }" sh ${base}.ptxas
      ${VISE_NVCC} ${VISE_NVCC_FLAGS} ${VISE_NVCC_TARGETS} --keep --keep-dir ${base}.keep -MD -MT ${base}.o
      -MF ${base}.d -c ${source} -o ${base}.o
    COMMAND find ${base}.keep -type f ! -name *.ptx -delete
    DEPENDS ${source} ${PROJECT_SOURCE_DIR}/cmake/ViseCuda.cmake
    DEPFILE ${base}.d
    COMMENT "Compiling ${folder}/${name}.cu for every architecture" VERBATIM)
  set(VISE_KERNELS ${VISE_KERNELS} ${name} PARENT_SCOPE)
endfunction()

set(VISE_KERNEL_OBJECTS) # those of the library
if(VISE_HAS_NVCC AND NOT VISE_SANITIZE)
  file(MAKE_DIRECTORY ${VISE_KERNEL_FOLDER})
  file(GLOB kernels CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}/kernels ${PROJECT_SOURCE_DIR}/kernels/*.cu)
  foreach(kernel ${kernels})
    string(REPLACE .cu "" kernel ${kernel})
    vise_kernel(${kernel})
    list(APPEND VISE_KERNEL_OBJECTS ${VISE_KERNEL_FOLDER}/${kernel}.o)
  endforeach()
  set(objects ${VISE_KERNEL_OBJECTS})
  if(VISE_TESTS)
    vise_kernel(ptx_kernels tests/emulation/kernel_tests) # every instruction of ptx.cuh
    vise_kernel(micro tests/gpu)
    list(APPEND objects ${VISE_KERNEL_FOLDER}/ptx_kernels.o ${VISE_KERNEL_FOLDER}/micro.o)
  endif()
  add_custom_target(vise_kernels ALL DEPENDS ${objects})
endif()
