# Property-based testing of the running service against its own document, by schemathesis.

# Fewer requests than this are too few to say anything.
LEAST_REQUESTS=2000
# A commit is not to fail for what another one brought: everybody begins with the same requests.
SEED=241412235

# fuzz_api FOLDER: signed in is a number that no generated request is about, because wrong OTPs would keep it out.
# API_FUZZ_SEED=<number> makes other requests; the same number makes the same ones.
fuzz_api() {
  local seed=${API_FUZZ_SEED:-$SEED} requests
  python_environment fuzz tests/fuzz/requirements.txt
  start_service "$1/service"
  say "   API_FUZZ_SEED=$seed"
  run_schemathesis "$1" strangers "$seed" || return
  SIGN_IN_NUMBER=$TEST_NUMBER SIGN_IN_CODE=$TEST_CODE run_schemathesis "$1" signed-in "$seed" || return
  fuzz_admin_api "$1" "$seed" || return
  requests=$(($(<"$1/strangers") + $(<"$1/signed-in")))
  say "   $requests requests, $(<"$1/signed-in") of them signed in"
  [ "$requests" -ge "$LEAST_REQUESTS" ] || fail "These are too few: at least $LEAST_REQUESTS."
}

# fuzz_admin_api FOLDER SEED: with an owner's key, which no generated request removes.
fuzz_admin_api() {
  local added
  added=$(in_folder "$1/service" env -i "PATH=$PATH" "DATA_DIR=$1/service/data" "$PWD/target/debug/api" \
    admin-key add --name fuzz --role owner --json) || return
  ADMIN_KEY=$(sed -nE 's/.*"key": "(csa_[a-z2-7]+)".*/\1/p' <<<"$added")
  ADMIN_KEY_ID=$(sed -nE 's/.*"id": ([0-9]+).*/\1/p' <<<"$added")
  export ADMIN_KEY ADMIN_KEY_ID
  DOCUMENT=admin FUZZED_URL=http://$(admin_address "$1/service/api.log") run_schemathesis "$1" admin "$2" || return
  unset ADMIN_KEY ADMIN_KEY_ID
  say "   $(<"$1/admin") requests to the admin API"
}

# run_schemathesis FOLDER NAME SEED: leaves the number of requests in FOLDER/NAME.
run_schemathesis() {
  local document=${DOCUMENT:-openapi} url=${FUZZED_URL:-$SERVICE_URL}
  say "   $2"
  # Its hooks are found from the folder that it runs in; what it remembers of earlier runs must not change this one.
  COUNT_FILE=$1/$2 HYPOTHESIS_STORAGE_DIRECTORY=$1/hypothesis PYTHONDONTWRITEBYTECODE=1 \
    run in_folder tests/fuzz "$PYTHON_ENVIRONMENT/bin/st" --config-file schemathesis.toml run "$PWD/openapi/$document.json" \
    --url "$url" --seed "$3" --workers 1 --max-examples 120 --no-color
}
