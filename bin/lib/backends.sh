# The backends of docs/integration.md, its module for apps and the receiver of docs/events.md, each as it stands there.
# Nothing of Apache starts with the system.

bring_oauth2_module() {
  [ -e /usr/lib/apache2/modules/mod_oauth2.so ] && return
  say "   no mod_oauth2 of Apache"
  install_package "apt-get:apache2-bin libapache2-mod-oauth2" ||
    cannot_install "Apache with mod_oauth2" "Install it (Debian: apache2-bin libapache2-mod-oauth2)."
}

test_page_of_backends() {
  local packages=$PWD/target/npm/backends
  node_packages tests/backends "$packages"
  python_environment backends tests/backends/requirements.txt
  PROGRAMS=$PWD/target/debug NPM_FOLDER=$packages PYTHON=$PYTHON_ENVIRONMENT/bin/python \
    run node --test --test-reporter=spec tests/backends/*.test.mjs
}
