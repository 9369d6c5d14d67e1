// VISE_EMU_PTX=FOLDER: kernels that a .ptx file of this folder has are run from it, in place of what the host's compiler
// made of their sources. VISE_EMU_PTX_ONLY=1: a launch of another kernel is an error.
#include <dirent.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <unordered_map>

#include "lexer.h"
#include "ptx.h"
#include "switch.h"
#include "tests/emulation/device/state.h"

namespace emu::ptx {

namespace {

// Modules are read when one of their kernels is launched.
struct File {
  std::string path, text;
  std::unique_ptr<Module> module;
};

struct Library {
  std::vector<std::unique_ptr<File>> files;
  std::map<std::string, File *> kernels;
};

uint64_t n_interpreted;
bool is_used = true;

std::vector<std::string> ptx_files(const std::string &folder) {
  std::vector<std::string> files;
  DIR *const directory = opendir(folder.c_str());
  if (!directory) {
    fprintf(stderr, "emulated device: VISE_EMU_PTX: there is no folder %s\n", folder.c_str());
    exit(2);
  }
  while (const dirent *entry = readdir(directory)) {
    const std::string name = entry->d_name;
    if (name.size() > 4 && name.compare(name.size() - 4, 4, ".ptx") == 0) files.push_back(folder + "/" + name);
  }
  closedir(directory);
  std::sort(files.begin(), files.end());
  return files;
}

Library *open_library(const char *folder) {
  auto *library = new Library();
  for (const std::string &path : ptx_files(folder)) {
    std::ifstream stream(path, std::ios::binary);
    library->files.emplace_back(new File{path, std::string(std::istreambuf_iterator<char>(stream), {}), nullptr});
    File *const file = library->files.back().get();
    const std::string entry = ".entry ";
    for (size_t at = 0; (at = file->text.find(entry, at)) != std::string::npos;) {
      at += entry.size();
      library->kernels[file->text.substr(at, file->text.find_first_of("( \n", at) - at)] = file;
    }
  }
  return library;
}

const Module &module_of(File *file) {
  if (!file->module) {
    try {
      file->module = read_module(file->path.substr(file->path.rfind('/') + 1), file->text);
    } catch (const Error &error) {
      fprintf(stderr, "emulated device: %s\n", error.what());
      exit(2);
    }
  }
  return *file->module;
}

// Whether the launch was run here.
bool run_from_ptx(const Launch &launch) {
  static const char *const folder = getenv("VISE_EMU_PTX");
  if (!is_used || !folder || !*folder) return false;
  static const Library *const library = open_library(folder);

  static std::unordered_map<const void *, std::string> names;
  std::string &name = names[launch.kernel->function];
  if (name.empty()) name = symbol_name(launch.kernel->function);

  const auto found = library->kernels.find(name);
  if (found == library->kernels.end()) {
    static const char *const only = getenv("VISE_EMU_PTX_ONLY");
    if (!only || *only != '1') return false;
    record_error(cudaErrorInvalidDeviceFunction, nullptr, "", 0, "no PTX has this kernel (VISE_EMU_PTX_ONLY)");
    return true;
  }
  ++n_interpreted;
  const Module &module = module_of(found->second);
  run(module, *module.functions.at(name), launch);
  return true;
}

struct Hook {
  Hook() {
    run_elsewhere = run_from_ptx;
  }
} hook;

}  // namespace

}  // namespace emu::ptx

void emu_ptx_use(bool use) {
  emu::ptx::is_used = use;
}

uint64_t emu_ptx_launches() {
  return emu::ptx::n_interpreted;
}
