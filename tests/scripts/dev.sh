#!/usr/bin/env bash
# Tests of bin/dev, from outside: what it says, what it starts, and that nothing is left of it. `bin/test scripts` runs
# this.
set -euo pipefail
cd "$(dirname "$0")/../.."
for library in output network processes packages redis; do
  # shellcheck source=/dev/null
  . "bin/lib/$library.sh"
done

PASSED=0 FAILED=0
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/dev-test.XXXXXX")
# Neither this machine's settings nor its .env count: an empty variable hides the one there.
export HOST='' DATABASE_URL='' REDIS_URL='' APP_ENV='' SMS_PROVIDERS='' TWILIO_SID='' OTP_SECRET='' PROCFILE=''

# check WHAT COMMAND…: counts whether the command succeeds.
check() {
  local what=$1
  shift
  if "$@"; then
    PASSED=$((PASSED + 1))
    say "ok      $what"
  else
    FAILED=$((FAILED + 1))
    say "FAILED  $what"
    [ ! -f "${OUT:-}" ] || sed 's/^/        | /' "$OUT" | tail -n 30
  fi
}

not() { ! "$@"; }
said() { grep -qF -- "$1" "$OUT"; }

# last_lines TEXT: whether bin/dev itself ended with these three, one after the other. The programs' lines have a bar.
last_lines() { [ "$(grep -v ' | ' "$OUT" | tail -n 3 | tr -d '\n')" = "$1" ]; }

# within SECONDS COMMAND…: waits until the command succeeds.
within() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.2
  done
}

# Who runs these tests in the background may have them ignore Ctrl-C, which a shell cannot take back; a terminal never does.
HEEDING_CTRL_C=(env)
env --default-signal=INT true 2>/dev/null && HEEDING_CTRL_C=(env --default-signal=INT)

# begin: starts bin/dev with PORT and DATA_DIR as they are. Sets DEV to its process id, OUT to the file with what it says.
begin() {
  OUT=$(mktemp "$SCRATCH/out.XXXXXX")
  start "${HEEDING_CTRL_C[@]}" bin/dev >"$OUT" 2>&1
  DEV=$STARTED
}

# fresh: another port, another folder.
fresh() {
  PORT=$(free_port)
  DATA_DIR=$(mktemp -d "$SCRATCH/data.XXXXXX")
  export PORT DATA_DIR
}

# admin_answers: whether the admin API answers whoever holds the key that was printed.
admin_answers() {
  local address key
  address=$(sed -nE 's|^Admin API +http://([^/]+)/docs$|\1|p' "$OUT")
  key=$(sed -nE 's|^Admin key +(csa_[a-z2-7]+) .*|\1|p' "$OUT")
  [ -n "$key" ] || return 1
  exec 6<>"/dev/tcp/${address%:*}/${address##*:}" || return 1
  printf 'GET /admin/key HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n' "$address" "$key" >&6
  grep -q '"role":"owner"' <&6
}

is_ready() { within 300 said_or_over 'Ready after' && said 'Ready after'; }
said_or_over() { said "$1" || ! alive "$DEV"; }

# ends_with CODE: whether bin/dev ends within 30 seconds, with that exit code.
ends_with() {
  local code=0
  within 30 not alive "$DEV" || return 1
  wait "$DEV" || code=$?
  note_ended "$DEV"
  [ "$code" -eq "$1" ] || { say "        exit code $code, not $1"; return 1; }
}

# processes: prints the id, the state and the parent of each. Not every Linux has ps, nor every system /proc.
processes() {
  if [ -d /proc/self ]; then
    { cat /proc/[0-9]*/stat 2>/dev/null || true; } | sed -E 's/^([0-9]+) .*\) (.) ([0-9]+) .*/\1 \2 \3/'
  else
    ps -A -o pid= -o stat= -o ppid=
  fi
}

# lives PID: whether it runs. One that has ended, but whose parent has not asked how, does not.
lives() { processes | awk -v pid="$1" '$1 == pid && $2 !~ /^Z/ { found = 1 } END { exit !found }'; }

# descendants PID: prints it and all processes below it.
descendants() {
  processes | awk -v root="$1" '
    { parent[$1] = $3 }
    END { for (pid in parent) for (up = pid; up in parent; up = parent[up]) if (up == root) { print pid; break } }'
}

# all_gone PID…: whether none of them lives any more, within the time that a guard may need.
all_gone() {
  local pid
  [ $# -ge 3 ] || { say "        only $# processes were found"; return 1; }
  for pid in "$@"; do
    within 60 not lives "$pid" || { say "        process $pid lives: $(command_of "$pid")"; return 1; }
  done
}

finish() {
  local code=$?
  set +e
  stop_all
  rm -rf "$SCRATCH"
  exit "$code"
}

test_a_whole_run() {
  local all
  begin
  check "it gets ready" is_ready
  check "its last three lines are where to go" within 10 last_lines "$(printf '%s' \
    "Sign-in page   http://127.0.0.1:$PORT/" \
    "Inbox          http://127.0.0.1:$PORT/dev/inbox (no SMS is sent; each one is shown there, and printed here)" \
    "API reference  http://127.0.0.1:$PORT/docs")"
  check "the sign-in page is there" http_ok 127.0.0.1 "$PORT" /
  check "the inbox is there" http_ok 127.0.0.1 "$PORT" /dev/inbox
  check "each step is told with its time" grep -qE '^   Build: [0-9]+ s$' "$OUT"
  check "the API answers" http_ok 127.0.0.1 "$PORT" /healthz
  check "it says where the admin API is, and a key that opens it" admin_answers
  check "it has started a Redis that keeps what it is told" test -d "$DATA_DIR/redis/appendonlydir"
  check "it has made a SQLite database" test -s "$DATA_DIR/cheershare.db"
  test_beside_a_running_one
  all=$(descendants "$DEV")
  signal_group "$DEV" INT
  check "Ctrl-C ends it, exit code 0" ends_with 0
  # shellcheck disable=SC2086 # one argument a process
  check "no process of it is left" all_gone $all
  check "Redis was not killed, but shut down" grep -q 'bye bye' "$DATA_DIR/redis/redis.log"
  check "the port is free again" not port_taken 127.0.0.1 "$PORT"
}

test_beside_a_running_one() {
  local first=$DEV first_out=$OUT
  begin
  check "a second run in the same folder fails" ends_with 1
  check "and names the first" said "runs in this folder already (process $first)"
  DATA_DIR=$(mktemp -d "$SCRATCH/data.XXXXXX") begin
  check "a run on a taken port fails" ends_with 1
  check "and names the port, and how to change it" said "Port $PORT on 127.0.0.1 is taken"
  check "before it builds anything" not said "== Build"
  DEV=$first OUT=$first_out
  check "the first one is none the worse" http_ok 127.0.0.1 "$PORT" /healthz
}

# The end of bin/dev itself cannot be caught when it is killed: its guard has to do the rest.
test_a_killed_run() {
  local all
  begin
  check "it gets ready again with the same data" is_ready
  all=$(descendants "$DEV")
  kill -KILL "$DEV"
  check "killed, it ends" ends_with 137 2>/dev/null
  begin
  check "the next run waits until everything of a killed one has ended, and gets ready" is_ready
  # shellcheck disable=SC2086 # one argument a process
  check "nothing of a killed run is left" all_gone $all
  check "the data survived it" grep -q 'DB loaded from' "$DATA_DIR/redis/redis.log"
  kill -TERM "$DEV"
  check "SIGTERM ends it, exit code 0" ends_with 0
}

test_own_redis_and_database() {
  start_redis "$SCRATCH/redis"
  fresh
  REDIS_URL=redis://127.0.0.1:$REDIS_PORT DATABASE_URL="sqlite://$SCRATCH/other.db?mode=rwc" SIGN_IN_PAGE=off \
    SMS_PROVIDERS=webhook SMS_WEBHOOK_URL=http://127.0.0.1:1/ SMS_WEBHOOK_SECRET=whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE= begin
  check "it gets ready with REDIS_URL and DATABASE_URL" is_ready
  check "it starts no Redis then" not test -e "$DATA_DIR/redis"
  check "with a real provider it says who sends" within 10 said "SMS are really sent, by webhook"
  check "without a sign-in page it says why" said "none, because SIGN_IN_PAGE"
  check "it uses that database" test -s "$SCRATCH/other.db"
  check "and no other" not test -e "$DATA_DIR/cheershare.db"
  signal_group "$DEV" INT
  check "it ends" ends_with 0
  check "that Redis lives on" alive "$REDIS_GROUP"
  stop "$REDIS_GROUP" TERM 5
}

test_what_can_go_wrong() {
  local all
  fresh
  printf 'api: exec sleep 300\nworker: echo farewell; exit 3\n' >"$SCRATCH/Procfile"
  PROCFILE=$SCRATCH/Procfile begin
  check "a process that ends by itself ends all" ends_with 1
  check "its name and exit code are said" said "worker ended by itself with exit code 3"
  check "its last words are shown under its name" grep -qE '^worker +\| farewell$' "$OUT"

  printf 'api: sleep 300 & echo two sleep; sleep 301\n' >"$SCRATCH/Procfile"
  PROCFILE=$SCRATCH/Procfile begin
  check "it starts what PROCFILE names" within 120 said "two sleep"
  all=$(descendants "$DEV")
  signal_group "$DEV" INT
  check "Ctrl-C before it is ready ends it, exit code 130" ends_with 130
  # shellcheck disable=SC2086 # one argument a process
  check "children of its processes are gone too" all_gone $all

  PORT=70000 begin
  check "a port that is none is refused" ends_with 1
  check "by name" said 'PORT is "70000"'
}

test_settings() {
  local folder=$SCRATCH/settings
  mkdir "$folder"
  printf '%s\n' '# PORT=1' 'export PORT = "4100" # the port' "HOST='::1'" 'REDIS_URL=redis://h:1/0 # ours' 'EMPTY=' \
    >"$folder/.env"
  # shellcheck source=/dev/null
  . bin/lib/settings.sh
  in_folder() { (cd "$folder" && unset PORT HOST REDIS_URL && [ "$(setting "$1" default)" = "$2" ]); }
  check ".env: quotes, spaces and comments" in_folder PORT 4100
  check ".env: single quotes" in_folder HOST ::1
  check ".env: no quotes" in_folder REDIS_URL redis://h:1/0
  check ".env: an empty value is none" in_folder EMPTY default
  check ".env: what is not there" in_folder DATABASE default
}

trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
begin_processes
fresh
test_a_whole_run
test_a_killed_run
test_own_redis_and_database
test_what_can_go_wrong
test_settings
say "$PASSED passed, $FAILED failed"
[ "$FAILED" -eq 0 ]
