# Uploads by the clients that people have, files of gigabytes, and files in S3.

test_file_clients() {
  local packages=$PWD/target/npm/files browser=$PWD/target/npm/browser
  node_packages tests/file_clients "$packages"
  node_packages tests/browser "$browser"
  python_environment files tests/file_clients/requirements.txt
  PROGRAMS=$PWD/target/debug TUS_FOLDER=$packages NPM_FOLDER=$browser CHROMIUM=$(find_chromium) PYTHON=$PYTHON_ENVIRONMENT/bin/python \
    run node --test --test-concurrency=1 --test-reporter=spec tests/file_clients/*.test.mjs
}
