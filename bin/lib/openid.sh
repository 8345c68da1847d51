# Apps that sign users in by OpenID Connect, with the libraries that people have. Nothing of Apache starts with the system.

bring_openidc_module() {
  [ -e /usr/lib/apache2/modules/mod_auth_openidc.so ] && return
  say "   no mod_auth_openidc of Apache"
  install_package "apt-get:apache2-bin libapache2-mod-auth-openidc" ||
    cannot_install "Apache with mod_auth_openidc" "Install it (Debian: apache2-bin libapache2-mod-auth-openidc)."
}

test_openid_clients() {
  local packages=$PWD/target/npm
  node_packages tests/openid_clients "$packages/openid"
  node_packages tests/browser "$packages/browser"
  node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || fail \
    "Next.js and openid-client need Node.js 20.9 or later."
  python_environment openid tests/openid_clients/requirements.txt
  PROGRAMS=$PWD/target/debug PACKAGES=$packages/openid NPM_FOLDER=$packages/browser CHROMIUM=$(find_chromium) \
    PYTHON=$PYTHON_ENVIRONMENT/bin/python run node --test --test-reporter=spec tests/openid_clients/*.test.mjs
}
