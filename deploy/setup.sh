#!/usr/bin/env bash
# Installs what Carehub needs on a bare Debian 12. Safe to run twice: what is there is left alone.
#   deploy/setup.sh          to build and run
#   deploy/setup.sh --test   and to test: clang tools 19, peers for the tests, coverage
set -euo pipefail

build_packages=(
  ca-certificates g++ cmake ninja-build ccache pkg-config git tzdata
  librocksdb-dev libzmq3-dev cppzmq-dev libflatbuffers-dev flatbuffers-compiler flatbuffers-compiler-dev
  libspdlog-dev libfmt-dev catch2 libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev
  libexpected-dev libtomlplusplus-dev libcli11-dev libcsv-dev libsodium-dev libssl-dev libzstd-dev
  libhowardhinnant-date-dev python3
)
test_packages=(
  clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev
  gcovr python3-hl7 python3-zmq python3-flatbuffers curl strace procps
)

packages=("${build_packages[@]}")
if [[ "${1:-}" == "--test" ]]; then packages+=("${test_packages[@]}"); fi

missing=()
for package in "${packages[@]}"; do
  if [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)" != installed ]]; then
    missing+=("$package")
  fi
done
if ((${#missing[@]} == 0)); then
  echo "setup: all ${#packages[@]} packages are installed"
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "setup: these packages are missing: ${missing[*]}" >&2
    echo "setup: run deploy/setup.sh as root, or install sudo" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "setup: installing ${#missing[@]} packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
echo "setup: done"
