#!/usr/bin/env bash
# Installs what is missing, builds, starts the hub with the sample county, plays its messages through real sockets and
# prints where each went. Leaves the hub running.
#   deploy/run.sh           start (or find) the hub, play, leave it running
#   deploy/run.sh --once    the same with a hub started afresh, check that everything arrived, stop the hub
#   deploy/run.sh --stop    stop a hub that an earlier run left
set -euo pipefail
cd "$(dirname "$0")/.."

carehub=build/release/bin/carehub
config=deploy/sample/hub.toml
run=run
mode=${1:-}
step() { printf '\n== %s\n' "$1"; }

. deploy/processes.sh

case "$mode" in
  --stop) stop hub partners; exit 0 ;;
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
chmod 600 "$token"  # the hub takes none that others may read
if [[ "$mode" == "--once" ]]; then
  stop hub partners  # what is checked is what was built just now
elif running hub && ! of_this_build; then
  echo "the hub that runs is of an earlier build"
  stop hub
fi
if running partners; then
  echo "the partners' systems are running already"
else
  nohup python3 deploy/sample/partners.py --port 8091 --into "$run/northmarch-files/received" \
    >"$run/partners.log" 2>&1 </dev/null &
  echo $! >"$run/partners.pid"
fi
if running hub; then
  echo "the hub is running already (process $(pid_of hub))"
else
  "$carehub" check "$config"
  nohup "$carehub" run "$config" >"$run/hub.log" 2>&1 </dev/null &
  started=$!
  echo "$started" >"$run/hub.pid"
  for _ in $(seq 300); do
    grep -q '\bready$' "$run/hub.log" && break
    kill -0 "$started" 2>/dev/null || { echo "the hub did not start:"; cat "$run/hub.log"; exit 1; }
    sleep 0.1
  done
  grep -q '\bready$' "$run/hub.log" || { echo "the hub was not ready within 30 s; see $run/hub.log"; exit 1; }
  echo "the hub runs (process $(<"$run/hub.pid")), its log is $run/hub.log"
fi

step "Six children's stories, through MLLP, HTTP and a folder"
verdict=0
python3 deploy/sample/play.py --carehub "$carehub" --config "$config" --files "$run/northmarch-files" || verdict=$?

if [[ "$mode" == "--once" ]]; then
  step "Stopping"
  stop hub partners
  exit "$verdict"
fi
cat <<TEXT

== What to look at next
  $carehub timeline $config --person nhs:9990000018 --role auditor --by "$(id -un)" --reason "first look"
  $carehub status $config
  $carehub try $config --channel fenbrook-adt \\
    deploy/sample/messages/1-a-bed-on-willow-ward/01-2026-03-03T1420-fenbrook-adt.hl7
  $run/northmarch-files/holm/out       what Holm Lane School was told
  $run/northmarch-files/received       what the council and the commissioner were sent
  $carehub --help
  deploy/run.sh --stop                 when you have seen enough
TEXT
exit "$verdict"
