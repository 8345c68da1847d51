# Node.js and packages from npm, in the ignored target folder.

bring_node() {
  command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null && return
  say "   no Node.js 18 with npm"
  install_package 'apt-get:nodejs npm' 'dnf:nodejs npm' 'apk:nodejs npm' 'pacman:nodejs npm' brew:node ||
    cannot_install "Node.js 18 or later with npm" "Install both (Debian: nodejs npm)."
}

# node_packages SOURCE FOLDER: installs what the lock file in SOURCE says into FOLDER/node_modules, unless it is there.
node_packages() {
  ! cmp -s "$1/package-lock.json" "$2/installed-lock.json" || return 0
  bring_node
  rm -rf "$2"
  mkdir -p "$2"
  cp "$1/package.json" "$1/package-lock.json" "$2"
  note "npm: $1"
  if ! (cd "$2" && npm ci --ignore-scripts --no-audit --no-fund) >>"$INSTALL_LOG" 2>&1; then
    rm -rf "$2"
    fail "The npm packages of $1 could not be installed. Is npm's registry reachable? The end of $INSTALL_LOG:" \
      "$(tail -n 4 "$INSTALL_LOG")"
  fi
  # Last, so that what was interrupted is made anew.
  cp "$1/package-lock.json" "$2/installed-lock.json"
}
