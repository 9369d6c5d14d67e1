#include "host/table/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "host/base/call.h"
#include "host/base/memory.h"
#include "host/base/number.h"
#include "host/base/quote.h"

/* A block of about a megabyte stays in the second-level cache while it is converted. */
enum { BLOCK_BYTES = 1 << 20, BLOCK_ROWS_MIN = 8, BLOCK_ROWS_MAX = 1 << 16, LINE_BYTES = 64, PAGE_BYTES = 4096 };

/* Blocks up to here come from calloc, which is faster; larger ones from mmap, since malloc would keep the memory of a
   block that is freed. */
enum { SMALL_BLOCK_BYTES = 1 << 16 };

vise_status vise_i_table_make(const char *name, size_t n_columns, vise_table **out, vise_error *err) {
  vise_status status = VISE_OK;
  vise_table *table = NULL;

  VISE_TRY(vise_i_alloc_zero(&table, 1, sizeof *table, "a table", err));
  VISE_TRY(vise_i_copy_text(&table->name, name, err));
  VISE_TRY(vise_i_alloc_zero(&table->columns, n_columns, sizeof *table->columns, "columns", err));
  table->n_columns = table->columns_capacity = n_columns;
  vise_i_table_size_blocks(table, SIZE_MAX);

  *out = table;
  table = NULL;

done:
  vise_table_free(table);
  return status;
}

void vise_i_table_size_blocks(vise_table *table, size_t n_rows) {
  const size_t n_columns = table->n_columns > 0 ? table->n_columns : 1;
  size_t rows = BLOCK_BYTES / sizeof(double) / n_columns / BLOCK_ROWS_MIN * BLOCK_ROWS_MIN;
  if (rows < BLOCK_ROWS_MIN) rows = BLOCK_ROWS_MIN;
  if (rows > BLOCK_ROWS_MAX) rows = BLOCK_ROWS_MAX;
  if (rows > n_rows) rows = (n_rows + BLOCK_ROWS_MIN - 1) / BLOCK_ROWS_MIN * BLOCK_ROWS_MIN;
  table->block_rows = rows;
  /* A column of whole pages gets a line more, so that equal rows of neighbours fall into other sets of the cache. */
  table->column_bytes = rows * sizeof(double);
  if (table->column_bytes % PAGE_BYTES == 0) table->column_bytes += LINE_BYTES;
  table->block_bytes = table->column_bytes * n_columns;
}

/* Zeroed memory for a block; NULL: there is none. */
static void *take_block(size_t n_bytes) {
  if (n_bytes <= SMALL_BLOCK_BYTES) return calloc(n_bytes, 1);
  void *memory = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory != MAP_FAILED ? memory : NULL;
}

static void give_block(void *memory, size_t n_bytes) {
  if (n_bytes <= SMALL_BLOCK_BYTES) {
    free(memory);
  } else if (memory != NULL) {
    munmap(memory, n_bytes);
  }
}

/* The block at memory with another size, which holds what it held; NULL: there is no memory, and it is as it was. */
static void *resize_block(void *memory, size_t old_bytes, size_t n_bytes) {
  if (old_bytes > SMALL_BLOCK_BYTES && n_bytes > SMALL_BLOCK_BYTES) {
    void *moved = mremap(memory, old_bytes, n_bytes, MREMAP_MAYMOVE);
    return moved != MAP_FAILED ? moved : NULL;
  }

  void *made = take_block(n_bytes);
  if (made == NULL) return NULL;
  memcpy(made, memory, old_bytes < n_bytes ? old_bytes : n_bytes);
  give_block(memory, old_bytes);
  return made;
}

vise_status vise_i_table_add_block(vise_table *table, vise_error *err) {
  const vise_status status = vise_i_grow(&table->blocks, &table->blocks_capacity, table->n_blocks + 1,
                                         sizeof *table->blocks, table->name, err);
  if (status != VISE_OK) return status;

  void *memory = take_block(table->block_bytes);
  if (memory == NULL) return vise_i_fail_memory(err, table->block_bytes, table->name);
  table->blocks[table->n_blocks++] = (vise_i_block){.memory = memory};
  return VISE_OK;
}

vise_status vise_i_table_resize_blocks(vise_table *table, size_t n_blocks, size_t block_bytes, vise_error *err) {
  const size_t old_bytes = table->block_bytes;
  for (size_t b = 0; b < table->n_blocks; b++) {
    void *memory = resize_block(table->blocks[b].memory, old_bytes, block_bytes);
    if (memory == NULL) return vise_i_fail_memory(err, block_bytes, table->name);
    table->blocks[b].memory = memory;
  }

  table->block_bytes = block_bytes;
  while (table->n_blocks < n_blocks) {
    const vise_status status = vise_i_table_add_block(table, err);
    if (status != VISE_OK) return status;
  }

  return VISE_OK;
}

size_t vise_i_table_n_bytes(const vise_table *table) {
  size_t n_bytes = table->n_blocks * table->block_bytes;
  for (size_t b = 0; b < table->n_blocks; b++) {
    if (table->blocks[b].lines != NULL) n_bytes += table->block_rows * sizeof *table->blocks[b].lines;
  }
  for (size_t c = 0; c < table->n_columns; c++) n_bytes += vise_i_dictionary_n_bytes(&table->columns[c].texts);
  return n_bytes;
}

void vise_i_table_free_block(vise_table *table, size_t b) {
  vise_i_block *block = &table->blocks[b];
  give_block(block->memory, table->block_bytes);
  free(block->lines);
  *block = (vise_i_block){0};
}

void vise_i_table_clear(vise_table *table) {
  for (size_t b = 0; b < table->n_blocks; b++) vise_i_table_free_block(table, b);
  table->n_blocks = 0;
  table->n_rows = 0;
}

void vise_table_free(vise_table *table) {
  if (table == NULL) return;

  vise_i_table_clear(table);
  free(table->blocks);
  for (size_t c = 0; c < table->n_columns; c++) {
    free(table->columns[c].name);
    vise_i_dictionary_free(&table->columns[c].texts);
  }

  free(table->columns);
  vise_i_list_free(&table->notes);
  free(table->strip);
  free(table->na);
  free(table->name);
  free(table);
}

vise_i_span vise_i_table_span(const vise_table *table, size_t b, size_t c) {
  const vise_i_column *column = &table->columns[c];
  const size_t begin = b * table->block_rows, skip = b == 0 ? table->offset : 0;
  const size_t stored = table->n_rows + table->offset;
  size_t end = begin + table->block_rows;
  if (end > stored) end = stored;

  vise_i_span span = {.first_row = begin + skip - table->offset, .n_rows = end - begin - skip};
  if (column->skipped) return span;
  if (column->kind == VISE_COLUMN_TEXT) {
    span.codes = (const uint32_t *)vise_i_table_values(table, b, c) + skip;
  } else {
    span.numbers = (const double *)vise_i_table_values(table, b, c) + skip;
  }
  return span;
}

void vise_i_column_to_numbers(vise_table *table, size_t c, size_t n_rows) {
  vise_i_column *column = &table->columns[c];

  for (size_t b = 0; b * table->block_rows < n_rows; b++) {
    unsigned char *values = vise_i_table_values(table, b, c);
    const size_t rest = n_rows - b * table->block_rows;
    /* From the end: a double takes the place of two codes. */
    for (size_t i = rest < table->block_rows ? rest : table->block_rows; i-- > 0;) {
      uint32_t code;
      double v = NAN;
      memcpy(&code, values + i * sizeof code, sizeof code);
      if (code != VISE_I_GAP) vise_i_number_read(vise_i_dictionary_text(&column->texts, code), '.', &v);
      memcpy(values + i * sizeof v, &v, sizeof v);
    }
  }

  vise_i_dictionary_free(&column->texts);
  column->kind = VISE_COLUMN_NUMBER;
}

void vise_i_column_to_gaps(vise_table *table, size_t c, size_t n_rows) {
  for (size_t b = 0; b * table->block_rows < n_rows; b++) {
    const size_t rest = n_rows - b * table->block_rows;
    memset(vise_i_table_values(table, b, c), 0xff,
           (rest < table->block_rows ? rest : table->block_rows) * sizeof(uint32_t));
  }
  table->columns[c].kind = VISE_COLUMN_TEXT;
}

const char *vise_i_column_text(char buffer[VISE_I_COLUMN_TEXT_BYTES], const vise_table *table, size_t c) {
  char quote[VISE_I_QUOTE_BYTES];
  const char *name = table->columns[c].name;
  if (name == NULL) {
    snprintf(buffer, VISE_I_COLUMN_TEXT_BYTES, "column %zu (from 0)", c);
  } else {
    snprintf(buffer, VISE_I_COLUMN_TEXT_BYTES, "column \"%s\"", vise_i_quote(quote, name, strlen(name)));
  }
  return buffer;
}

const char *vise_i_place_text(char buffer[VISE_I_PLACE_BYTES], const vise_table *table, size_t row, size_t c) {
  char column[VISE_I_COLUMN_TEXT_BYTES];
  const size_t line = vise_table_line(table, row);
  vise_i_column_text(column, table, c);
  if (line > 0) {
    snprintf(buffer, VISE_I_PLACE_BYTES, "%s:%zu: %s", table->name, line, column);
  } else {
    snprintf(buffer, VISE_I_PLACE_BYTES, "%s: row %zu (from 0): %s", table->name, row, column);
  }
  return buffer;
}

/* ---- what callers may ask ------------------------------------------------------------------------------------- */

size_t vise_table_n_rows(const vise_table *table) {
  return table == NULL ? 0 : table->n_rows;
}

size_t vise_table_n_columns(const vise_table *table) {
  return table == NULL ? 0 : table->n_columns;
}

const char *vise_table_name(const vise_table *table) {
  return table == NULL ? "" : table->name;
}

bool vise_table_has_names(const vise_table *table) {
  return table != NULL && table->has_names;
}

const char *vise_table_column_name(const vise_table *table, size_t column) {
  return table == NULL || column >= table->n_columns ? NULL : table->columns[column].name;
}

vise_column_kind vise_table_column_kind(const vise_table *table, size_t column) {
  return table == NULL || column >= table->n_columns ? VISE_COLUMN_NUMBER : table->columns[column].kind;
}

char vise_table_delimiter(const vise_table *table) {
  return table == NULL ? '\0' : table->delimiter;
}

size_t vise_table_line(const vise_table *table, size_t row) {
  if (table == NULL || row >= table->n_rows) return 0;
  const size_t stored = row + table->offset, b = stored / table->block_rows, i = stored % table->block_rows;
  if (b >= table->n_blocks || table->blocks[b].first_line == 0) return 0;
  return table->blocks[b].first_line + (table->blocks[b].lines != NULL ? table->blocks[b].lines[i] : i);
}

size_t vise_table_n_notes(const vise_table *table) {
  return table == NULL ? 0 : table->notes.n;
}

const char *vise_table_note(const vise_table *table, size_t i) {
  return table == NULL || i >= table->notes.n ? NULL : table->notes.items[i];
}

static vise_status check_field(const vise_table *table, size_t row, size_t column, bool text, vise_error *err) {
  if (row >= table->n_rows || column >= table->n_columns) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: row %zu, column %zu; it has %zu rows and %zu columns", table->name,
                       row, column, table->n_rows, table->n_columns);
  }
  if (table->used_up) return vise_i_fail(err, VISE_ERR_STATE, "%s: the table was used up", table->name);
  if ((table->columns[column].kind == VISE_COLUMN_TEXT) != text) {
    return vise_i_fail(err, VISE_ERR_USAGE, "%s: column %zu is of the kind %s", table->name, column,
                       vise_column_kind_name(table->columns[column].kind));
  }
  return VISE_OK;
}

vise_status vise_table_number(const vise_table *table, size_t row, size_t column, double *out, vise_error *err) {
  VISE_ENTER(err, table, out);
  const vise_status status = check_field(table, row, column, false, err);
  if (status != VISE_OK) return status;

  const size_t stored = row + table->offset;
  const vise_i_span span = vise_i_table_span(table, stored / table->block_rows, column);
  *out = span.numbers != NULL ? span.numbers[row - span.first_row] : NAN;
  return VISE_OK;
}

vise_status vise_table_text(const vise_table *table, size_t row, size_t column, const char **out, vise_error *err) {
  VISE_ENTER(err, table, out);
  const vise_status status = check_field(table, row, column, true, err);
  if (status != VISE_OK) return status;

  const size_t stored = row + table->offset;
  const vise_i_span span = vise_i_table_span(table, stored / table->block_rows, column);
  const uint32_t code = span.codes != NULL ? span.codes[row - span.first_row] : VISE_I_GAP;
  *out = code == VISE_I_GAP ? NULL : vise_i_dictionary_text(&table->columns[column].texts, code);
  return VISE_OK;
}
