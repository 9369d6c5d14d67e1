/* The two kinds of text that a table is read from. */
#ifndef VISE_I_READ_H
#define VISE_I_READ_H

#include "host/table/source.h"
#include "vise/table.h"

VISE_WARN_UNUSED vise_status vise_i_table_read_text(vise_i_source *source, const vise_table_options *options,
                                                    vise_table **out, vise_error *err);
VISE_WARN_UNUSED vise_status vise_i_table_read_libsvm(vise_i_source *source, const vise_table_options *options,
                                                      vise_table **out, vise_error *err);

#endif
