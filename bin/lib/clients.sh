# Clients that are generated from the committed document, type-checked, and used against the running service.

# test_generated_clients FOLDER
test_generated_clients() {
  node_packages tests/clients/typescript target/clients/typescript
  python_environment clients tests/clients/python/requirements.txt
  start_service "$1"
  export SERVICE_URL WORKER_LOG CLIENT_ID CLIENT_SECRET
  run in_folder target/clients/typescript typescript_client "$PWD" || return
  rm -rf target/clients/python
  mkdir -p target/clients/python
  run in_folder target/clients/python python_client "$PWD"
}

# typescript_client PROJECT: in the folder with its packages.
typescript_client() {
  local sources=$1/tests/clients/typescript
  cp "$sources"/{conversation.ts,no-any.mjs,tsconfig.json} .
  rm -rf built
  node_modules/.bin/openapi-typescript "$1/openapi/openapi.json" --output schema.ts --default-non-nullable=false &&
    node no-any.mjs &&
    node_modules/.bin/tsc --project . &&
    node built/conversation.js
}

# python_client PROJECT: in an empty folder.
python_client() {
  local sources=$1/tests/clients/python
  cp "$sources"/{conversation.py,no_any.py,pyproject.toml} .
  "$PYTHON_ENVIRONMENT/bin/openapi-python-client" generate --path "$1/openapi/openapi.json" --meta none \
    --config "$sources/generator.yaml" --output-path cheershare_client --fail-on-warning &&
    "$PYTHON_ENVIRONMENT/bin/python" no_any.py &&
    "$PYTHON_ENVIRONMENT/bin/mypy" --no-error-summary &&
    "$PYTHON_ENVIRONMENT/bin/python" conversation.py
}
