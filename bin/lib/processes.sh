# Starting processes so that every one of them can be ended again, whatever happens.
#
# Each runs in a process group of its own. Ctrl-C in a terminal therefore reaches the script alone, which ends the
# others in order, each with all its children. A guard does it when the script itself is killed.

# The groups that run, the latest first, with a space on both sides of each.
RUNNING=' '

# begin_processes: starts the guard, whose process id it sets GUARD to. Has to come before the first `start`.
begin_processes() {
  local fifo
  fifo=$(mktemp -u "${TMPDIR:-/tmp}/guard.XXXXXX")
  mkfifo -m 600 "$fifo"
  set -m
  guard <"$fifo" >/dev/null 2>&1 &
  set +m
  # shellcheck disable=SC2034 # take_lock is told
  GUARD=$!
  exec 9>"$fifo"
  rm -f "$fifo"
}

# guard: hears which process groups there are. Its input ends when the script is gone; then it ends those that are left.
guard() {
  trap '' INT TERM HUP
  trap - EXIT
  local verb group
  while read -r verb group; do
    note_"$verb" "$group"
  done
  for group in $RUNNING; do
    signal_group "$group" TERM
    await_end "$group" 10
  done
}

note_started() { RUNNING=" $1$RUNNING"; }
note_ended() { RUNNING=${RUNNING/ $1 / }; }

# start COMMAND…: runs it in the background in a group of its own, without input. Sets STARTED to the group's id, which
# is also the id of its first process.
start() {
  set -m
  "$@" </dev/null 9>&- &
  set +m
  STARTED=$!
  note_started "$STARTED"
  echo "started $STARTED" >&9
}

alive() { kill -0 "$1" 2>/dev/null; }

# command_of PID: prints what that process runs, with its arguments. Not every Linux has ps, nor every system /proc.
command_of() {
  if [ -r "/proc/$1/cmdline" ]; then
    tr '\0' ' ' <"/proc/$1/cmdline"
  else
    ps -p "$1" -o args=
  fi
}

# signal_group GROUP SIGNAL
signal_group() { kill -s "$2" -- "-$1" 2>/dev/null || true; }

# await_end GROUP SECONDS: waits for the end of all its processes; past that time it kills what is left.
await_end() {
  local tries=$(($2 * 20))
  while kill -0 -- "-$1" 2>/dev/null; do
    if [ "$tries" -le 0 ]; then
      signal_group "$1" KILL
      return
    fi
    tries=$((tries - 1))
    sleep 0.05
  done
}

# stop GROUP SIGNAL SECONDS: ends a group that `start` began.
stop() {
  signal_group "$1" "$2"
  reap "$1" "$3"
}

# reap GROUP SECONDS: the same for a group that has its signal already: a second one may mean "at once".
reap() {
  await_end "$1" "$2"
  wait "$1" 2>/dev/null || true
  note_ended "$1"
  echo "ended $1" >&9
}

# stop_all: ends everything, the latest first.
stop_all() {
  local group
  for group in $RUNNING; do
    stop "$group" TERM 15
  done
}

# run COMMAND…: runs it to its end, in a group like `start`, so that a signal to the script interrupts it. Returns its
# exit code.
run() {
  local group code=0
  start "$@"
  group=$STARTED
  wait "$group" || code=$?
  stop "$group" TERM 5
  return "$code"
}
