#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test.
#   deploy/test.sh                 every test, on the release build
#   deploy/test.sh --coverage      and unit and contract tests again for their line coverage
#   deploy/test.sh --sanitizers    all of that, then under address, undefined-behaviour and thread sanitizers
set -euo pipefail
cd "$(dirname "$0")/.."

results=build/results
step() { printf '\n== %s (%s)\n' "$1" "$(date +%H:%M:%S)"; }
build() {  # build PRESET [--target TARGET...]
  cmake --preset "$1" >"$results/configure-$1.log" 2>&1 || { tail -n 30 "$results/configure-$1.log"; exit 1; }
  cmake --build --preset "$@"
}
failed=0
run() {  # run PRESET NAME CTEST-ARGUMENTS...
  local preset=$1 name=$2
  shift 2
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --output-junit "$PWD/$results/$name.xml" \
    "$@" || failed=1
}

step "installing what is missing"
deploy/setup.sh --test
rm -rf "$results"
mkdir -p "$results"

step "building (release)"
build release
step "tests (release)"
run release release -j 2 -LE end_to_end
run release end-to-end -L end_to_end

if [[ "${1:-}" == "--coverage" || "${1:-}" == "--sanitizers" ]]; then
  step "building (line coverage)"
  build coverage
  find build/coverage -name '*.gcda' -delete
  step "tests (line coverage)"
  run coverage coverage -j 2 -L 'unit|contract'
  gcovr --root . --object-directory build/coverage --gcov-ignore-parse-errors --filter 'broker/' --filter 'adapters/' \
    --print-summary --output "$results/coverage.txt" || echo "coverage could not be read"
fi

if [[ "${1:-}" == "--sanitizers" ]]; then
  step "building and testing (address and undefined-behaviour sanitizers)"
  build asan-ubsan
  run asan-ubsan asan-ubsan -j 2 -L 'unit|contract'
  step "building and testing (thread sanitizer)"
  build tsan --target server_test client_test transports_test channel_test
  run tsan tsan -j 2 -R '^(server|client|transports|channel):'
fi

python3 deploy/count_results.py "$results"/*.xml
exit "$failed"
