/*
 * Pages of HTML that need nothing but themselves: no network, no script but the one that sorts tables, and nothing that
 * comes from data is markup. A page is a stream in memory.
 *   html_page.c     texts, numbers, head and foot, the file
 *   html_style.c    how it looks, and the script
 *   html_scale.c    scales of charts and their ticks
 *   html_svg.c      charts: texts, lines, axes
 *   html_repeat.c   the options that make the same again
 */
#ifndef VISE_I_CLI_HTML_H
#define VISE_I_CLI_HTML_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "vise/status.h"

/* ---- texts ---- */

/* Writes text so that all of it is shown and none of it is markup, within elements and quoted attributes; bytes that are
   not UTF-8, and control characters, become replacement characters. */
void vise_i_cli_html_text(FILE *page, const char *text);
/* At most so many characters of it, and an ellipsis where there are more. */
void vise_i_cli_html_short(FILE *page, const char *text, size_t most);
/* A JSON value as text: a string as it is, what is not UTF-8 as its bytes, null as "off". */
void vise_i_cli_html_json(FILE *page, const json_t *value, size_t most);

/* "0.0012", "1.5e-7"; "-" for NaN, "not finite" for infinities. Returns buffer. */
enum { VISE_I_CLI_NUMBER_BYTES = 40 };
const char *vise_i_cli_html_number(double value, int digits, char buffer[VISE_I_CLI_NUMBER_BYTES]);
/* A share of 1 as "12.3 %"; "-" for NaN. */
const char *vise_i_cli_html_share(double value, char buffer[VISE_I_CLI_NUMBER_BYTES]);

/* ---- the page ---- */

/* Everything up to the first section; kind: what the page is, over its title. */
void vise_i_cli_html_begin(FILE *page, const char *kind, const char *title);
/* Ends the section before it, if there is one, and begins another. */
void vise_i_cli_html_section(FILE *page, const char *id, const char *title);
void vise_i_cli_html_end(FILE *page);

extern const char vise_i_cli_html_style[], vise_i_cli_html_script[], vise_i_cli_html_script_hash[];

/* ---- figures ---- */

/* Draws a chart of that many units' width. */
typedef void vise_i_cli_drawing(FILE *page, const void *of, double width);

enum { VISE_I_CLI_NARROW = 340 }; /* as wide as a phone */

typedef struct vise_i_cli_figure {
  const char *title, *about; /* about: a line under it, which may be NULL; both are texts */
  vise_i_cli_drawing *draw;
  const void *of;
  double width; /* on a wide screen; on a narrow one it is VISE_I_CLI_NARROW */
} vise_i_cli_figure;

void vise_i_cli_html_figure(FILE *page, const vise_i_cli_figure *figure);

/* ---- scales ---- */

/* From numbers to places: lo lies at `from`, hi at `to`. */
typedef struct vise_i_cli_scale {
  double lo, hi, from, to;
  bool is_log;
} vise_i_cli_scale;

enum { VISE_I_CLI_MOST_TICKS = 24, VISE_I_CLI_TICK_BYTES = 16 };

typedef struct vise_i_cli_ticks {
  size_t n;
  double at[VISE_I_CLI_MOST_TICKS];
  char texts[VISE_I_CLI_MOST_TICKS][VISE_I_CLI_TICK_BYTES];
} vise_i_cli_ticks;

/* Whether lo to hi is better shown by its decades. */
bool vise_i_cli_scale_spans(double lo, double hi);
/* A scale that has room around lo to hi, finite numbers; by decades where they span some and all are positive. */
vise_i_cli_scale vise_i_cli_scale_around(double lo, double hi);
double vise_i_cli_scale_at(const vise_i_cli_scale *scale, double value);
/* Some round numbers, about `wanted` of them. */
void vise_i_cli_scale_ticks(const vise_i_cli_scale *scale, size_t wanted, vise_i_cli_ticks *out);
/* A number as ticks have it: "1e-4". */
void vise_i_cli_tick_text(double value, char text[VISE_I_CLI_TICK_BYTES]);

/* ---- charts ---- */

/* About how wide a text is, in the type of charts. */
double vise_i_cli_svg_width(size_t n_characters);
size_t vise_i_cli_svg_length(const char *text);

/* label: what a reader who does not see the chart is told; may hold texts of data. */
void vise_i_cli_svg_begin(FILE *page, double width, double height, const char *label);
void vise_i_cli_svg_end(FILE *page);
/* class: how it looks (html_style.c); s, m and e in it say which part of the text is at x. */
void vise_i_cli_svg_text(FILE *page, double x, double y, const char *class_name, const char *text);
/* The text cut to a width, all of it on hovering. */
void vise_i_cli_svg_fitted(FILE *page, double x, double y, double width, const char *text);
void vise_i_cli_svg_line(FILE *page, double x1, double y1, double x2, double y2, const char *class_name);
/* The room that the ticks of a y axis take. */
double vise_i_cli_svg_room(const vise_i_cli_ticks *ticks);
/* Lines across and their numbers at the left of x1; name stands over them. */
void vise_i_cli_svg_y_axis(FILE *page, const vise_i_cli_scale *y, double x1, double x2, const char *name);
/* Numbers below y, as many as have room, and the name under them. */
void vise_i_cli_svg_x_axis(FILE *page, const vise_i_cli_scale *x, double y, const char *name);

/* ---- options ---- */

/* A command line of these options (an object of names and values), each on a line of its own, as a shell takes it;
   `more` is written after it as it is, or NULL. */
void vise_i_cli_html_command(FILE *page, const char *command, const json_t *options, const char *more);

#endif
