// Figures of steps in a file, which changes are held against.
#pragma once
#include <string>
#include <vector>

#include "tests/ptx/parts.h"

bool write_figures(const std::string &path, const std::vector<StepTable> &tables);

// Prints what is dearer than in the file, by more than two hundredths. Returns an exit status: 77 where the file is that
// of another compiler.
int check_figures(const std::string &path, const std::vector<StepTable> &tables);
