#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test.
#   deploy/test.sh            everything: release tests, then the same under address and undefined-behaviour
#                             sanitizers with line coverage, then server and client under the thread sanitizer
#   deploy/test.sh --quick    release tests only
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

if [[ "${1:-}" != "--quick" ]]; then
  step "building (address and undefined-behaviour sanitizers, coverage)"
  build asan-ubsan
  find build/asan-ubsan -name '*.gcda' -delete
  step "tests (address and undefined-behaviour sanitizers)"
  run asan-ubsan asan-ubsan -j 2 -L 'unit|contract'
  step "line coverage of those tests"
  gcovr --root . --object-directory build/asan-ubsan --gcov-ignore-parse-errors --filter 'broker/' --filter 'adapters/' \
    --print-summary --output "$results/coverage.txt" || echo "coverage could not be read"
  step "building (thread sanitizer)"
  build tsan --target server_test client_test transports_test channel_test
  step "tests (thread sanitizer)"
  run tsan tsan -j 2 -R '^(server|client|transports|channel):'
fi

python3 deploy/count_results.py "$results"/*.xml
exit "$failed"
