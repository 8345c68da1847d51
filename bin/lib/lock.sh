# One run at a time in one folder.

LOCK=''

# take_lock FILE GUARD: holds it until release_lock. Fails where a living run of this script holds it, and sets
# LOCK_HOLDER to that one's process id. What a killed run left does not count, once its guard has ended everything.
take_lock() {
  local tries guard
  [ -w "$(dirname "$1")" ] || fail "Cannot write in $(dirname "$1")."
  for ((tries = 0; tries < 600; tries++)); do
    if (set -o noclobber && echo "$$ $2" >"$1") 2>/dev/null; then
      LOCK=$1
      return
    fi
    guard='' LOCK_HOLDER=''
    read -r LOCK_HOLDER guard 2>/dev/null <"$1" || true
    ! runs_this_script "$LOCK_HOLDER" || return 1
    if [ -z "$guard" ] || runs_this_script "$guard"; then
      sleep 0.1
    else
      rm -f "$1"
    fi
  done
  fail "Cannot take $1. Remove that file if nothing runs in this folder."
}

release_lock() {
  [ -z "$LOCK" ] || rm -f "$LOCK"
  LOCK=''
}

# runs_this_script PID: whether that process lives and is this script: its number may have gone to another program.
runs_this_script() {
  case " $(command_of "$1" 2>/dev/null) " in
    *[/\ ]"${0##*/} "*) return 0 ;;
    *) return 1 ;;
  esac
}
