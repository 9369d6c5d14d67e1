# vise_layer(NAME sources...): one layer of the library as an object library vise_NAME, with the common flags.
add_library(vise_flags INTERFACE)
target_include_directories(vise_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(vise_flags INTERFACE _GNU_SOURCE VISE_BUILDING_LIBRARY)
target_compile_options(vise_flags INTERFACE -Wall -Wextra -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes
  -Wpointer-arith -Wcast-qual -Wwrite-strings -ffp-contract=off)
if(VISE_WERROR)
  target_compile_options(vise_flags INTERFACE -Werror)
endif()
if(VISE_SANITIZE)
  target_compile_options(vise_flags INTERFACE -fsanitize=${VISE_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer -g)
  target_link_options(vise_flags INTERFACE -fsanitize=${VISE_SANITIZE})
endif()

function(vise_layer name)
  add_library(vise_${name} OBJECT ${ARGN})
  target_link_libraries(vise_${name} PRIVATE vise_flags vise_dependencies)
  set_property(GLOBAL APPEND PROPERTY VISE_LAYERS vise_${name})
endfunction()
