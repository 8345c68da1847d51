# One run at a time in one folder.

LOCK=''

# take_lock FILE: holds it until release_lock. Fails where a living run of this script holds it, and sets LOCK_HOLDER to
# that one's process id. What a killed run left does not count.
take_lock() {
  local tries
  for tries in 1 2 3 4 5; do
    if (set -o noclobber && echo "$$" >"$1") 2>/dev/null; then
      LOCK=$1
      return
    fi
    LOCK_HOLDER=$(cat "$1" 2>/dev/null || true)
    if [ -z "$LOCK_HOLDER" ] && [ "$tries" -lt 5 ]; then
      sleep 0.1
    elif runs_this_script "${LOCK_HOLDER:-0}"; then
      return 1
    else
      rm -f "$1" || fail "Cannot write $1."
    fi
  done
  fail "Cannot write $1."
}

release_lock() {
  [ -z "$LOCK" ] || rm -f "$LOCK"
  LOCK=''
}

# runs_this_script PID: whether that process lives and is this script: its number may have gone to another program.
runs_this_script() {
  [ "$1" -gt 0 ] && kill -0 "$1" 2>/dev/null || return 1
  ! command -v ps >/dev/null || ps -p "$1" -o args= | grep -Eq "(^|[/ ])${0##*/}( |\$)"
}
