# Vise with its CUDA backend, on the emulated device:
#   vise_emulated_library_FLAVOUR    to link with: the private layers, all kernels, the emulated device
#   vise_emulated_library_test(...)  vise_emulated_test(... LIBVISE) with Criterion, for tests of the backend
#   bin/vise-emulated                the tool
# The race checker looks at kernels alone; its host code is that of the plain build.
file(GLOB kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/*.cu)
get_property(layers GLOBAL PROPERTY VISE_LAYERS)
foreach(flavour ${VISE_EMU_FLAVOURS})
  vise_emulated_kernels(vise_emulated_kernels_${flavour} ${flavour} ${kernels})
  set_target_properties(vise_emulated_kernels_${flavour} PROPERTIES EXCLUDE_FROM_ALL TRUE)
  set(suffix emulated)
  if(flavour STREQUAL asan)
    set(suffix emulated_asan)
  endif()
  # Objects, not archives: which archive needs which, both ways, is then no question.
  set(objects $<TARGET_OBJECTS:vise_emulated_kernels_${flavour}>)
  foreach(layer ${layers})
    # These two take half of the time to compile the layers with sanitizers, and no device leads into them; their own
    # tests run with sanitizers elsewhere.
    if(layer MATCHES "^vise_(product|table)$")
      list(APPEND objects $<TARGET_OBJECTS:${layer}_emulated>)
    else()
      list(APPEND objects $<TARGET_OBJECTS:${layer}_${suffix}>)
    endif()
  endforeach()
  add_library(vise_emulated_library_${flavour} INTERFACE)
  target_link_libraries(vise_emulated_library_${flavour} INTERFACE ${objects} vise_dependencies)
endforeach()

foreach(flavour plain asan)
  add_library(vise_shared_emulated_${flavour} INTERFACE)
  target_link_libraries(vise_shared_emulated_${flavour} INTERFACE vise_emu_flags_${flavour} vise_dependencies
    PkgConfig::CRITERION)
  target_compile_definitions(vise_shared_emulated_${flavour} INTERFACE VISE_SOURCE_DIR=".")
endforeach()

# vise_emulated_library_test(NAME SOURCES test.c... [the options of vise_emulated_test]): the sources are compiled once
# for the plain build and the race checker.
function(vise_emulated_library_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;KERNELS;LIBRARIES;FLAVOURS;SCHEDULES;SMS;RUNS;ARGUMENTS;MORE_SCHEDULES;MORE_SMS;TIMEOUT;ASAN"
    ${ARGN})
  set(others ${ARGN})
  list(REMOVE_ITEM others ${arg_SOURCES} SOURCES)
  vise_emulated_test(${name} ${others} LIBVISE LIBRARIES PkgConfig::CRITERION)
  foreach(flavour ${VISE_EMU_FLAVOURS})
    if(NOT TARGET emulated_${name}_${flavour})
      continue()
    endif()
    if(flavour STREQUAL asan)
      vise_shared_sources(emulated_${name}_asan emulated_asan ${arg_SOURCES} ${PROJECT_SOURCE_DIR}/tests/support/leak_check.c)
    else()
      vise_shared_sources(emulated_${name}_${flavour} emulated_plain ${arg_SOURCES})
    endif()
  endforeach()
endfunction()

if(VISE_TOOL)
  vise_emulated_program(vise_emulated_tool plain SOURCES $<TARGET_OBJECTS:vise_cli>
    LIBRARIES vise_emulated_library_plain PkgConfig::JANSSON)
  set_target_properties(vise_emulated_tool PROPERTIES OUTPUT_NAME vise-emulated)
endif()
