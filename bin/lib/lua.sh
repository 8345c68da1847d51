# luacheck, for the scripts of Redis: .luacheckrc says how.

bring_luacheck() {
  command -v luacheck >/dev/null && return
  say "   no luacheck"
  install_package apt-get:lua-check dnf:luacheck apk:luacheck pacman:luacheck brew:luacheck ||
    cannot_install luacheck "Install it (Debian: lua-check)."
}
