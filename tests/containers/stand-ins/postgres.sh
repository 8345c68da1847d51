#!/bin/sh
# What the image `postgres` does at its start: a cluster and a database for POSTGRES_USER where there is none.
set -eu
export PGHOST=/tmp
sockets='-c unix_socket_directories=/tmp'
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s' "$POSTGRES_PASSWORD" >/tmp/password
  initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
  echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
  pg_ctl --wait --options="$sockets -c listen_addresses=''" start
  PGPASSWORD=$POSTGRES_PASSWORD createdb --username="$POSTGRES_USER" "$POSTGRES_USER"
  pg_ctl --wait stop
  rm /tmp/password
fi
# shellcheck disable=SC2086 # two words
exec postgres $sockets -c listen_addresses='*'
