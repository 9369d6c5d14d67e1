#include "lexer.h"

#include <cctype>
#include <cstdarg>
#include <cstring>

#include "tests/emulation/device/grid.h"

namespace emu::ptx {

void fail(const std::string &file, int line, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const std::string text = format_arguments(format, arguments);
  va_end(arguments);
  throw Error(file + ":" + std::to_string(line) + ": " + text);
}

namespace {

class Lexer {
 public:
  Lexer(const std::string &file, const std::string &text) : file_(file), text_(text) {
  }
  std::vector<Statement> run();

 private:
  static bool in_word(char c);
  char at(size_t i) const;
  void skip_line();
  void skip_space();
  std::string next();
  void end();
  void brace(Statement::Kind kind);
  void take(const std::string &word);
  bool is_function() const;
  void skip_section();

  const std::string &file_, &text_;
  size_t at_ = 0;
  int line_ = 1;
  Statement current_;
  std::vector<Statement> done_;
};

std::vector<Statement> Lexer::run() {
  for (std::string word = next(); !word.empty(); word = next()) take(word);
  if (!current_.words.empty()) fail(file_, current_.line, "no end of '%s'", current_.words[0].c_str());
  return std::move(done_);
}

bool Lexer::in_word(char c) {
  return isalnum(static_cast<unsigned char>(c)) || (c && strchr("_$%.", c));
}

char Lexer::at(size_t i) const {
  return i < text_.size() ? text_[i] : '\0';
}

void Lexer::skip_line() {
  while (at(at_) && at(at_) != '\n') ++at_;
}

void Lexer::skip_space() {
  for (;; ++at_) {
    if (at(at_) == '\n') ++line_;
    if (at(at_) == '/' && at(at_ + 1) == '/') {
      skip_line();
      --at_;
    } else if (!isspace(static_cast<unsigned char>(at(at_)))) {
      return;
    }
  }
}

// A word, a string, or one character of punctuation; "" at the end.
std::string Lexer::next() {
  skip_space();
  const size_t begin = at_;
  if (at(at_) == '"') {
    at_ = text_.find('"', at_ + 1);
    if (at_ == std::string::npos) fail(file_, line_, "a string without an end");
    return text_.substr(begin, ++at_ - begin);
  }

  for (;;) {
    if (in_word(at(at_))) {
      ++at_;
    } else if (at_ > begin && at(at_) == ':' && at(at_ + 1) == ':') {
      at_ += 2;
    } else {
      break;
    }
  }

  if (at_ == begin && at(at_)) ++at_;
  return text_.substr(begin, at_ - begin);
}

void Lexer::end() {
  done_.push_back(std::move(current_));
  current_ = Statement();
}

void Lexer::brace(Statement::Kind kind) {
  current_.kind = kind;
  current_.line = line_;
  end();
}

void Lexer::take(const std::string &word) {
  if (current_.words.empty()) {
    current_.line = line_;
    if (word == "{") return brace(Statement::kOpen);
    if (word == "}") return brace(Statement::kClose);
    if (word == ";") return;
    if (word == ".version" || word == ".target" || word == ".address_size" || word == ".loc" || word == ".file") {
      return skip_line();
    }
    if (word == ".section") return skip_section();
  }

  if (word == ";") return end();
  if (word == ":" && current_.words.size() == 1) {
    current_.kind = Statement::kLabel;
    return end();
  }

  // The head of a function has no semicolon.
  if (word == "{" && is_function()) {
    end();
    return brace(Statement::kOpen);
  }
  current_.words.push_back(word);
}

bool Lexer::is_function() const {
  for (const std::string &word : current_.words) {
    if (word == ".func" || word == ".entry") return true;
  }
  return false;
}

void Lexer::skip_section() {
  at_ = text_.find('}', at_);
  if (at_ == std::string::npos) fail(file_, line_, "a section without an end");
  ++at_;
}

}  // namespace

std::vector<Statement> read_statements(const std::string &file, const std::string &text) {
  return Lexer(file, text).run();
}

}  // namespace emu::ptx
