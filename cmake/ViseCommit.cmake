# cmake -DSOURCE=folder -DOUT=header -P ViseCommit.cmake: writes VISE_COMMIT_TEXT, the commit that SOURCE is at (with
# -dirty where it has changes), into a header; nothing where SOURCE is not a repository of its own, as in an archive. The
# header stays untouched when it says that already.
set(commit)
find_program(git git)
if(git)
  execute_process(COMMAND ${git} -C ${SOURCE} rev-parse --show-toplevel OUTPUT_VARIABLE top ERROR_QUIET
    OUTPUT_STRIP_TRAILING_WHITESPACE)
  file(REAL_PATH ${SOURCE} source)
  if(top STREQUAL source)
    execute_process(COMMAND ${git} -C ${SOURCE} describe --always --dirty --abbrev=12 --exclude * OUTPUT_VARIABLE commit
      ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
endif()
if(commit MATCHES "^[0-9a-f]+(-dirty)?$")
  file(CONFIGURE OUTPUT ${OUT} CONTENT "#define VISE_COMMIT_TEXT \"${commit}\"\n")
else()
  file(CONFIGURE OUTPUT ${OUT} CONTENT "/* The commit is not known. */\n")
endif()
