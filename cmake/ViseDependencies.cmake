# The libraries Vise is built on (Debian package in brackets).
find_package(PkgConfig REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)    # libjansson-dev
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash>=0.8) # libxxhash-dev
pkg_check_modules(ARCHIVE REQUIRED IMPORTED_TARGET libarchive) # libarchive-dev
find_package(ZLIB REQUIRED)                                    # zlib1g-dev
find_library(DEFLATE_LIBRARY deflate REQUIRED)                 # libdeflate-dev

add_library(vise_dependencies INTERFACE)
target_link_libraries(vise_dependencies INTERFACE PkgConfig::JANSSON PkgConfig::XXHASH
  PkgConfig::ARCHIVE ZLIB::ZLIB ${DEFLATE_LIBRARY} m)

if(VISE_EMULATION)
  pkg_check_modules(OPENBLAS REQUIRED IMPORTED_TARGET openblas) # libopenblas-dev: what emulated cuBLAS multiplies with
  enable_language(CXX)
endif()
