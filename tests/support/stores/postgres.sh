#!/usr/bin/env bash
# A PostgreSQL server for one test, which may stop it: postgres.sh init FOLDER, then postgres.sh run FOLDER PORT CONNECTIONS.
# postgres.sh copy FOLDER STANDBY PORT makes a standby of one that is stopped and will listen there again.
# postgres.sh pgbouncer FOLDER runs PgBouncer by FOLDER/pgbouncer.ini; pgbouncer-version says which one that is.
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
  copy)
    choose_postgres_user
    [ "$(id -u)" -ne 0 ] || chown "$POSTGRES_USER" "$3"
    as_postgres_user cp -R "$2/data" "$3/data"
    as_postgres_user touch "$3/data/standby.signal"
    as_postgres_user tee -a "$3/data/postgresql.auto.conf" >/dev/null <<<"primary_conninfo = 'host=127.0.0.1 port=$4 user=postgres'"
    as_postgres_user chmod 700 "$3/data"
    ;;
  pgbouncer)
    choose_postgres_user
    [ "$(id -u)" -ne 0 ] || chown -R "$POSTGRES_USER" "$2"
    as_postgres_user "$(find_pgbouncer)" "$2/pgbouncer.ini"
    ;;
  pgbouncer-version) "$(find_pgbouncer)" --version ;;
  *) fail "postgres.sh init|run|copy|pgbouncer" ;;
esac
