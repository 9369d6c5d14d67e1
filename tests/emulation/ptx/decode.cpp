#include "decode.h"

#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <unordered_map>

#include "warp.h"

namespace emu::ptx {

namespace {

const std::unordered_multimap<std::string, const Spec *> &table() {
  static const auto *const all = [] {
    auto *map = new std::unordered_multimap<std::string, const Spec *>();
    for (const auto *specs : {&kIntegerSpecs, &kFloatSpecs, &kComparisonSpecs, &kConversionSpecs, &kWarpSpecs}) {
      for (const Spec &spec : *specs) map->emplace(spec.name, &spec);
    }
    return map;
  }();
  return *all;
}

int width_of(char letter) {
  switch (letter) {
    case 'h':
      return 2;
    case 'r':
      return 4;
    case 'l':
      return 8;
    case 'q':
      return 16;
    default:
      return 0;
  }
}

std::vector<std::string> split(const std::string &name) {
  std::vector<std::string> parts(1);
  for (char c : name) {
    if (c == '.')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

}  // namespace

void Decoder::fail(const char *format, ...) const {
  va_list arguments;
  va_start(arguments, format);
  const std::string text = format_arguments(format, arguments);
  va_end(arguments);
  ptx::fail(module_.file, line_, "%s", text.c_str());
}

// ---- names ---------------------------------------------------------------------------------------------------------

int Decoder::reserve(int bytes) {
  const size_t at = function_.frame_bytes;
  function_.frame_bytes += static_cast<size_t>(bytes + 63) / 64 * 64;
  return static_cast<int>(at);
}

void Decoder::declare_register(const std::string &name, int width, int line) {
  line_ = line;
  if (function_.n_registers > INT16_MAX - 1) fail("more than %d registers", INT16_MAX);
  scopes_.back().registers[name] = {width, reserve(width ? width * kLanes : 4), function_.n_registers++};
}

// .reg .b32 %r<35>; or .reg .b32 a, b;
void Decoder::declare_registers(const Statement &s) {
  line_ = s.line;
  static const std::map<std::string, int> widths = {{".pred", 0}, {".b16", 2}, {".u16", 2}, {".s16", 2}, {".b32", 4},
                                                    {".u32", 4},  {".s32", 4}, {".f32", 4}, {".b64", 8}, {".u64", 8},
                                                    {".s64", 8},  {".f64", 8}, {".b8", 2},  {".u8", 2},  {".b128", 16}};
  const auto found = widths.find(s.words.at(1));
  if (found == widths.end()) fail("registers of type %s are outside the subset", s.words[1].c_str());

  for (size_t k = 2; k < s.words.size(); ++k) {
    const std::string &name = s.words[k];
    if (name == ",") continue;
    if (k + 3 < s.words.size() && s.words[k + 1] == "<") {
      const int n = atoi(s.words[k + 2].c_str());
      for (int r = 0; r < n; ++r) declare_register(name + std::to_string(r), found->second, s.line);
      k += 3;
    } else {
      declare_register(name, found->second, s.line);
    }
  }
}

Param Decoder::declare_param(const std::string &name, int bytes) {
  Param param;
  param.name = name;
  param.bytes = bytes;
  param.at = reserve((bytes + 3) / 4 * 4 * kLanes);
  param.id = static_cast<int16_t>(function_.n_registers++);
  scopes_.back().params[name] = param;
  return param;
}

const Decoder::Register *Decoder::find(const std::string &word) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    const auto found = scope->registers.find(word);
    if (found != scope->registers.end()) return &found->second;
  }
  return nullptr;
}

bool Decoder::is_register(const std::string &word, int *width) const {
  const Register *found = find(word);
  if (found) *width = found->width;
  return found;
}

bool Decoder::find_param(const std::string &name, Param *param) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    const auto found = scope->params.find(name);
    if (found == scope->params.end()) continue;
    *param = found->second;
    return true;
  }

  return false;
}

// ---- operands ------------------------------------------------------------------------------------------------------

int64_t Decoder::integer(const std::string &word) const {
  char *end;
  const bool negative = word[0] == '-';
  const auto value = static_cast<int64_t>(strtoull(word.c_str() + negative, &end, 0));
  if (*end && strcmp(end, "U")) fail("'%s' is no whole number", word.c_str());
  return negative ? -value : value;
}

bool Decoder::value_of(const std::string &word, int width, uint64_t *value) const {
  if (word[0] == '0' && word.size() > 2 && strchr("fFdD", word[1])) {
    const bool wide = word[1] == 'd' || word[1] == 'D';
    if (width != (wide ? 8 : 4)) fail("%s in an operand of %d bytes", word.c_str(), width);
    *value = strtoull(word.c_str() + 2, nullptr, 16);
    return true;
  }

  if (word[0] == '-' || (word[0] >= '0' && word[0] <= '9')) {
    *value = static_cast<uint64_t>(integer(word));
    return true;
  }

  for (const auto *names : {&own_shared_, const_cast<const std::map<std::string, uint32_t> *>(&shared_)}) {
    const auto found = names->find(word);
    if (found == names->end()) continue;
    *value = found->second;
    return true;
  }

  for (const Param &param : function_.params) {
    if (!function_.is_entry || param.name != word) continue;
    *value = static_cast<uint64_t>(param.at);
    return true;
  }
  return false;
}

Operand Decoder::constant(uint64_t value, int width) {
  std::vector<unsigned char> bytes(width == 0 ? 4 : static_cast<size_t>(width) * kLanes);
  if (width == 0) {
    const Mask mask = value ? kAll : 0;
    memcpy(bytes.data(), &mask, 4);
  } else if (width > 8) {
    fail("a constant of %d bytes", width);
  } else {
    for (size_t l = 0; l < kLanes; ++l) {
      memcpy(bytes.data() + l * static_cast<size_t>(width), &value, static_cast<size_t>(width));
    }
  }

  // The arrays are few: most numbers occur often.
  Operand o;
  for (const auto &known : function_.constants) {
    if (known == bytes) o.constant = known.data();
  }
  if (!o.constant) {
    function_.constants.push_back(std::move(bytes));
    o.constant = function_.constants.back().data();
  }
  return o;
}

Operand Decoder::operand(const std::string &word, int width, bool any_width, int *found_width) {
  if (const Register *found = find(word)) {
    if (found->width != width && !any_width) {
      fail("%s has %d bytes, the instruction wants %d", word.c_str(), found->width, width);
    }
    if (found_width) *found_width = found->width;
    Operand o;
    o.at = found->at;
    o.id = static_cast<int16_t>(found->id);
    return o;
  }

  uint64_t value;
  if (!value_of(word, width, &value)) fail("'%s' is not known", word.c_str());
  if (found_width) *found_width = width;
  return constant(value, width);
}

void Decoder::add(Instruction *i, const Operand &o, bool is_out) {
  if (i->n == kOperands) fail("too many operands");
  if (is_out && o.constant) fail("a constant cannot be written");
  i->o[i->n++] = o;
  i->n_out = static_cast<uint8_t>(i->n_out + is_out);
}

void Decoder::address(const Written &written, Instruction *i) {
  if (written.kind != Written::kAddress) fail("an address is expected");
  const std::string &base = written.words.at(0);
  i->offset = written.offset;
  int width = 4;
  if (is_register(base, &width) && width != 4 && width != 8) fail("an address of %d bytes", width);
  Operand o = operand(base, width);
  o.wide = width == 8;
  add(i, o, false);
}

// ---- instructions ----------------------------------------------------------------------------------------------------

namespace {

// Splits what follows the name into operands.
std::vector<Written> read_operands(const std::vector<std::string> &words, size_t at, const Decoder &d) {
  std::vector<Written> written;
  while (at < words.size()) {
    Written one;
    const std::string &word = words[at];
    if (word == "," || word == "|") {
      ++at;
      continue;
    }

    if (word == "[") {
      one.kind = Written::kAddress;
      for (++at; at < words.size() && words[at] != "]"; ++at) {
        if (words[at] == "+") continue;
        if (words[at] == "-") {
          one.offset -= d.integer(words.at(++at));
        } else if (!one.words.empty()) {
          one.offset += d.integer(words[at]);
        } else {
          one.words.push_back(words[at]);
        }
      }
      ++at;
    } else if (word == "{" || word == "(") {
      one.kind = Written::kList;
      for (++at; at < words.size() && words[at] != "}" && words[at] != ")"; ++at) {
        if (words[at] != ",") one.words.push_back(words[at]);
      }
      ++at;
    } else if (word == "-") {
      one.words.push_back("-" + words.at(at + 1));
      at += 2;
    } else {
      one.words.push_back(word);
      ++at;
    }
    written.push_back(one);
  }
  return written;
}

}  // namespace

bool Decoder::from_table(const std::string &name, const std::vector<Written> &written, Instruction *i) {
  std::vector<std::string> words;
  for (const Written &one : written) {
    if (one.kind == Written::kAddress) return false;
    words.insert(words.end(), one.words.begin(), one.words.end());
  }

  // Of several forms, that whose registers fit.
  const auto range = table().equal_range(name);
  for (auto spec = range.first; spec != range.second; ++spec) {
    const std::string signature = spec->second->signature;
    const size_t n_out = signature.find('='), n = signature.size() - 1;
    if (n != words.size()) continue;

    bool fits = true;
    for (size_t k = 0; k < n && std::distance(range.first, range.second) > 1; ++k) {
      int width;
      if (is_register(words[k], &width)) fits = fits && width == width_of(signature[k < n_out ? k : k + 1]);
    }
    if (!fits) continue;

    for (size_t k = 0; k < n; ++k) {
      add(i, operand(words[k], width_of(signature[k < n_out ? k : k + 1])), k < n_out);
    }
    i->run = spec->second->run;
    i->cls = spec->second->cls;
    i->slots = spec->second->slots;
    i->latency = spec->second->latency;
    i->is_double = i->cls == Class::kFloat64 || (i->cls == Class::kDivision && name.find("f64") != std::string::npos);
    return true;
  }
  return false;
}

void Decoder::decode(const std::string &name, const std::vector<Written> &written, Instruction *i) {
  const std::vector<std::string> parts = split(name);
  if (decode_special(*this, parts, written, i) || from_table(name, written, i)) return;
  i->n = i->n_out = 0;
  for (const auto try_decode : {decode_control, decode_memory, decode_atomic, decode_async}) {
    if (try_decode(*this, parts, written, i)) return;
    i->n = i->n_out = 0;
  }
  fail("%s is outside the subset that is interpreted", name.c_str());
}

void Decoder::instruction(const Statement &s) {
  line_ = s.line;
  Instruction i;
  i.line = s.line;
  size_t at = 0;

  if (s.words[at] == "@") {
    ++at;
    if (s.words.at(at) == "!") i.guard_not = true, ++at;
    const Operand guard = operand(s.words.at(at++), 0);
    if (guard.at < 0) fail("a guard that is no register");
    i.guard = guard.at;
    i.guard_id = guard.id;
  }

  i.name = s.words.at(at++);
  try {
    decode(i.name, read_operands(s.words, at, *this), &i);
  } catch (const Error &error) {
    // An error when it is launched: a module may hold kernels outside the subset.
    if (function_.unsupported.empty()) function_.unsupported = error.what();
    return;
  }
  if (i.run) function_.code.push_back(std::move(i));
}

void Decoder::label(const Statement &s) {
  line_ = s.line;
  if (!labels_.emplace(s.words[0], static_cast<int>(function_.code.size())).second) {
    fail("the label %s is there twice", s.words[0].c_str());
  }
}

int Decoder::target(const std::string &label) {
  branches_.emplace_back(static_cast<int>(function_.code.size()), label);
  return kTheEnd;
}

void end_of_function(Warp &w, const Instruction &i, Mask m);

void Decoder::finish() {
  Instruction end;
  end.run = end_of_function;
  end.cls = Class::kNone;
  end.slots = 0;
  end.name = "end";
  end.line = function_.code.empty() ? function_.line : function_.code.back().line;
  function_.code.push_back(end);

  const int n = static_cast<int>(function_.code.size()) - 1;
  for (const auto &branch : branches_) {
    Instruction &i = function_.code[static_cast<size_t>(branch.first)];
    line_ = i.line;
    const auto found = labels_.find(branch.second);
    if (found == labels_.end()) fail("there is no label %s", branch.second.c_str());
    i.target = found->second;
  }
  for (Instruction &i : function_.code) {
    if (i.target == kTheEnd) i.target = n;
  }
  for (const auto &label : labels_) function_.code[static_cast<size_t>(label.second)].begins_block = true;
  for (int k = 0; k <= n; ++k) {
    Instruction &i = function_.code[static_cast<size_t>(k)];
    i.index = k;
    i.ends_block = i.cls == Class::kBranch || i.cls == Class::kBarrier || polls(i.order) ||
                   i.order == Ordering::kRelease || i.order == Ordering::kBoth || k == n;
  }
  find_reconvergence(function_);
  find_marks();
}

// All warps pass the branch that leads one thread to the clock, or the first of a chain of such branches.
void Decoder::find_marks() {
  auto &code = function_.code;
  for (size_t at = 0; at < code.size(); ++at) {
    if (!code[at].reads_clock) continue;
    size_t mark = at;
    for (size_t k = at; k-- > 0;) {
      const Instruction &i = code[k];
      if (i.target == kNoTarget) continue;
      if (i.guard < 0 || i.target <= static_cast<int>(at) || i.target != i.reconverge) break;
      if (mark != at && code[mark].target != i.target) break;
      mark = k;
    }
    code[mark].marks = true;
  }
}

}  // namespace emu::ptx
