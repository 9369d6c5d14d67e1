// Modules: declarations, functions, shared variables.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "decode.h"

namespace emu::ptx {

namespace {

class Parser {
 public:
  Parser(const std::string &file, const std::string &text) : statements_(read_statements(file, text)) {
    module_.reset(new Module());
    module_->file = file;
  }
  std::unique_ptr<Module> run();

 private:
  [[noreturn]] void fail_here(const Statement &s, const char *what) const;
  static bool has(const Statement &s, const char *word);
  void collect_shared(const Statement &s);
  void read_variable(const Statement &s, std::string *name, uint32_t *align, uint32_t *bytes) const;
  void top(const Statement &s);
  void function(const Statement &s, bool defined);
  size_t read_params(const Statement &s, size_t k, std::vector<Param> *params) const;
  void body(Function &f, const std::vector<Param> &results, const std::vector<Param> &params);
  void statement(Function &f, Decoder &decoder, const Statement &s);
  void link(Function &f);

  std::vector<Statement> statements_;
  size_t at_ = 0;
  std::unique_ptr<Module> module_;
  std::map<std::string, uint32_t> shared_;
  std::vector<std::string> dynamic_;
  uint32_t module_end_ = kSharedBase, kernel_bytes_ = 0, most_of_kernels_ = 0;
  int depth_ = 0;
  bool in_kernel_ = false;
};

std::unique_ptr<Module> Parser::run() {
  for (at_ = 0; at_ < statements_.size(); ++at_) collect_shared(statements_[at_]);
  module_end_ = (module_end_ + 1023) / 1024 * 1024;
  module_->dynamic_at = (module_end_ + most_of_kernels_ + 1023) / 1024 * 1024;
  for (const std::string &name : dynamic_) shared_[name] = module_->dynamic_at;

  for (at_ = 0; at_ < statements_.size(); ++at_) top(statements_[at_]);
  for (auto &entry : module_->functions) {
    entry.second->first_instruction = module_->n_instructions;
    module_->n_instructions += static_cast<int>(entry.second->code.size());
    link(*entry.second);
  }
  return std::move(module_);
}

void Parser::fail_here(const Statement &s, const char *what) const {
  fail(module_->file, s.line, "%s", what);
}

bool Parser::has(const Statement &s, const char *word) {
  return std::find(s.words.begin(), s.words.end(), word) != s.words.end();
}

// ---- shared variables ----------------------------------------------------------------------------------------------
// A first pass gives the variables of the module and of functions their places, which those of a kernel follow, and
// finds where dynamic shared memory begins: after those of any kernel.
void Parser::collect_shared(const Statement &s) {
  if (s.kind == Statement::kOpen) ++depth_;
  if (s.kind == Statement::kClose) --depth_;
  if (s.kind != Statement::kWords) return;
  if (has(s, ".entry") || has(s, ".func")) {
    in_kernel_ = has(s, ".entry");
    kernel_bytes_ = 0;
    return;
  }
  if (!has(s, ".shared") || s.words[0][0] != '.') return;

  std::string name;
  uint32_t align, bytes;
  read_variable(s, &name, &align, &bytes);
  if (has(s, ".extern")) {
    dynamic_.push_back(name);
  } else if (depth_ > 0 && in_kernel_) {
    kernel_bytes_ = (kernel_bytes_ + align - 1) / align * align + bytes;
    most_of_kernels_ = std::max(most_of_kernels_, kernel_bytes_);
  } else {
    module_end_ = (module_end_ + align - 1) / align * align;
    shared_[name] = module_end_;
    module_end_ += bytes;
  }
}

// .shared .align 8 .b8 name[8192]
void Parser::read_variable(const Statement &s, std::string *name, uint32_t *align, uint32_t *bytes) const {
  uint32_t size = 0, n = 1;
  *align = 1;
  for (size_t k = 0; k < s.words.size(); ++k) {
    const std::string &word = s.words[k];
    if (word == ".align") {
      *align = static_cast<uint32_t>(atoi(s.words.at(++k).c_str()));
    } else if (word == "[") {
      n = s.words.at(k + 1) == "]" ? 0 : static_cast<uint32_t>(atoi(s.words[k + 1].c_str()));
      break;
    } else if (word[0] == '.' && word.size() > 2 && isdigit(static_cast<unsigned char>(word[2]))) {
      size = static_cast<uint32_t>(atoi(word.c_str() + 2)) / 8;
    } else if (word[0] != '.') {
      *name = word;
    }
  }
  if (size == 0) fail_here(s, "a variable of this type is outside the subset");
  *align = std::max(*align, size);
  *bytes = size * n;
}

// ---- functions -----------------------------------------------------------------------------------------------------
void Parser::top(const Statement &s) {
  if (s.kind != Statement::kWords) fail_here(s, "a brace or label outside a function");
  if (has(s, ".func") || has(s, ".entry")) {
    function(s, at_ + 1 < statements_.size() && statements_[at_ + 1].kind == Statement::kOpen);
  } else if (!has(s, ".shared") && s.words[0] != ".pragma") {
    fail_here(s, "this declaration is outside the subset");
  }
}

// [.visible] .func (.param .b64 result) name (.param .b32 first, ...) or .entry name (...) .maxntid 256, 1, 1
void Parser::function(const Statement &s, bool defined) {
  size_t k = 0;
  while (s.words.at(k) != ".func" && s.words[k] != ".entry") ++k;
  const bool is_entry = s.words[k++] == ".entry";

  std::vector<Param> results, params;
  if (s.words.at(k) == ".noreturn") ++k;
  if (s.words.at(k) == "(") k = read_params(s, k, &results);
  const std::string name = s.words.at(k++);
  if (k < s.words.size() && s.words[k] == "(") k = read_params(s, k, &params);

  auto &known = module_->functions[name];
  if (!known) known.reset(new Function());
  Function &f = *known;
  f.name = name;
  f.is_entry = is_entry;
  if (!defined) return;
  f.line = s.line;
  f.is_defined = true;
  f.params = f.results = {};
  f.code.clear();
  body(f, results, params);
}

size_t Parser::read_params(const Statement &s, size_t k, std::vector<Param> *params) const {
  int offset = 0, align = 0, size = 0, n = 1;
  Param param;

  for (++k;; ++k) {
    const std::string &word = s.words.at(k);
    if (word == "," || word == ")") {
      if (!param.name.empty()) {
        if (align == 0) align = size;
        param.bytes = size * n;
        param.at = (offset + align - 1) / align * align;
        offset = param.at + param.bytes;
        params->push_back(param);
      }
      param = Param();
      align = size = 0;
      n = 1;
      if (word == ")") return k + 1;
    } else if (word == ".align") {
      align = atoi(s.words.at(++k).c_str());
    } else if (word == "[") {
      n = atoi(s.words.at(++k).c_str());
      ++k;
    } else if (word == ".ptr") {
      continue;
    } else if (word[0] == '.') {
      if (word.size() > 2 && isdigit(static_cast<unsigned char>(word[2]))) size = atoi(word.c_str() + 2) / 8;
      if (word == ".global" || word == ".shared") continue;
    } else {
      param.name = word;
    }
  }
}

void Parser::body(Function &f, const std::vector<Param> &results, const std::vector<Param> &params) {
  Decoder decoder(*module_, f, shared_);
  f.static_end = module_end_;
  if (f.is_entry) {
    f.params = params;
    for (const Param &p : params) f.param_bytes = p.at + p.bytes;
  } else {
    for (const Param &p : results) f.results.push_back(decoder.declare_param(p.name, p.bytes));
    for (const Param &p : params) f.params.push_back(decoder.declare_param(p.name, p.bytes));
  }

  int depth = 0;
  for (++at_;; ++at_) {
    if (at_ >= statements_.size()) fail(module_->file, f.line, "no end of %s", f.name.c_str());
    const Statement &s = statements_[at_];
    if (s.kind == Statement::kOpen) {
      if (depth++ > 0) decoder.open();
    } else if (s.kind == Statement::kClose) {
      if (--depth == 0) break;
      decoder.close();
    } else if (s.kind == Statement::kLabel) {
      decoder.label(s);
    } else {
      statement(f, decoder, s);
    }
  }
  decoder.finish();
}

void Parser::statement(Function &f, Decoder &decoder, const Statement &s) {
  const std::string &first = s.words[0];
  if (first == ".reg") return decoder.declare_registers(s);
  if (first == ".pragma") return;

  if (first == ".param" || first == ".shared") {
    std::string name;
    uint32_t align, bytes;
    read_variable(s, &name, &align, &bytes);
    if (first == ".param") {
      decoder.declare_param(name, static_cast<int>(bytes));
    } else {
      if (!f.is_entry) return;
      f.static_end = (f.static_end + align - 1) / align * align;
      decoder.declare_shared(name, f.static_end);
      f.static_end += bytes;
    }
    return;
  }

  if (first[0] == '.') fail_here(s, "this declaration is outside the subset");
  decoder.instruction(s);
}

// Where calls put their arguments: after all functions have been read.
void Parser::link(Function &f) {
  size_t n_calls = 0;
  for (const Instruction &i : f.code) {
    if (!i.callee) continue;
    std::vector<Passed> &passed = f.calls[n_calls++];
    const Function &callee = *i.callee;
    if (!callee.is_defined) continue;
    if (i.has_result != (callee.results.size() == 1) || passed.size() != i.has_result + callee.params.size()) {
      fail(module_->file, i.line, "a call of %s with other parameters", callee.name.c_str());
    }
    for (size_t k = 0; k < passed.size(); ++k) {
      const Param &formal = i.has_result && k == 0 ? callee.results[0] : callee.params[k - i.has_result];
      passed[k].formal = formal.at;
      passed[k].formal_id = formal.id;
    }
  }
}

}  // namespace

std::unique_ptr<Module> read_module(const std::string &file, const std::string &text) {
  return Parser(file, text).run();
}

}  // namespace emu::ptx
