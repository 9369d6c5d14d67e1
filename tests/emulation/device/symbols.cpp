// Names and source lines of this program's own addresses, from its symbol table and from addr2line.
#include <cxxabi.h>
#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "state.h"

namespace emu {

namespace {

struct Symbol {
  uintptr_t address;
  size_t size;
  std::string name;
};

// Where the program itself was loaded: position-independent executables are moved.
uintptr_t load_base() {
  uintptr_t base = 0;
  dl_iterate_phdr(
      [](dl_phdr_info *info, size_t, void *result) {
        *static_cast<uintptr_t *>(result) = info->dlpi_addr;
        return 1;  // the first one is the program
      },
      &base);
  return base;
}

std::vector<Symbol> read_symbols() {
  std::vector<Symbol> symbols;
  std::ifstream file("/proc/self/exe", std::ios::binary);
  const std::string image((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (image.size() < sizeof(ElfW(Ehdr))) return symbols;

  ElfW(Ehdr) header;
  memcpy(&header, image.data(), sizeof header);
  std::vector<ElfW(Shdr)> sections(header.e_shnum);
  if (header.e_shoff + sections.size() * sizeof(ElfW(Shdr)) > image.size()) return symbols;
  memcpy(sections.data(), image.data() + header.e_shoff, sections.size() * sizeof(ElfW(Shdr)));

  for (const auto &section : sections) {
    if (section.sh_type != SHT_SYMTAB) continue;
    const auto &names = sections[section.sh_link];
    for (size_t i = 0; i < section.sh_size / sizeof(ElfW(Sym)); ++i) {
      ElfW(Sym) symbol;
      memcpy(&symbol, image.data() + section.sh_offset + i * sizeof symbol, sizeof symbol);
      const int type = symbol.st_info & 15;
      if ((type != STT_FUNC && type != STT_OBJECT) || symbol.st_value == 0) continue;
      const char *name = image.data() + names.sh_offset + symbol.st_name;
      symbols.push_back({load_base() + symbol.st_value, symbol.st_size, name});
    }
  }

  std::sort(symbols.begin(), symbols.end(), [](const Symbol &a, const Symbol &b) { return a.address < b.address; });
  return symbols;
}

std::string readable(const std::string &name) {
  int status = 0;
  char *plain = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  if (!plain) return name;
  std::string text(plain);
  free(plain);
  const size_t parenthesis = text.find('(');
  return parenthesis == std::string::npos || parenthesis == 0 ? text : text.substr(0, parenthesis);
}

}  // namespace

std::string symbol_name(const void *address) {
  static const std::vector<Symbol> symbols = read_symbols();
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  auto after = std::upper_bound(symbols.begin(), symbols.end(), wanted,
                                [](uintptr_t value, const Symbol &symbol) { return value < symbol.address; });
  if (after == symbols.begin()) return "?";
  --after;
  return wanted < after->address + std::max<size_t>(after->size, 1) ? readable(after->name) : "?";
}

std::string source_of(const void *code) {
  char program[512];
  const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  program[length > 0 ? length : 0] = 0;
  const std::string command = format_text("addr2line -s -e '%s' 0x%zx 2>/dev/null", program,
                                          static_cast<size_t>(reinterpret_cast<uintptr_t>(code) - load_base()));

  char line[512] = "";
  if (FILE *pipe = popen(command.c_str(), "r")) {
    if (!fgets(line, sizeof line, pipe)) line[0] = 0;
    pclose(pipe);
  }

  line[strcspn(line, " \n")] = 0;
  return line[0] && line[0] != '?' ? std::string(line) : symbol_name(code);
}

}  // namespace emu
