# The service for tests in other languages: API and worker on a private Redis and SQLite, all limits off.

# Numbers that sign in without an SMS, with their OTP: one for whoever comes, one for tests that sign in often.
OPEN_NUMBER=+919876543210 TEST_NUMBER=+919876543219
TEST_CODE=471147

# A registered client that may ask about tokens, with the SHA-256 of its secret.
CLIENT_ID=tests CLIENT_SECRET=a-secret-of-the-tests
CLIENT_SECRET_HASH=sha256:eab69819ef1c1cd52f14e04168d8698e8c1bc3aa8f3824ef05398c1c9512646f

# start_service FOLDER: starts it; everything it writes is there. Sets SERVICE_URL, and WORKER_LOG, where the SMS are.
start_service() {
  local programs=$PWD/target/debug program settings
  mkdir -p "$1"
  start_redis "$1/redis"
  printf '[{"id":"%s","name":"Tests","secret_hashes":["%s"],"introspect":true,"phone_number":true}]' \
    "$CLIENT_ID" "$CLIENT_SECRET_HASH" >"$1/clients.json"
  settings=("CLIENTS_FILE=$1/clients.json" "REDIS_URL=redis://127.0.0.1:$REDIS_PORT" "DATA_DIR=$1/data" HOST=127.0.0.1 PORT=0 METRICS_ADDR=off ADMIN_ADDR=127.0.0.1:0
    LOG_FORMAT=json "TEST_NUMBERS=$OPEN_NUMBER=$TEST_CODE@2099-12-31,$TEST_NUMBER=$TEST_CODE@2099-12-31")
  for program in $(limit_settings); do settings+=("$program=0"); done
  for program in api worker; do
    # Neither the environment nor an .env of whoever runs this counts.
    start in_folder "$1" env -i "PATH=$PATH" "${settings[@]}" "$programs/$program" >"$1/$program.log" 2>&1
    await_event "$1/$program.log" "$STARTED" "$(start_event "$program")"
  done
  # shellcheck disable=SC2034 # the tests are told both
  SERVICE_URL=http://$(listening_address "$1/api.log") WORKER_LOG=$1/worker.log
}

# limit_settings: prints the names of all limits on sends, guesses and sessions.
limit_settings() { sed -nE 's/^#((SENDS?_|WRONG_GUESSES_|SESSIONS_PER_)[A-Z_]+)=.*/\1/p' .env.example; }

in_folder() {
  cd "$1" || return
  shift
  "$@"
}

start_event() { if [ "$1" = api ]; then say listening; else say worker_started; fi; }

# await_event LOG GROUP EVENT: waits at most 60 seconds until the program says it.
await_event() {
  local tries
  for ((tries = 0; tries < 600; tries++)); do
    ! grep -q "\"event\":\"$3\"" "$1" || return 0
    alive "$2" || break
    sleep 0.1
  done
  fail "The service did not start. The end of $1:" "$(tail -n 5 "$1")"
}

admin_address() { sed -nE 's/.*"event":"admin_listening","address":"([^"]+)".*/\1/p' "$1"; }

listening_address() { sed -nE 's/.*"event":"listening","address":"([^"]+)".*/\1/p' "$1"; }
