# vise_layer(NAME sources... [CUDA sources...] [WITHOUT_CUDA sources...]): one layer of the library as an object
# library vise_NAME, with the common flags; and what a build with the CUDA backend has more, and one without in its
# place. With VISE_EMULATION also vise_NAME_emulated and vise_NAME_emulated_asan: the layer of a build that has the backend, for
# tests/emulation to link with the emulated device.
add_library(vise_flags INTERFACE)
target_include_directories(vise_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(vise_flags INTERFACE _GNU_SOURCE VISE_BUILDING_LIBRARY)
target_compile_options(vise_flags INTERFACE -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes
  -Wpointer-arith -Wcast-qual -Wwrite-strings -ffp-contract=off)
if(VISE_WERROR)
  target_compile_options(vise_flags INTERFACE -Werror)
endif()
if(VISE_SANITIZE)
  # Reports need the lines alone (-g1); to describe every variable of instrumented code takes as long as to compile it.
  target_compile_options(vise_flags INTERFACE -fsanitize=${VISE_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer -g1)
  target_link_options(vise_flags INTERFACE -fsanitize=${VISE_SANITIZE})
endif()

function(vise_layer_objects target)
  add_library(${target} OBJECT ${ARGN})
  target_link_libraries(${target} PRIVATE vise_flags vise_dependencies)
endfunction()

function(vise_layer name)
  cmake_parse_arguments(arg "" "" "CUDA;WITHOUT_CUDA" ${ARGN})
  if(VISE_HAS_CUDA)
    vise_layer_objects(vise_${name} ${arg_UNPARSED_ARGUMENTS} ${arg_CUDA})
    if(arg_CUDA) # the others do without its headers
      target_link_libraries(vise_${name} PRIVATE vise_cuda_headers)
    endif()
  else()
    vise_layer_objects(vise_${name} ${arg_UNPARSED_ARGUMENTS} ${arg_WITHOUT_CUDA})
  endif()
  set_property(GLOBAL APPEND PROPERTY VISE_LAYERS vise_${name})
  if(VISE_EMULATION)
    foreach(target vise_${name}_emulated vise_${name}_emulated_asan)
      vise_layer_objects(${target} ${arg_UNPARSED_ARGUMENTS} ${arg_CUDA})
      if(arg_CUDA)
        target_link_libraries(${target} PRIVATE vise_cuda_headers)
        target_compile_definitions(${target} PRIVATE VISE_I_LINKED_CUBLAS VISE_I_LINKED_NCCL) # emulated
      endif()
      set_target_properties(${target} PROPERTIES EXCLUDE_FROM_ALL TRUE)
    endforeach()
    target_compile_options(vise_${name}_emulated_asan PRIVATE -fsanitize=address,undefined -fno-sanitize-recover=all
      -fno-omit-frame-pointer -g1 -UNDEBUG)
    target_compile_definitions(vise_${name}_emulated_asan PRIVATE VISE_I_NO_CLONES)
  endif()
endfunction()

# vise_fast_sources(sources...): float32 loops that are written for the vectorizer. None of these options changes a
# result: no errno from sqrtf, no traps, and -O3 also where a build type says -O2. Sanitizers and functions chosen at
# start do not go together.
function(vise_fast_sources)
  set(options "$<$<NOT:$<CONFIG:Debug>>:-O3>" -fno-math-errno -fno-trapping-math)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    list(APPEND options -mprefer-vector-width=512) # where there are such vectors, GCC takes half of them otherwise
  endif()
  if(VISE_SANITIZE)
    list(APPEND options -DVISE_I_NO_CLONES)
  endif()
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "${options}")
endfunction()
