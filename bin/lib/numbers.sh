# The reading of phone numbers beside that of Google's library, by its Python port.

compare_numbers() {
  python_environment numbers tests/numbers/requirements.txt
  PYTHONDONTWRITEBYTECODE=1 run "$PYTHON_ENVIRONMENT/bin/python" tests/numbers/compare.py \
    target/debug/examples/read_numbers target/numbers.txt
}
