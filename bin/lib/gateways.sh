# The recipes of docs/gateways.md on the real programs. Nothing of them starts with the system.

# Debian's packages, each with a program of it. apache2-bin has no service.
GATEWAY_PACKAGES=(nginx:nginx caddy:caddy haproxy:haproxy apache2-bin:apache2 lua-socket:)

bring_gateways() {
  local package program missing=''
  for package in "${GATEWAY_PACKAGES[@]}"; do
    has_gateway "${package%%:*}" "${package#*:}" || missing+=" ${package%%:*}"
  done
  [ -z "$missing" ] && return
  say "   no$missing"
  # shellcheck disable=SC2086 # several packages
  install_package "apt-get:${missing# }" ||
    cannot_install "What stands in front of apps ($missing )" "Install it. The recipes are held by Debian's packages."
  # They would start at the next boot.
  for program in nginx caddy haproxy; do
    [[ $missing != *" $program"* ]] || as_root update-rc.d "$program" disable >>"$INSTALL_LOG" 2>&1 || true
  done
}

# has_gateway PACKAGE PROGRAM
has_gateway() {
  if [ -n "$2" ]; then PATH=$PATH:/usr/sbin command -v "$2" >/dev/null; else dpkg -s "$1" >/dev/null 2>&1; fi
}

test_gateway_recipes() {
  python_environment gateways tests/gateways/requirements.txt
  local wheels=$PYTHON_ENVIRONMENT packages=$PWD/target/npm/browser
  node_packages tests/browser "$packages"
  PROGRAMS=$PWD/target/debug TRAEFIK=$wheels/bin/traefik ENVOY=$(echo "$wheels"/lib/*/site-packages/envoy/_bin/envoy) \
    CHROMIUM=$(find_chromium) NPM_FOLDER=$packages run node --test --test-reporter=spec tests/gateways/*.test.mjs
}
