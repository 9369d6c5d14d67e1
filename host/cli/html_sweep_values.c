/* The values that options took, and their places on a chart. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/cli/html_sweep.h"
#include "host/cli/message.h"

enum { MOST_SINGLE = 16, N_BINS = 10, TICKS_OF_VALUES = 9 };

/* A configuration's value, to be sorted. */
typedef struct item {
  const char *text;
  double number; /* NaN: a word */
  size_t config, place;
} item;

/* ---- values -------------------------------------------------------------------------------------------------------------- */

static double number_of(const char *text) {
  char *end;
  const double number = strtod(text, &end);
  return *text == '\0' || *end != '\0' || !isfinite(number) ? (double)NAN : number;
}

static int by_config(const void *a, const void *b) {
  const item *x = a, *y = b;
  return x->config < y->config ? -1 : x->config > y->config;
}

static int by_place(const void *a, const void *b) {
  const item *x = a, *y = b;
  return x->place != y->place ? (x->place < y->place ? -1 : 1) : by_config(a, b);
}

/* What was typed of an option: the list in "name=list"; NULL: it is not known. */
static const char *typed_list(const vise_i_cli_sheet *sheet, const char *name) {
  const json_t *vary = json_object_get(json_object_get(sheet->root, "options"), "vary");
  const size_t n = strlen(name);
  for (size_t i = 0; i < json_array_size(vary); i++) {
    const char *text = json_string_value(json_array_get(vary, i));
    if (text != NULL && strncmp(text, name, n) == 0 && text[n] == '=') return text + n + 1;
  }
  return NULL;
}

/* How many values stand before this one in a list; SIZE_MAX: it is not in it. */
static size_t place_in(const char *list, const char *value) {
  const char separator = list != NULL && strchr(list, ';') != NULL ? ';' : ',';
  const size_t length = strlen(value);
  for (size_t place = 0; list != NULL; place++) {
    const char *end = strchr(list, separator);
    const size_t n = end != NULL ? (size_t)(end - list) : strlen(list);
    if (n == length && strncmp(list, value, n) == 0) return place;
    list = end != NULL ? end + 1 : NULL;
  }
  return SIZE_MAX;
}

/* Words before numbers; equal ones in the order of their configurations. */
static int by_value(const void *a, const void *b) {
  const item *x = a, *y = b;
  if (isnan(x->number) != isnan(y->number)) return isnan(x->number) ? -1 : 1;
  if (isnan(x->number) && strcmp(x->text, y->text) != 0) return strcmp(x->text, y->text);
  if (x->number < y->number || x->number > y->number) return x->number < y->number ? -1 : 1;
  return by_config(a, b);
}

static bool same_value(const item *a, const item *b) {
  if (isnan(a->number) != isnan(b->number)) return false;
  return isnan(a->number) ? strcmp(a->text, b->text) == 0 : !(a->number < b->number) && !(a->number > b->number);
}

/* The first item of each value, in place; returns how many there are. */
static size_t keep_first(item *items, size_t n) {
  size_t n_kept = 0;
  for (size_t i = 0; i < n; i++) {
    if (n_kept > 0 && same_value(&items[n_kept - 1], &items[i])) continue;
    items[n_kept++] = items[i];
  }
  return n_kept;
}

/* By decades, if the numbers lie more evenly on them. */
static bool is_by_decades(const item *items, size_t n) {
  if (n < 2 || items[0].number <= 0 || items[n - 1].number / 10 < items[0].number * (1 - 1e-9)) return false;
  const double lo = items[0].number, hi = items[n - 1].number;
  double even = 0, decades = 0;
  for (size_t i = 0; i < n; i++) {
    even += (items[i].number - lo) / (hi - lo) / (double)n;
    decades += log(items[i].number / lo) / log(hi / lo) / (double)n;
  }
  return fabs(decades - 0.5) <= fabs(even - 0.5) + 1e-9;
}

static size_t count_words(const item *items, size_t n) {
  size_t n_words = 0;
  while (n_words < n && isnan(items[n_words].number)) n_words++;
  return n_words;
}

/* A 0 before numbers of several sizes is a word: it has no place among decades. */
static void set_zero_apart(item *items, size_t n) {
  const size_t at = count_words(items, n);
  if (at + 2 >= n || items[at].number < 0 || items[at].number > 0) return;
  if (is_by_decades(items + at + 1, n - at - 1)) items[at].number = (double)NAN;
}

static bool list_values(vise_i_cli_varied *varied, const char *typed, item *items, size_t n_items) {
  qsort(items, n_items, sizeof *items, by_value);
  const size_t n = keep_first(items, n_items);
  set_zero_apart(items, n);
  size_t n_words = count_words(items, n);
  varied->is_number = n - n_words >= 2;
  if (!varied->is_number) n_words = n;
  for (size_t i = 0; i < n_words; i++) items[i].place = place_in(typed, items[i].text);
  qsort(items, n_words, sizeof *items, by_place);
  varied->is_log = varied->is_number && is_by_decades(items + n_words, n - n_words);

  varied->values = calloc(n + 1, sizeof *varied->values);
  if (varied->values == NULL) return false;
  varied->n_values = n;
  varied->n_words = n_words;
  for (size_t i = 0; i < n; i++) varied->values[i] = (vise_i_cli_value){items[i].text, items[i].number};
  return true;
}

/* The place of a configuration's value: numbers by halving, words one by one. */
static size_t find_value(const vise_i_cli_varied *varied, const char *text) {
  const double number = number_of(text);
  size_t lo = varied->n_words, hi = varied->n_values;
  while (!isnan(number) && lo + 1 < hi) {
    const size_t middle = (lo + hi) / 2;
    *(varied->values[middle].number <= number ? &lo : &hi) = middle;
  }
  if (!isnan(number) && lo < varied->n_values && !(varied->values[lo].number < number) &&
      !(varied->values[lo].number > number)) {
    return lo;
  }
  for (size_t i = 0; i < varied->n_words; i++) {
    const char *word = varied->values[i].text;
    const double of_word = number_of(word);
    if (strcmp(word, text) == 0 || (!isnan(number) && !isnan(of_word) && !(of_word < number) && !(of_word > number)))
      return i;
  }
  return 0;
}

static void put_in_bins(vise_i_cli_varied *v) {
  const size_t n_numbers = v->n_values - v->n_words;
  v->is_binned = v->is_number && n_numbers > MOST_SINGLE;
  v->n_bins = v->is_binned ? v->n_words + N_BINS : v->n_values;
  vise_i_cli_scale scale = {0, 1, 0, N_BINS, v->is_log};
  if (v->is_binned) {
    scale.lo = v->values[v->n_words].number;
    scale.hi = v->values[v->n_values - 1].number;
  }

  for (size_t i = 0; i < v->n_values; i++) {
    v->bin_of[i] = i;
    if (!v->is_binned || i < v->n_words) continue;
    const double at = floor(vise_i_cli_scale_at(&scale, v->values[i].number));
    v->bin_of[i] = v->n_words + (size_t)fmin(fmax(at, 0), N_BINS - 1);
  }
}

static bool take_values(vise_i_cli_sheet *sheet, vise_i_cli_varied *varied, size_t axis) {
  item *items = calloc(sheet->n_configs, sizeof *items);
  varied->value_of = calloc(sheet->n_configs, sizeof *varied->value_of);
  bool done = items != NULL && varied->value_of != NULL;
  for (size_t i = 0; done && i < sheet->n_configs; i++) {
    const char *text = sheet->rows[i].params[axis];
    items[i] = (item){text, number_of(text), i, 0};
  }
  done = done && list_values(varied, typed_list(sheet, varied->name), items, sheet->n_configs);
  free(items);

  varied->bin_of = done ? calloc(varied->n_values + 1, sizeof *varied->bin_of) : NULL;
  if (varied->bin_of == NULL) return false;
  for (size_t i = 0; i < sheet->n_configs; i++) varied->value_of[i] = find_value(varied, sheet->rows[i].params[axis]);
  put_in_bins(varied);
  return true;
}

/* ---- scores -------------------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static bool find_shades(vise_i_cli_sheet *sheet) {
  double *scores = calloc(sheet->n_configs, sizeof *scores);
  size_t n = 0;
  if (scores == NULL) return false;
  for (size_t i = 0; i < sheet->n_configs; i++) {
    if (isfinite(sheet->rows[i].score)) scores[n++] = sheet->rows[i].score;
  }
  qsort(scores, n, sizeof *scores, by_number);
  if (n > 0) {
    sheet->shade_best = scores[sheet->larger_is_better ? n - 1 : 0];
    sheet->shade_worst = scores[sheet->larger_is_better ? n / 10 : n - 1 - n / 10];
  }
  free(scores);
  return true;
}

vise_status vise_i_cli_sheet_values(vise_i_cli_sheet *sheet, vise_error *err) {
  bool done = find_shades(sheet);
  for (size_t axis = 0; done && axis < sheet->n_varied; axis++) done = take_values(sheet, &sheet->varied[axis], axis);
  return done ? VISE_OK : vise_i_cli_fail(err, VISE_ERR_MEMORY, "out of memory for the report");
}

bool vise_i_cli_sheet_better(const vise_i_cli_sheet *sheet, double a, double b) {
  if (!isfinite(a) || !isfinite(b)) return isfinite(a);
  return sheet->larger_is_better ? a > b : a < b;
}

void vise_i_cli_sheet_best_of(const vise_i_cli_sheet *sheet, const vise_i_cli_varied *varied, size_t *best) {
  for (size_t i = 0; i < varied->n_bins; i++) best[i] = SIZE_MAX;
  for (size_t i = 0; i < sheet->n_configs; i++) {
    const size_t config = sheet->order[i], bin = varied->bin_of[varied->value_of[config]];
    if (best[bin] == SIZE_MAX && isfinite(sheet->rows[config].score)) best[bin] = config;
  }
}

size_t vise_i_cli_sheet_shade(const vise_i_cli_sheet *sheet, double score) {
  const double lo = fmin(sheet->shade_best, sheet->shade_worst), hi = fmax(sheet->shade_best, sheet->shade_worst);
  const vise_i_cli_scale scale = {sheet->shade_best, sheet->shade_worst, 0, VISE_I_CLI_SHADES,
                                  vise_i_cli_scale_spans(lo, hi)};
  if (!isfinite(score)) return VISE_I_CLI_SHADES - 1;
  if (!(hi > lo) || !vise_i_cli_sheet_better(sheet, sheet->shade_best, score)) return 0;
  const double shade = floor(vise_i_cli_scale_at(&scale, score));
  return (size_t)fmin(fmax(shade, 0), VISE_I_CLI_SHADES - 1);
}

void vise_i_cli_sheet_shades(FILE *page, const vise_i_cli_sheet *sheet) {
  char best[VISE_I_CLI_NUMBER_BYTES], worst[VISE_I_CLI_NUMBER_BYTES];
  vise_i_cli_html_number(sheet->shade_best, 3, best);
  vise_i_cli_html_number(sheet->shade_worst, 3, worst);
  (void)fputs("<p class=\"skip\">", page);
  vise_i_cli_html_text(page, sheet->score);
  (void)fprintf(page,
                ": %s <svg class=\"shades\" width=\"140\" height=\"12\" viewBox=\"0 0 140 12\" role=\"img\" "
                "aria-label=\"shades from the best score to the worst\">",
                best);
  for (size_t i = 0; i < VISE_I_CLI_SHADES; i++) {
    (void)fprintf(page, "<rect x=\"%zu\" y=\"0\" width=\"20\" height=\"12\" class=\"q%zu\"/>", i * 20, i);
  }
  (void)fprintf(page, "</svg> %s or worse</p>\n", worst);
}

/* Cuts the text so that it ends with a whole character. */
static void end_whole(char *text) {
  size_t n = strlen(text);
  while (n > 0 && ((unsigned char)text[n - 1] & 0xc0) == 0x80) n--;
  if (n > 0 && (unsigned char)text[n - 1] >= 0xc0) n--;
  text[n] = '\0';
}

void vise_i_cli_sheet_name(const vise_i_cli_sheet *sheet, size_t config, char *buffer, size_t n_bytes) {
  size_t n = 0;
  *buffer = '\0';
  for (size_t i = 0; i < sheet->n_varied && n < n_bytes; i++) {
    n += (size_t)snprintf(buffer + n, n_bytes - n, "%s%s=%s", i > 0 ? " " : "", sheet->varied[i].name,
                          sheet->rows[config].params[i]);
  }
  if (n >= n_bytes) end_whole(buffer);
}

void vise_i_cli_sheet_label(const vise_i_cli_sheet *sheet, size_t config, char *buffer, size_t n_bytes) {
  size_t n = 0;
  *buffer = '\0';
  for (size_t i = 0; i < sheet->n_varied && n < n_bytes; i++) {
    const vise_i_cli_varied *varied = &sheet->varied[i];
    const vise_i_cli_value *value = &varied->values[varied->value_of[config]];
    char number[VISE_I_CLI_NUMBER_BYTES], text[VISE_I_CLI_TICK_BYTES];
    if (varied->n_values < 2) continue;

    (void)snprintf(number, sizeof number, "%.3g", value->number);
    vise_i_cli_tick_text(isnan(value->number) ? 0 : strtod(number, NULL), text);
    n += (size_t)snprintf(buffer + n, n_bytes - n, "%s%s=%s", n > 0 ? " " : "", varied->name,
                          isnan(value->number) ? value->text : text);
  }
  if (n >= n_bytes) end_whole(buffer);
}

/* ---- places -------------------------------------------------------------------------------------------------------------- */

vise_i_cli_places vise_i_cli_places_make(const vise_i_cli_varied *v, double x1, double x2) {
  vise_i_cli_places places = {.is_number = v->is_number, .x1 = x1, .x2 = x2};
  if (!v->is_number) {
    places.word = v->n_values > 1 ? (x2 - x1 - 48) / (double)(v->n_values - 1) : 0;
    places.start = v->n_values > 1 ? x1 + 24 : (x1 + x2) / 2;
    return places;
  }

  places.word = 34;
  places.start = x1 + 10;
  const double from = v->n_words > 0 ? fmin(x1 + 34 * (double)v->n_words + 12, (x1 + x2) / 2) : x1;
  places.scale = (vise_i_cli_scale){v->values[v->n_words].number, v->values[v->n_values - 1].number, from + 10, x2 - 10,
                                    v->is_log};
  return places;
}

double vise_i_cli_place_of(const vise_i_cli_places *places, const vise_i_cli_varied *varied, size_t value) {
  if (!places->is_number || value < varied->n_words) return places->start + places->word * (double)value;
  return vise_i_cli_scale_at(&places->scale, varied->values[value].number);
}

/* Values where they lie, those that have room beside the one before. */
static void value_ticks(FILE *page, const vise_i_cli_places *places, const vise_i_cli_varied *varied, size_t n,
                        double y) {
  double taken = -1e9;
  for (size_t i = 0; i < n; i++) {
    char text[VISE_I_CLI_TICK_BYTES];
    const double number = varied->values[i].number, x = vise_i_cli_place_of(places, varied, i);
    const char *shown = varied->values[i].text;
    if (!isnan(number)) vise_i_cli_tick_text(number, text);
    if (!isnan(number)) shown = text;

    const size_t room = !places->is_number && n > 1 ? (size_t)fmax(places->word / 7, 6) : 24;
    const size_t length = vise_i_cli_svg_length(shown) < room ? vise_i_cli_svg_length(shown) : room;
    const double half = vise_i_cli_svg_width(length) / 2;
    vise_i_cli_svg_line(page, x, y, x, y + 4, "axis");
    const double middle = fmax(fmin(x, places->x2 - half), places->x1 + half);
    if (middle - half < taken + 6) continue;
    (void)fprintf(page, "<text x=\"%.1f\" y=\"%.1f\" class=\"m halo\">", middle, y + 17);
    vise_i_cli_html_short(page, shown, room);
    (void)fputs("</text>\n", page);
    taken = middle + half;
  }
}

void vise_i_cli_places_axis(FILE *page, const vise_i_cli_places *places, const vise_i_cli_varied *varied, double y) {
  const bool by_value = !places->is_number || varied->n_values <= TICKS_OF_VALUES;
  if (by_value) {
    if (places->is_number) vise_i_cli_svg_line(page, places->scale.from - 10, y, places->scale.to + 10, y, "axis");
    value_ticks(page, places, varied, varied->n_values, y);
    return;
  }
  value_ticks(page, places, varied, varied->n_words, y);
  vise_i_cli_svg_x_axis(page, &places->scale, y, NULL);
}
