/* Completions of commands, options, values of enumerations, and files. */
#include <string.h>

#include "host/cli/message.h"
#include "host/cli/reference/reference.h"

/* Calls write for every option of a command. */
static void each_option(FILE *stream, const vise_i_cli_command *command,
                        void (*write)(FILE *stream, const vise_i_cli_command *command, const vise_option *row)) {
  const vise_option *rows[VISE_I_CLI_MAX_OPTIONS];
  const size_t n = vise_i_cli_list_rows(rows);
  for (size_t i = 0; i < n; i++) {
    if ((rows[i]->commands & command->bit) != 0) write(stream, command, rows[i]);
  }
}

/* The words that an option can be followed by, blanks between them; false if there are none. */
static bool words_of(const vise_option *row, char *buffer, size_t n_bytes) {
  char range[256] = "";
  if (row->type == VISE_OPTION_NAME) (void)vise_option_range(row, range, sizeof range);
  if (row->type == VISE_OPTION_YES_NO) (void)snprintf(range, sizeof range, "yes no");
  if (row->type != VISE_OPTION_NAME && row->word != NULL) (void)snprintf(range, sizeof range, "%s", row->word);

  size_t n = 0;
  for (const char *c = range; *c != '\0' && n + 1 < n_bytes; c++) {
    if (*c != ',') buffer[n++] = *c;
  }
  buffer[n] = '\0';
  return n > 0;
}

/* The first phrase of the help, without what shells would take for theirs. */
static void phrase_of(const vise_option *row, char *buffer, size_t n_bytes) {
  vise_i_cli_translate(row->help, VISE_I_CLI_AS_OPTION, buffer, n_bytes);
  buffer[strcspn(buffer, ";")] = '\0';
  for (char *c = buffer; *c != '\0'; c++) {
    if (strchr("'\"`$[]:\\", *c) != NULL) *c = ' ';
  }
}

/* ---- bash ------------------------------------------------------------------------------------------------------- */

static void bash_option(FILE *stream, const vise_i_cli_command *command, const vise_option *row) {
  char contrary[64];
  (void)command;
  (void)vise_option_negated_name(row, contrary, sizeof contrary);
  (void)fprintf(stream, " --%s", row->name);
  if (row->type == VISE_OPTION_FLAG) (void)fprintf(stream, " --%s", contrary);
}

static void bash_values(FILE *stream, const vise_i_cli_command *command, const vise_option *row) {
  char words[256];
  if (row->argument == NULL) return;
  (void)fprintf(stream, "    %s:--%s) ", command->name, row->name);
  if (row->type == VISE_OPTION_PATH) {
    (void)fprintf(stream, "compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;\n");
  } else {
    (void)fprintf(stream, "mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$word\") ;;\n",
                  words_of(row, words, sizeof words) ? words : "");
  }
}

void vise_i_cli_write_bash(FILE *stream) {
  (void)fputs(
      "# bash completion for vise, made from its table of options.\n"
      "_vise() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} options\n"
      "  COMPREPLY=()\n"
      "  if [ \"$word\" = = ]; then word=; fi\n"
      "  if [ \"$before\" = = ]; then before=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
      "    mapfile -t COMPREPLY < <(compgen -W 'help",
      stream);
  for (const vise_i_cli_command *c = vise_i_cli_commands; c->name != NULL; c++) (void)fprintf(stream, " %s", c->name);
  (void)fputs(" --help --version' -- \"$word\")\n    return\n  fi\n\n  case \"$command\" in\n", stream);

  for (const vise_i_cli_command *c = vise_i_cli_commands; c->name != NULL; c++) {
    (void)fprintf(stream, "    %s) options='--help --help-all --version", c->name);
    each_option(stream, c, bash_option);
    (void)fputs("' ;;\n", stream);
  }
  (void)fputs("    help) options='", stream);
  for (const vise_i_cli_command *c = vise_i_cli_commands; c->name != NULL; c++) (void)fprintf(stream, " %s", c->name);
  (void)fputs("' ;;\n    *) return ;;\n  esac\n\n  case \"$command:$before\" in\n", stream);

  for (const vise_i_cli_command *c = vise_i_cli_commands; c->name != NULL; c++) each_option(stream, c, bash_values);
  (void)fputs(
      "    *) mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\") ;;\n"
      "  esac\n}\ncomplete -F _vise vise\n",
      stream);
}

/* ---- zsh -------------------------------------------------------------------------------------------------------- */

static void zsh_option(FILE *stream, const vise_i_cli_command *command, const vise_option *row) {
  char words[256], phrase[1024], contrary[64];
  (void)command;
  phrase_of(row, phrase, sizeof phrase);
  (void)vise_option_negated_name(row, contrary, sizeof contrary);

  if (row->argument == NULL) {
    (void)fprintf(stream, "        '--%s[%s]' '--%s[negates --%s]' \\\n", row->name, phrase, contrary, row->name);
  } else if (row->type == VISE_OPTION_PATH) {
    (void)fprintf(stream, "        '%s--%s=[%s]:file:_files' \\\n",
                  (row->flags & VISE_OPTION_REPEATABLE) != 0 ? "*" : "", row->name, phrase);
  } else {
    (void)fprintf(stream, "        '%s--%s=[%s]:value:(%s)' \\\n",
                  (row->flags & VISE_OPTION_REPEATABLE) != 0 ? "*" : "", row->name, phrase,
                  words_of(row, words, sizeof words) ? words : "");
  }
}

void vise_i_cli_write_zsh(FILE *stream) {
  (void)fputs(
      "#compdef vise\n# zsh completion for vise, made from its table of options.\n_vise() {\n"
      "  local -a commands=(\n    'help:help on a command or an option'\n",
      stream);
  for (const vise_i_cli_command *c = vise_i_cli_commands; c->name != NULL; c++) {
    (void)fprintf(stream, "    '%s:%s'\n", c->name, c->summary);
  }

  (void)fputs(
      "  )\n  if (( CURRENT == 2 )); then\n    _describe command commands\n    return\n  fi\n\n"
      "  local command=$words[2]\n  shift words\n  (( CURRENT-- ))\n  case $command in\n",
      stream);
  for (const vise_i_cli_command *c = vise_i_cli_commands; c->name != NULL; c++) {
    (void)fprintf(stream, "    %s)\n      _arguments \\\n", c->name);
    each_option(stream, c, zsh_option);
    (void)fputs(
        "        '--help[the most used options]' '--help-all[every option]' '--version[the version]'\n"
        "      ;;\n",
        stream);
  }

  (void)fputs("    help) _describe command commands ;;\n  esac\n}\n_vise \"$@\"\n", stream);
}

/* ---- fish ------------------------------------------------------------------------------------------------------- */

static void fish_option(FILE *stream, const vise_i_cli_command *command, const vise_option *row) {
  char words[256], phrase[1024];
  phrase_of(row, phrase, sizeof phrase);
  (void)fprintf(stream, "complete -c vise -n '__fish_seen_subcommand_from %s' -l %s -d '%s'", command->name, row->name,
                phrase);

  if (row->type == VISE_OPTION_PATH) {
    (void)fputs(" -r -F", stream);
  } else if (row->argument != NULL) {
    (void)fputs(" -x", stream);
    if (words_of(row, words, sizeof words)) (void)fprintf(stream, " -a '%s'", words);
  }

  (void)fputc('\n', stream);
}

void vise_i_cli_write_fish(FILE *stream) {
  (void)fputs("# fish completion for vise, made from its table of options.\ncomplete -c vise -f\n", stream);
  for (const vise_i_cli_command *c = vise_i_cli_commands; c->name != NULL; c++) {
    (void)fprintf(stream, "complete -c vise -n __fish_use_subcommand -a %s -d '%s'\n", c->name, c->summary);
    each_option(stream, c, fish_option);
  }
}
