// From the words of one instruction to its handler and operands.
#pragma once
#include <string>
#include <vector>

#include "lexer.h"
#include "program.h"

namespace emu::ptx {

// One operand as it is written: a word, an address or a list in braces.
struct Written {
  enum Kind { kWord, kAddress, kList } kind = kWord;
  std::vector<std::string> words;  // of an address: its base
  int64_t offset = 0;
};

// Names within a function, and places for what they name.
class Decoder {
 public:
  Decoder(const Module &module, Function &function, const std::map<std::string, uint32_t> &shared)
      : module_(module), function_(function), shared_(shared) {
    open();
  }

  // Blocks, within which names can be declared anew.
  void open() {
    scopes_.emplace_back();
  }
  void close() {
    scopes_.pop_back();
  }

  void declare_registers(const Statement &s);
  void declare_register(const std::string &name, int width, int line);
  Param declare_param(const std::string &name, int bytes);
  void declare_shared(const std::string &name, uint32_t address) {
    own_shared_[name] = address;
  }

  // Appends the instruction, or notes why it is outside the subset.
  void instruction(const Statement &s);
  void label(const Statement &s);
  void finish();  // targets of branches, the end of the function

  // ---- for the decoders of kinds of instructions

  [[noreturn]] void fail(const char *format, ...) const __attribute__((format(printf, 2, 3)));
  // width in bytes, 0 for a predicate; any_width: a register of another width is taken too (ld, st).
  Operand operand(const std::string &word, int width, bool any_width = false, int *found = nullptr);
  bool is_register(const std::string &word, int *width) const;
  bool find_param(const std::string &name, Param *param) const;
  // Base and offset of an address: into o[n], and offset.
  void address(const Written &written, Instruction *i);
  int64_t integer(const std::string &word) const;
  void add(Instruction *i, const Operand &o, bool is_out);
  int target(const std::string &label);
  Function &function() {
    return function_;
  }
  const Module &module() const {
    return module_;
  }

 private:
  struct Register {
    int width, at, id;
  };
  struct Scope {
    std::map<std::string, Register> registers;
    std::map<std::string, Param> params;
  };

  const Register *find(const std::string &word) const;
  Operand constant(uint64_t value, int width);
  bool value_of(const std::string &word, int width, uint64_t *value) const;
  void decode(const std::string &name, const std::vector<Written> &written, Instruction *i);
  bool from_table(const std::string &name, const std::vector<Written> &written, Instruction *i);
  int reserve(int bytes);
  void find_marks();

  const Module &module_;
  Function &function_;
  const std::map<std::string, uint32_t> &shared_;
  std::map<std::string, uint32_t> own_shared_;
  std::vector<Scope> scopes_;
  std::map<std::string, int> labels_;
  std::vector<std::pair<int, std::string>> branches_;  // instruction, label
  int line_ = 0;
};

// Each decodes the instructions of its file, or returns false. parts: the name, split at its points.
bool decode_memory(Decoder &d, const std::vector<std::string> &parts, const std::vector<Written> &w, Instruction *i);
bool decode_atomic(Decoder &d, const std::vector<std::string> &parts, const std::vector<Written> &w, Instruction *i);
bool decode_async(Decoder &d, const std::vector<std::string> &parts, const std::vector<Written> &w, Instruction *i);
bool decode_special(Decoder &d, const std::vector<std::string> &parts, const std::vector<Written> &w, Instruction *i);
bool decode_control(Decoder &d, const std::vector<std::string> &parts, const std::vector<Written> &w, Instruction *i);

}  // namespace emu::ptx
