# The CUDA kernels. VISE_CUDA=AUTO builds them where nvcc is found, ON insists, OFF does without.
#
# vise_kernel(NAME [FOLDER]) compiles FOLDER/NAME.cu (of kernels/) for every architecture, host side included, warnings
# as errors, into NAME.o, and keeps what ptxas reports (NAME.ptxas) and the PTX (NAME.keep/) for tests/kernels_check.
set(VISE_CUDA_ARCHITECTURES 80 90 100 120) # machine code; the PTX of compute_90 serves what comes later

set(VISE_HAS_NVCC FALSE)
if(NOT VISE_CUDA STREQUAL "OFF")
  find_program(VISE_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH PATHS /usr/local/cuda/bin
    DOC "The CUDA compiler")
  if(VISE_NVCC)
    set(VISE_HAS_NVCC TRUE)
  elseif(VISE_CUDA STREQUAL "ON")
    message(FATAL_ERROR "VISE_CUDA=ON: nvcc not found; put it on the PATH or set VISE_NVCC, or use AUTO or OFF")
  else()
    message(STATUS "CUDA: nvcc not found, kernels are not compiled")
  endif()
endif()

# No contraction that the source does not ask for, IEEE division and square root, subnormals kept: the same bits on
# every GPU and in the emulation.
set(VISE_NVCC_FLAGS -std=c++17 -O3 -fmad=false -ftz=false -prec-div=true -prec-sqrt=true -Werror all-warnings
  -Xptxas -v -I${PROJECT_SOURCE_DIR} -Xcompiler=-Wall,-Wextra,-Werror,-ffp-contract=off,-fPIC)
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

# Once is enough: the sanitizer builds instrument host code only.
if(VISE_HAS_NVCC AND NOT VISE_SANITIZE)
  file(MAKE_DIRECTORY ${VISE_KERNEL_FOLDER})
  vise_kernel(exchange)
  vise_kernel(gather)
  vise_kernel(reduce)
  if(VISE_TESTS)
    vise_kernel(ptx_kernels tests/emulation/kernel_tests) # every instruction of ptx.cuh
  endif()
  list(TRANSFORM VISE_KERNELS REPLACE "(.+)" "${VISE_KERNEL_FOLDER}/\\1.o" OUTPUT_VARIABLE VISE_KERNEL_OBJECTS)
  add_custom_target(vise_kernels ALL DEPENDS ${VISE_KERNEL_OBJECTS})
endif()
