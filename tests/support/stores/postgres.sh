#!/usr/bin/env bash
# A PostgreSQL server for one test, which may stop it: postgres.sh init FOLDER, then postgres.sh run FOLDER PORT CONNECTIONS.
set -euo pipefail
cd "$(dirname "$0")/../../.."
for library in output packages postgres; do
  # shellcheck source=/dev/null
  . "bin/lib/$library.sh"
done

case $1 in
  init) make_cluster "$2" ;;
  run)
    choose_postgres_user
    run_postgres "$2" "$3" "$4"
    ;;
  *) fail "postgres.sh init|run" ;;
esac
