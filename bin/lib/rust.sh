# Cargo, and what it needs to compile and link.

bring_rust() {
  command -v cargo >/dev/null || fail "cargo is missing. Install Rust (https://rustup.rs), then run this again."
  command -v cc >/dev/null && return
  say "   no C compiler"
  install_package 'apt-get:gcc libc6-dev' dnf:gcc 'apk:gcc musl-dev' pacman:gcc ||
    cannot_install "A C compiler (cc)" "Install it (Debian: gcc libc6-dev; Fedora: gcc; macOS: xcode-select --install)."
}

# bring_rust_checks: the formatter and the linter.
bring_rust_checks() {
  local missing=''
  cargo fmt --version >/dev/null 2>&1 || missing="$missing rustfmt"
  cargo clippy --version >/dev/null 2>&1 || missing="$missing clippy"
  [ -n "$missing" ] || return 0
  # shellcheck disable=SC2086 # several components may be missing
  rustup component add $missing ||
    fail "Missing parts of Rust:$missing. Install them (rustup component add$missing), then run this again."
}
