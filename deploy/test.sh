#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test.
#   deploy/test.sh                 every test, on the release build
#   deploy/test.sh --sanitizers    and unit and contract tests again under the address, undefined-behaviour and thread
#                                  sanitizers, with their line coverage; and the fuzz targets
set -euo pipefail
cd "$(dirname "$0")/.."

sanitizers=0
for option in "$@"; do
  case "$option" in
    --sanitizers) sanitizers=1 ;;
    *) echo "usage: deploy/test.sh [--sanitizers]" >&2; exit 2 ;;
  esac
done

results=build/results
threaded=(server client transports channel console)  # the rooms that start threads
failed=0
step() { printf '\n== %s (%s, after %d min %d s)\n' "$1" "$(date +%H:%M:%S)" $((SECONDS / 60)) $((SECONDS % 60)); }
build() {  # build PRESET [--target TARGET...]
  cmake --preset "$1" >"$results/configure-$1.log" 2>&1 || { tail -n 30 "$results/configure-$1.log"; exit 1; }
  cmake --build --preset "$@"
}
run() {  # run PRESET NAME CTEST-ARGUMENTS...
  local preset=$1 name=$2
  shift 2
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --output-junit "$PWD/$results/$name.xml" \
    "$@" || failed=1
}

rm -rf "$results"
mkdir -p "$results"
step "installing what is missing"
deploy/setup.sh --test

step "building (release)"
build release
step "tests (release)"
run release release -j 2 -LE end_to_end
step "end-to-end tests (release)"
run release end-to-end -L end_to_end

if ((sanitizers)); then
  step "building (address and undefined-behaviour sanitizers)"
  build asan-ubsan
  find build/asan-ubsan -name '*.gcda' -delete
  step "tests (address and undefined-behaviour sanitizers)"
  run asan-ubsan asan-ubsan -j 2 -L 'unit|contract'
  step "line coverage of unit and contract tests"
  # Counts that two threads raised at once may be wrong, even below zero, which gcovr would stop at.
  timeout 900 gcovr --gcov-executable "llvm-cov-19 gcov" --gcov-ignore-parse-errors -j 2 --root . \
    --object-directory build/asan-ubsan --filter 'broker/' --filter 'adapters/' --exclude 'tests/' \
    --json-summary "$results/coverage.json" build/asan-ubsan >"$results/gcovr.log" 2>&1 ||
    { tail -n 20 "$results/gcovr.log"; failed=1; }
  python3 deploy/print_coverage.py "$results/coverage.json" || failed=1
  step "building (fuzz targets)"
  build fuzz --target fuzz_{proofs,frames,hl7v2,mllp,csv,json,http,secrets,configuration,channels,policy,messages,id_token}
  step "fuzz targets, a fixed number of runs each"
  run fuzz fuzz -j 2 -L fuzz
  step "building (thread sanitizer)"
  build tsan --target "${threaded[@]/%/_test}"
  step "tests (thread sanitizer)"
  # What is measured there is memory, and ThreadSanitizer keeps its own.
  run tsan tsan -j 2 -R "^($(IFS='|'; echo "${threaded[*]}")):" -E "cannot grow the hub's memory"
fi

step "results"
((sanitizers)) || echo "under sanitizers, with line coverage: deploy/test.sh --sanitizers"
python3 deploy/count_results.py "$results"/*.xml || failed=1
exit "$failed"
