# shellcheck shell=bash
# Completes the commands and options of subflowd(8) and, from the daemon, the names of clients and paths.
# /usr/share/bash-completion/completions/subflowd is this file.

_subflowd() {
  local cur=${COMP_WORDS[COMP_CWORD]} cword=$COMP_CWORD words=("${COMP_WORDS[@]}") word before
  # Addresses contain the characters : and =, at which bash divides words.
  declare -F _get_comp_words_by_ref >/dev/null && _get_comp_words_by_ref -n := cur words cword
  before=${cur%"${cur##*[:=]}"}
  local given=("${words[@]:1:cword}")
  # as the shell will pass them: without quotes
  given=("${given[@]//[\"\'\\]/}")
  COMPREPLY=()
  while IFS= read -r word; do
    if [[ $word == :file ]]; then
      compopt -o default
      continue
    fi
    # Within quotes, bash itself quotes.
    [[ $cur == [\"\']* ]] || printf -v word %q "$word"
    COMPREPLY+=("${word#"$before"}")
  done < <("${words[0]}" complete -- "${given[@]}" 2>/dev/null </dev/null)
}
complete -F _subflowd subflowd
