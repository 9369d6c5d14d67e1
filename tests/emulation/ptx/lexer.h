// PTX text as statements: lists of words between semicolons, with the line each begins in. Comments are dropped, and so
// are debug directives (.loc, .file, .section).
#pragma once
#include <stdexcept>
#include <string>
#include <vector>

namespace emu::ptx {

// What is wrong with a PTX text; says where.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

[[noreturn]] void fail(const std::string &file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct Statement {
  enum Kind { kWords, kLabel, kOpen, kClose } kind = kWords;
  std::vector<std::string> words;  // of a label: its name
  int line = 0;
};

// A brace opens or closes a block where a statement could begin, or where one ends without a semicolon: after the head
// of a function. Elsewhere it is a word.
std::vector<Statement> read_statements(const std::string &file, const std::string &text);

}  // namespace emu::ptx
