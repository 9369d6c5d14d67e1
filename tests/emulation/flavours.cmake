# The emulated CUDA device in three builds ("flavours"), and what is built on it:
#   plain   -O2
#   asan    AddressSanitizer and UBSan, which know of fibers and of the edges of shared and device memory
#   race    kernels report each access to the race checker
#
#   vise_emulated_kernels(TARGET FLAVOUR kernels.cu...)   an object library of kernels
#   vise_emulated_program(TARGET FLAVOUR SOURCES ... [KERNELS ...] [LIBRARIES ...])
#   vise_emulated_test(NAME SOURCES ... [KERNELS ...] [LIBRARIES ...] [FLAVOURS ...] [SCHEDULES ...] [SMS ...]
#                      [RUNS ...] [ARGUMENTS ...] [TIMEOUT seconds] [ASAN options] [LIBVISE])
#       a program emulated_NAME_FLAVOUR of each flavour and tests of it, labelled emulation and emulation-FLAVOUR; exit
#       status 0 passes, 77 is a skip. They run in the source folder. Each schedule and each SM count is in a test; which
#       of them meet turns from flavour to flavour. RUNS, each FLAVOUR/SCHEDULE/SMS, are all that there are instead. With
#       VISE_EMULATION_THOROUGH (./dev test --thorough) all meet, MORE_SCHEDULES and MORE_SMS included; without it,
#       VISE_TESTS_SHORT=1 is set, at which tests leave out cases (rig_is_short). Those with a long TIMEOUT begin first.
#       LIBVISE: with Vise's host code, CUDA backend included, and all its kernels (library.cmake)
# The target `emulation` builds all programs.
if(NOT VISE_CUDA_INCLUDE)
  message(FATAL_ERROR "VISE_EMULATION needs the headers of the CUDA toolkit (cuda_runtime_api.h): set CUDA_PATH")
endif()
include(CheckCXXSourceRuns)

add_custom_target(emulation)
set(VISE_EMU_DIR ${CMAKE_CURRENT_LIST_DIR})
set(VISE_EMU_FLAVOURS plain asan race)
set(VISE_EMU_SCHEDULES forward reverse random:1 random:2)
set(VISE_EMU_SM_COUNTS 1 4 8 132)

# fmaf in one instruction, where the machine that builds has it: the bits are the same, the time is not.
set(CMAKE_REQUIRED_FLAGS -mfma)
check_cxx_source_runs("#include <cmath>\nint main(int n, char **) { return std::fmaf(n, 0.0f, 0.0f) != 0; }" VISE_HAS_FMA)
unset(CMAKE_REQUIRED_FLAGS)

# The interpreter of compiled kernels works on arrays of 32 lanes: as wide as the machine that builds can.
set(VISE_EMU_VECTORS)
foreach(level x86-64-v4 x86-64-v3)
  set(CMAKE_REQUIRED_FLAGS "-march=${level}")
  string(MAKE_C_IDENTIFIER VISE_HAS_${level} has)
  check_cxx_source_runs("
    int main(int n, char **) { float a[64], b[64]; for (int i = 0; i < 64; i++) { a[i] = n; b[i] = i; }
      for (int i = 0; i < 64; i++) a[i] = a[i] * b[i] + b[i]; return a[n] != 2; }" ${has})
  if(${has} AND NOT VISE_EMU_VECTORS)
    set(VISE_EMU_VECTORS -march=${level} -mprefer-vector-width=512)
  endif()
endforeach()
unset(CMAKE_REQUIRED_FLAGS)

function(vise_emu_flavour flavour)
  set(all -g -Wall -Wextra -Wno-unknown-pragmas $<$<BOOL:${VISE_WERROR}>:-Werror>)
  # A misaligned access must stop the kernel: UBSan's check without its run time.
  set(kernels -ffp-contract=off -fno-lto -fsanitize=alignment -fsanitize-undefined-trap-on-error)
  if(VISE_HAS_FMA)
    list(APPEND kernels -mfma)
  endif()
  set(link)
  if(flavour STREQUAL asan)
    set(link -fsanitize=address,undefined)
    list(APPEND all -O1 -fno-omit-frame-pointer ${link} -fno-sanitize-recover=all)
    list(REMOVE_ITEM kernels -fsanitize=alignment -fsanitize-undefined-trap-on-error)
    if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
      list(APPEND kernels -fsanitize-sections=emu_shared) # red zones between shared objects
    endif()
  else()
    list(APPEND all -O2)
  endif()
  if(flavour STREQUAL race)
    if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
      list(APPEND kernels -fsanitize=thread --param=tsan-instrument-func-entry-exit=0
        --param=tsan-distinguish-volatile=1)
    else()
      list(APPEND kernels -fsanitize=thread "SHELL:-mllvm -tsan-instrument-func-entry-exit=0"
        "SHELL:-mllvm -tsan-distinguish-volatile=1")
    endif()
  endif()

  add_library(vise_emu_flags_${flavour} INTERFACE)
  target_compile_features(vise_emu_flags_${flavour} INTERFACE cxx_std_17)
  target_include_directories(vise_emu_flags_${flavour} INTERFACE ${VISE_EMU_DIR}/include ${PROJECT_SOURCE_DIR}
    ${PROJECT_SOURCE_DIR}/include)
  target_include_directories(vise_emu_flags_${flavour} SYSTEM INTERFACE ${VISE_CUDA_INCLUDE})
  target_compile_definitions(vise_emu_flags_${flavour} INTERFACE _GNU_SOURCE
    VISE_EMU_FLAVOUR="${flavour}")
  target_compile_options(vise_emu_flags_${flavour} INTERFACE ${all})
  target_link_options(vise_emu_flags_${flavour} INTERFACE ${link})
  add_library(vise_emu_kernel_flags_${flavour} INTERFACE)
  target_link_libraries(vise_emu_kernel_flags_${flavour} INTERFACE vise_emu_flags_${flavour})
  target_compile_options(vise_emu_kernel_flags_${flavour} INTERFACE ${kernels})

  # The device half, and the host half: the CUDA runtime and cuBLAS. The race checker looks at kernels alone; what else
  # there is of that flavour is the plain one's.
  if(flavour STREQUAL race)
    set(code plain)
    file(GLOB race CONFIGURE_DEPENDS ${VISE_EMU_DIR}/race/*.cpp)
    list(REMOVE_ITEM race ${VISE_EMU_DIR}/race/race_none.cpp)
  else()
    set(code ${flavour})
    set(race ${VISE_EMU_DIR}/race/race_none.cpp)
    file(GLOB device CONFIGURE_DEPENDS ${VISE_EMU_DIR}/device/*.cpp)
    file(GLOB host CONFIGURE_DEPENDS ${VISE_EMU_DIR}/host/*.cpp)
    add_library(vise_emu_device_code_${flavour} OBJECT EXCLUDE_FROM_ALL ${device})
    target_link_libraries(vise_emu_device_code_${flavour} PRIVATE vise_emu_flags_${flavour})
    add_library(vise_emu_host_code_${flavour} OBJECT EXCLUDE_FROM_ALL ${host})
    target_link_libraries(vise_emu_host_code_${flavour} PRIVATE vise_emu_flags_${flavour} PkgConfig::OPENBLAS)
    # Callers in C may pass any value. As a property of the sources it comes after the flavour's own options.
    set_source_files_properties(${host} PROPERTIES COMPILE_OPTIONS -fno-sanitize=enum)
  endif()
  add_library(vise_emu_device_${flavour} STATIC ${race} $<TARGET_OBJECTS:vise_emu_device_code_${code}>)
  target_link_libraries(vise_emu_device_${flavour} PUBLIC vise_emu_flags_${flavour} rt)
  add_library(vise_emu_host_${flavour} STATIC $<TARGET_OBJECTS:vise_emu_host_code_${code}>)
  set_target_properties(vise_emu_host_${flavour} PROPERTIES LINKER_LANGUAGE CXX)
  target_link_libraries(vise_emu_host_${flavour} PUBLIC vise_emu_device_${flavour} PkgConfig::OPENBLAS)
endfunction()

foreach(flavour ${VISE_EMU_FLAVOURS})
  vise_emu_flavour(${flavour})
endforeach()

# Objects: nothing refers to the hook that sets itself up.
file(GLOB ptx CONFIGURE_DEPENDS ${VISE_EMU_DIR}/ptx/*.cpp)
add_library(vise_emu_ptx OBJECT ${ptx})
target_link_libraries(vise_emu_ptx PRIVATE vise_emu_flags_plain)
target_compile_options(vise_emu_ptx PRIVATE -O3 ${VISE_EMU_VECTORS} -ffp-contract=off -fno-math-errno)

function(vise_emulated_kernels target flavour)
  set_source_files_properties(${ARGN} PROPERTIES LANGUAGE CXX)
  add_library(${target} OBJECT ${ARGN})
  target_link_libraries(${target} PRIVATE vise_emu_kernel_flags_${flavour})
endfunction()

function(vise_emulated_program target flavour)
  cmake_parse_arguments(arg "" "" "SOURCES;KERNELS;LIBRARIES" ${ARGN})
  add_executable(${target} ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX)
  add_dependencies(emulation ${target})
  if(arg_KERNELS)
    vise_emulated_kernels(${target}_kernels ${flavour} ${arg_KERNELS})
    target_link_libraries(${target} PRIVATE ${target}_kernels)
  endif()
  if(flavour STREQUAL plain)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:vise_emu_ptx>)
  endif()
  target_link_libraries(${target} PRIVATE ${arg_LIBRARIES} vise_emu_host_${flavour} vise_emu_device_${flavour} m)
endfunction()

# Sets `out` to the list of FLAVOUR/SCHEDULE/SMS that a flavour's tests have: see vise_emulated_test.
function(vise_emu_runs out flavour schedules sm_counts)
  set(runs)
  list(LENGTH schedules n_schedules)
  list(LENGTH sm_counts n_sm_counts)
  if(VISE_EMULATION_THOROUGH)
    foreach(schedule ${schedules})
      foreach(sms ${sm_counts})
        list(APPEND runs ${flavour}/${schedule}/${sms})
      endforeach()
    endforeach()
  else()
    list(FIND VISE_EMU_FLAVOURS ${flavour} turn)
    set(longer ${n_schedules})
    if(n_sm_counts GREATER longer)
      set(longer ${n_sm_counts})
    endif()
    foreach(i RANGE 1 ${longer})
      math(EXPR of_schedules "${i} % ${n_schedules}")
      math(EXPR of_sm_counts "(${i} + ${turn}) % ${n_sm_counts}")
      list(GET schedules ${of_schedules} schedule)
      list(GET sm_counts ${of_sm_counts} sms)
      list(APPEND runs ${flavour}/${schedule}/${sms})
    endforeach()
  endif()
  set(${out} ${runs} PARENT_SCOPE)
endfunction()

function(vise_emulated_test name)
  cmake_parse_arguments(arg LIBVISE "TIMEOUT;ASAN" "SOURCES;KERNELS;LIBRARIES;FLAVOURS;SCHEDULES;SMS;RUNS;ARGUMENTS;MORE_SCHEDULES;MORE_SMS"
    ${ARGN})
  foreach(part FLAVOURS SCHEDULES)
    if(NOT arg_${part})
      set(arg_${part} ${VISE_EMU_${part}})
    endif()
  endforeach()
  if(NOT arg_SMS)
    set(arg_SMS ${VISE_EMU_SM_COUNTS})
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  set(extent VISE_TESTS_SHORT=1)
  if(VISE_EMULATION_THOROUGH)
    set(extent VISE_TESTS_SHORT=0)
    list(APPEND arg_SCHEDULES ${arg_MORE_SCHEDULES})
    list(APPEND arg_SMS ${arg_MORE_SMS})
  endif()
  foreach(flavour ${arg_FLAVOURS})
    set(program emulated_${name}_${flavour})
    set(libraries ${arg_LIBRARIES})
    if(arg_LIBVISE)
      list(APPEND libraries vise_emulated_library_${flavour})
    endif()
    vise_emulated_program(${program} ${flavour} SOURCES ${arg_SOURCES} KERNELS ${arg_KERNELS} LIBRARIES ${libraries})
    set(runs ${arg_RUNS})
    list(FILTER runs INCLUDE REGEX "^${flavour}/")
    if(NOT arg_RUNS OR VISE_EMULATION_THOROUGH)
      vise_emu_runs(more ${flavour} "${arg_SCHEDULES}" "${arg_SMS}")
      list(APPEND runs ${more})
      list(REMOVE_DUPLICATES runs)
    endif()
    foreach(run ${runs})
      string(REGEX MATCH "^(.*)/(.*)/(.*)$" run ${run})
      set(schedule ${CMAKE_MATCH_2})
      set(sms ${CMAKE_MATCH_3})
      string(REPLACE ":" "" short ${schedule})
      set(test emulation.${flavour}.${name}.${short}.${sms}sm)
      add_test(NAME ${test} COMMAND ${program} ${arg_ARGUMENTS} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
      set_tests_properties(${test} PROPERTIES LABELS "emulation;emulation-${flavour}" TIMEOUT ${arg_TIMEOUT}
        COST ${arg_TIMEOUT} SKIP_RETURN_CODE 77 ENVIRONMENT
        "VISE_EMU_SCHEDULE=${schedule};VISE_EMU_SMS=${sms};${extent};ASAN_OPTIONS=detect_stack_use_after_return=0:${arg_ASAN}"
        FAIL_REGULAR_EXPRESSION "LeakSanitizer: detected;runtime error:;ERROR: AddressSanitizer;Tested: 0 ")
    endforeach()
  endforeach()
endfunction()
