# The libraries Vise is built on (Debian package in brackets).
find_package(PkgConfig REQUIRED)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)    # libjansson-dev
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash>=0.8) # libxxhash-dev
pkg_check_modules(ARCHIVE REQUIRED IMPORTED_TARGET libarchive) # libarchive-dev
find_package(ZLIB REQUIRED)                                    # zlib1g-dev
find_library(DEFLATE_LIBRARY deflate REQUIRED)                 # libdeflate-dev

# In a wheel, which holds all that the library needs, libarchive is a part of it: the shared one brings 35 MB of readers of
# XML that Vise does not use.
set(VISE_ARCHIVE PkgConfig::ARCHIVE)
if(SKBUILD)
  find_library(VISE_ARCHIVE_STATIC libarchive.a)
  set(VISE_ARCHIVE_NEEDS)
  foreach(name lzma.5 zstd.1 bz2.1.0 nettle.8)
    string(REGEX REPLACE "\\..*" "" stem ${name})
    string(REPLACE "${stem}." "lib${stem}.so." file ${name})
    find_library(VISE_WHEEL_${stem} NAMES ${file} lib${stem}.so)
    list(APPEND VISE_ARCHIVE_NEEDS ${VISE_WHEEL_${stem}})
  endforeach()
  if(VISE_ARCHIVE_STATIC AND NOT "${VISE_ARCHIVE_NEEDS}" MATCHES NOTFOUND)
    set(VISE_ARCHIVE ${VISE_ARCHIVE_STATIC} ${VISE_ARCHIVE_NEEDS})
  endif()
endif()

add_library(vise_dependencies INTERFACE)
target_link_libraries(vise_dependencies INTERFACE PkgConfig::JANSSON PkgConfig::XXHASH
  ${VISE_ARCHIVE} ZLIB::ZLIB ${DEFLATE_LIBRARY} m)

if(VISE_EMULATION)
  pkg_check_modules(OPENBLAS REQUIRED IMPORTED_TARGET openblas) # libopenblas-dev: what emulated cuBLAS multiplies with
  enable_language(CXX)
endif()
