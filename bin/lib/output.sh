# What people read: named steps with their times, errors, process names before lines.

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  BOLD=$'\033[1m' RED=$'\033[31m' PLAIN=$'\033[0m'
  COLOURS=($'\033[36m' $'\033[33m' $'\033[32m' $'\033[35m' $'\033[34m')
else
  BOLD='' RED='' PLAIN=''
  COLOURS=('')
fi

say() { printf '%s\n' "$*"; }

# fail MESSAGE…: says what is wrong, one argument a line, and ends the script.
fail() {
  printf '%s\n' "${RED}error:${PLAIN} $1" "${@:2}" >&2
  exit 1
}

# step NAME COMMAND…: says the name, runs the command, says how long it took.
step() {
  local name=$1 since=$SECONDS code=0
  shift
  say "${BOLD}== $name${PLAIN}"
  "$@" || code=$?
  [ "$code" -eq 0 ] || return "$code"
  say "   $name: $((SECONDS - since)) s"
}

# prefix_lines NAME NUMBER: copies its input, each line after the coloured name. Signals do not end it: it has to
# show the last words of the process that they end.
prefix_lines() {
  trap '' INT TERM HUP
  local line label
  label="${COLOURS[$2 % ${#COLOURS[@]}]}$(printf '%-8s|' "$1")${PLAIN}"
  while IFS= read -r line || [ -n "$line" ]; do
    printf '%s %s\n' "$label" "$line"
  done
}
