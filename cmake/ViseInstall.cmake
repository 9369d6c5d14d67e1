# What `cmake --install` puts where: headers and their documents, both libraries, the tool, and what find_package and
# pkg-config read.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# A wheel (pyproject.toml) holds the shared library alone, as one file: there are no links in it.
if(SKBUILD)
  set_target_properties(vise_shared PROPERTIES VERSION ${PROJECT_VERSION_MAJOR})
  install(TARGETS vise_shared LIBRARY DESTINATION vise/lib COMPONENT python NAMELINK_SKIP)
  return()
endif()

set_target_properties(vise_shared PROPERTIES EXPORT_NAME vise)
add_library(vise::vise ALIAS vise_shared)
add_library(vise::vise_static ALIAS vise_static)

# Two exports: the static library needs the development packages of its dependencies, the shared one does not.
set(VISE_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/vise)
install(TARGETS vise_shared EXPORT vise-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  NAMELINK_COMPONENT development)
install(TARGETS vise_static EXPORT vise-static-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  COMPONENT development)
install(DIRECTORY include/vise DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development FILES_MATCHING
  PATTERN *.h)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development FILES_MATCHING PATTERN *.md
  PATTERN site EXCLUDE)
foreach(export vise-targets vise-static-targets)
  install(EXPORT ${export} NAMESPACE vise:: DESTINATION ${VISE_PACKAGE_DIR} COMPONENT development)
endforeach()

set(VISE_CUDA_LIBRARY_FOLDER)
set(VISE_PC_CUDA)
if(VISE_HAS_CUDA)
  get_filename_component(VISE_CUDA_LIBRARY_FOLDER ${VISE_CUDART_STATIC} DIRECTORY)
  set(VISE_PC_CUDA " -L${VISE_CUDA_LIBRARY_FOLDER} -lcudart_static -lrt -ldl -lpthread")
endif()
configure_package_config_file(cmake/vise-config.cmake.in vise-config.cmake INSTALL_DESTINATION ${VISE_PACKAGE_DIR})
# Before 1.0 a minor version may break what was built against the one before it.
write_basic_package_version_file(vise-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vise-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/vise-config-version.cmake
  DESTINATION ${VISE_PACKAGE_DIR} COMPONENT development)

# Relative to the .pc file, so that the prefix given to `cmake --install` is the one that counts.
file(RELATIVE_PATH VISE_PC_PREFIX /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" VISE_PC_PREFIX "${VISE_PC_PREFIX}")
configure_file(cmake/vise.pc.in vise.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vise.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
