#!/usr/bin/env bash
# Installs what is missing, builds, starts the hub with the sample county, plays its messages through real sockets and
# prints where each went. Leaves the hub running.
#   deploy/run.sh           start (or find) the hub, play, leave it running
#   deploy/run.sh --once    the same, check that everything arrived, stop the hub
#   deploy/run.sh --stop    stop a hub that an earlier run left
set -euo pipefail
cd "$(dirname "$0")/.."

carehub=build/release/bin/carehub
config=deploy/sample/hub.toml
run=run
mode=${1:-}
step() { printf '\n== %s\n' "$1"; }

running() { [[ -s "$run/$1.pid" ]] && kill -0 "$(<"$run/$1.pid")" 2>/dev/null; }
stop() {
  for name in hub partners; do
    if running "$name"; then
      local pid
      pid=$(<"$run/$name.pid")
      kill "$pid"
      for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
      echo "stopped $name (process $pid)"
    fi
    rm -f "$run/$name.pid"
  done
}

case "$mode" in
  --stop) stop; exit 0 ;;
  "" | --once) ;;
  *) echo "usage: deploy/run.sh [--once | --stop]" >&2; exit 2 ;;
esac

step "Installing what is missing"
deploy/setup.sh
step "Building"
mkdir -p build
cmake --preset release >build/configure.log 2>&1 || { tail -n 30 build/configure.log; exit 1; }
cmake --build --preset release --target carehub

step "Starting the sample county"
mkdir -p "$run" "$run"/northmarch-files/{holm/in,holm/out,priory/out}
token=deploy/sample/council.token
if [[ ! -s "$token" ]]; then
  (umask 077; od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$token")
  echo "made $token, which the council sends with every request"
fi
if running partners; then
  echo "the partners' systems are running already"
else
  nohup python3 deploy/sample/partners.py --port 8091 --into "$run/northmarch-files/received" \
    >"$run/partners.log" 2>&1 </dev/null &
  echo $! >"$run/partners.pid"
fi
if running hub; then
  echo "the hub is running already (process $(<"$run/hub.pid"))"
else
  "$carehub" check "$config"
  nohup "$carehub" run "$config" >"$run/hub.log" 2>&1 </dev/null &
  echo $! >"$run/hub.pid"
  for _ in $(seq 300); do
    grep -q '\bready$' "$run/hub.log" && break
    running hub || { echo "the hub did not start:"; cat "$run/hub.log"; exit 1; }
    sleep 0.1
  done
  grep -q '\bready$' "$run/hub.log" || { echo "the hub was not ready within 30 s; see $run/hub.log"; exit 1; }
  echo "the hub runs (process $(<"$run/hub.pid")), its log is $run/hub.log"
fi

step "Six children's stories, through MLLP, HTTP and a folder"
verdict=0
python3 deploy/sample/play.py --config "$config" --files "$run/northmarch-files" || verdict=$?

if [[ "$mode" == "--once" ]]; then
  step "Stopping"
  stop
  exit "$verdict"
fi
cat <<TEXT

== What to look at next
  $carehub timeline $config --person nhs:9990000018 --role auditor --by "$(id -un)" --reason "first look"
  $carehub status $config
  $carehub try $config --channel fenbrook-adt deploy/sample/messages/...
  $run/northmarch-files/holm/out       what Holm Lane School was told
  $run/northmarch-files/received       what the council and the commissioner were sent
  $carehub --help
  deploy/run.sh --stop                 when you have seen enough
TEXT
exit "$verdict"
