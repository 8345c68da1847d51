# Chromium, for tests.

# find_chromium: prints the path of a browser.
find_chromium() {
  command -v chromium || command -v chromium-browser || command -v google-chrome ||
    first_program '/Applications/Chromium.app/Contents/MacOS/Chromium' \
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'
}

bring_chromium() {
  find_chromium >/dev/null && return
  say "   no Chromium"
  install_package apt-get:chromium apt-get:chromium-browser dnf:chromium apk:chromium pacman:chromium brew:chromium ||
    cannot_install Chromium "Install it (Debian, Fedora: chromium), or Google Chrome."
}
