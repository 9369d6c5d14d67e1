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
    list(APPEND objects $<TARGET_OBJECTS:${layer}_${suffix}>)
  endforeach()
  add_library(vise_emulated_library_${flavour} INTERFACE)
  target_link_libraries(vise_emulated_library_${flavour} INTERFACE ${objects} vise_dependencies)
endforeach()

# vise_emulated_library_test(NAME SOURCES test.c... [the options of vise_emulated_test])
function(vise_emulated_library_test name)
  vise_emulated_test(${name} ${ARGN} LIBVISE LIBRARIES PkgConfig::CRITERION)
  foreach(flavour ${VISE_EMU_FLAVOURS})
    if(TARGET emulated_${name}_${flavour})
      target_compile_definitions(emulated_${name}_${flavour} PRIVATE VISE_SOURCE_DIR=".")
    endif()
  endforeach()
  if(TARGET emulated_${name}_asan)
    target_sources(emulated_${name}_asan PRIVATE ${PROJECT_SOURCE_DIR}/tests/support/leak_check.c)
  endif()
endfunction()

if(VISE_TOOL)
  vise_emulated_program(vise_emulated_tool plain SOURCES $<TARGET_OBJECTS:vise_cli>
    LIBRARIES vise_emulated_library_plain PkgConfig::JANSSON)
  set_target_properties(vise_emulated_tool PROPERTIES OUTPUT_NAME vise-emulated)
endif()
