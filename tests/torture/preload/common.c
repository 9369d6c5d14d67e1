#include "common.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>

__asm__(
    ".text\n"
    ".globl t_system_call\n"
    ".hidden t_system_call\n"
    ".type t_system_call, @function\n"
    "t_system_call:\n"
    "  mov %rdi, %rax\n"
    "  mov %rsi, %rdi\n"
    "  mov %rdx, %rsi\n"
    "  mov %rcx, %rdx\n"
    "  mov %r8, %r10\n"
    "  mov %r9, %r8\n"
    "  mov 8(%rsp), %r9\n"
    "  syscall\n"
    ".globl t_after_system_call\n"
    ".hidden t_after_system_call\n"
    "t_after_system_call:\n"
    "  ret\n"
    ".size t_system_call, . - t_system_call\n");

long t_setting(const char *name) {
  const char *text = getenv(name);
  return text == NULL ? 0 : strtol(text, NULL, 10);
}

void t_report_open(void) {
  const char *path = getenv("TORTURE_REPORT");
  if (path == NULL) return;
  const long fd =
      t_system_call(SYS_openat, AT_FDCWD, (long)path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666, 0, 0);
  if (fd < 0 || fd == T_REPORT_FD) return;
  (void)t_system_call(SYS_dup3, fd, T_REPORT_FD, O_CLOEXEC, 0, 0, 0);
  (void)t_system_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

void t_line_text(t_line *line, const char *text) {
  while (*text != '\0' && line->n + 1 < sizeof line->text) line->text[line->n++] = *text++;
}

void t_line_number(t_line *line, unsigned long number, unsigned base) {
  char digits[32];
  size_t n = sizeof digits;
  digits[--n] = '\0';
  do {
    digits[--n] = "0123456789abcdef"[number % base];
    number /= base;
  } while (number > 0);
  t_line_text(line, digits + n);
}

void t_line_end(t_line *line) {
  line->text[line->n++] = '\n'; /* t_line_text left room */
  (void)t_system_call(SYS_write, T_REPORT_FD, (long)line->text, (long)line->n, 0, 0, 0);
  line->n = 0;
}
