#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/cli/characters.h"
#include "host/cli/html.h"
#include "host/cli/message.h"
#include "host/cli/text_json.h"
#include "host/cli/text_stream.h"
#include "host/json/text.h"
#include "vise/vise.h"

/* ---- texts ------------------------------------------------------------------------------------------------------------- */

/* Controls, and numbers that are no characters. */
static bool is_hidden(const unsigned char *text, size_t n) {
  const bool is_none = n == 3 && text[0] == 0xef && text[1] == 0xbf && text[2] >= 0xbe;
  return is_none || vise_i_cli_character_is_control(text, n);
}

static void put_character(FILE *page, const unsigned char *text, size_t n) {
  static const char *const entities[][2] = {
      {"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}};
  for (size_t i = 0; n == 1 && i < sizeof entities / sizeof *entities; i++) {
    if (*text != (unsigned char)entities[i][0][0]) continue;
    (void)fputs(entities[i][1], page);
    return;
  }
  (void)fwrite(text, 1, n, page);
}

void vise_i_cli_html_short(FILE *page, const char *text, size_t most) {
  const unsigned char *at = (const unsigned char *)text;
  const size_t length = vise_i_cli_svg_length(text);
  for (size_t i = 0; *at != '\0'; i++) {
    const size_t n = vise_i_cli_character_at(at);
    if (i + 1 >= most && length > most) {
      (void)fputs("\xe2\x80\xa6", page);
      return;
    }
    if (n == 0 || is_hidden(at, n)) {
      (void)fputs("\xef\xbf\xbd", page);
    } else {
      put_character(page, at, n);
    }
    at += n > 0 ? n : 1;
  }
}

void vise_i_cli_html_text(FILE *page, const char *text) {
  vise_i_cli_html_short(page, text, SIZE_MAX);
}

size_t vise_i_cli_svg_length(const char *text) {
  const unsigned char *at = (const unsigned char *)text;
  size_t length = 0;
  for (; *at != '\0'; length++) {
    const size_t n = vise_i_cli_character_at(at);
    at += n > 0 ? n : 1;
  }
  return length;
}

void vise_i_cli_html_json(FILE *page, const json_t *value, size_t most) {
  char *text = NULL;
  vise_status status = value != NULL && !json_is_null(value) ? vise_i_cli_text_from_json(value, &text) : VISE_OK;
  if (status == VISE_ERR_FORMAT) {
    status = vise_i_json_text(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6), "the report", &text, NULL, NULL);
  }
  if (status != VISE_OK) vise_i_cli_text_lacks(page);
  vise_i_cli_html_short(page, text != NULL ? text : "off", most);
  free(text);
}

/* Exponents without zeros and plus: 1e-05 becomes 1e-5. */
static void tidy(char *text) {
  char *e = strchr(text, 'e');
  if (e == NULL) return;
  char *to = e + 1, *from = e + 1;
  if (*from == '-') to++;
  if (*from == '-' || *from == '+') from++;
  while (*from == '0' && from[1] != '\0') from++;
  memmove(to, from, strlen(from) + 1);
}

const char *vise_i_cli_html_number(double value, int digits, char buffer[VISE_I_CLI_NUMBER_BYTES]) {
  if (isnan(value)) {
    (void)snprintf(buffer, VISE_I_CLI_NUMBER_BYTES, "\xe2\x80\x93");
  } else if (isinf(value)) {
    (void)snprintf(buffer, VISE_I_CLI_NUMBER_BYTES, "not finite");
  } else {
    (void)snprintf(buffer, VISE_I_CLI_NUMBER_BYTES, "%.*g", digits, value);
    tidy(buffer);
  }
  return buffer;
}

const char *vise_i_cli_html_share(double value, char buffer[VISE_I_CLI_NUMBER_BYTES]) {
  if (!isfinite(value)) return vise_i_cli_html_number((double)NAN, 3, buffer);
  (void)snprintf(buffer, VISE_I_CLI_NUMBER_BYTES, value > 0 && value < 0.001 ? "%.1g" : "%.1f", 100 * value);
  tidy(buffer);
  (void)snprintf(buffer + strlen(buffer), VISE_I_CLI_NUMBER_BYTES - strlen(buffer), "\xc2\xa0%%");
  return buffer;
}

void vise_i_cli_tick_text(double value, char text[VISE_I_CLI_TICK_BYTES]) {
  const double size = fabs(value);
  const bool is_short = size >= 1e-3 && size < 1e5;
  char buffer[VISE_I_CLI_NUMBER_BYTES];
  (void)snprintf(buffer, sizeof buffer, is_short || size <= 0 ? "%.4g" : "%.3g", value);
  if (!is_short && size > 0 && strchr(buffer, 'e') == NULL) (void)snprintf(buffer, sizeof buffer, "%.3e", value);

  /* 2.500e-04 becomes 2.5e-4. */
  char *e = strchr(buffer, 'e'), *point = strchr(buffer, '.');
  if (e != NULL && point != NULL && point < e) {
    char *last = e - 1;
    while (*last == '0') last--;
    if (last == point) last--;
    memmove(last + 1, e, strlen(e) + 1);
  }
  tidy(buffer);
  (void)snprintf(text, VISE_I_CLI_TICK_BYTES, "%.15s", buffer);
}

/* ---- the page ------------------------------------------------------------------------------------------------------------ */

void vise_i_cli_html_begin(FILE *page, const char *kind, const char *title) {
  (void)fprintf(page,
                "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
                "'unsafe-inline'; script-src 'sha256-%s'; base-uri 'none'; form-action 'none'\">\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                "<meta name=\"color-scheme\" content=\"light dark\">\n"
                "<meta name=\"generator\" content=\"vise %s\">\n<title>",
                vise_i_cli_html_script_hash, vise_version());
  vise_i_cli_html_short(page, title, 120);
  (void)fprintf(
      page, " \xe2\x80\x93 %s</title>\n<style>%s</style>\n</head>\n<body>\n<header>\n<p class=\"kind\">%s</p>\n<h1>",
      kind, vise_i_cli_html_style, kind);
  vise_i_cli_html_short(page, title, 120);
  (void)fputs("</h1>\n", page);
}

void vise_i_cli_html_section(FILE *page, const char *id, const char *title) {
  static const char *const begins = "what";
  (void)fputs(strcmp(id, begins) == 0 ? "</header>\n<main>\n" : "</section>\n", page);
  (void)fprintf(page, "<section id=\"%s\" aria-labelledby=\"%s-title\">\n<h2 id=\"%s-title\">", id, id, id);
  vise_i_cli_html_text(page, title);
  (void)fputs("</h2>\n", page);
}

void vise_i_cli_html_end(FILE *page) {
  (void)fprintf(page,
                "</section>\n</main>\n<footer><p>Written by vise %s. The page is one file and fetches nothing.</p>"
                "</footer>\n<script>%s</script>\n</body>\n</html>\n",
                vise_version(), vise_i_cli_html_script);
}

/* ---- figures ------------------------------------------------------------------------------------------------------------- */

void vise_i_cli_html_figure(FILE *page, const vise_i_cli_figure *figure) {
  (void)fputs("<figure>\n", page);
  if (figure->title != NULL) {
    (void)fputs("<h3>", page);
    vise_i_cli_html_short(page, figure->title, 80);
    (void)fputs("</h3>\n", page);
  }

  if (figure->width <= VISE_I_CLI_NARROW) {
    figure->draw(page, figure->of, VISE_I_CLI_NARROW);
  } else {
    (void)fputs("<div class=\"wide\">", page);
    figure->draw(page, figure->of, figure->width);
    (void)fputs("</div>\n<div class=\"narrow\">", page);
    figure->draw(page, figure->of, VISE_I_CLI_NARROW);
    (void)fputs("</div>\n", page);
  }

  if (figure->about != NULL) {
    (void)fputs("<figcaption>", page);
    vise_i_cli_html_text(page, figure->about);
    (void)fputs("</figcaption>\n", page);
  }
  (void)fputs("</figure>\n", page);
}
