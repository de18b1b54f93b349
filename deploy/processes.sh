# What run.sh knows of the processes that an earlier run left: a process id may be somebody else's by now, so each is
# compared with what it should be before it is counted as running, used again, or stopped. Sourced; needs $run and $carehub.

is_ours() {  # is_ours NAME PID: whether the process is this tree's hub, of whichever build, or this tree's partners
  case "$1" in
    hub) local exe; exe=$(readlink "/proc/$2/exe" 2>/dev/null) && [[ "${exe% (deleted)}" == "$(realpath -m "$carehub")" ]] ;;
    partners)
      tr '\0' '\n' 2>/dev/null <"/proc/$2/cmdline" | grep -qx 'deploy/sample/partners.py' &&
        [[ "$(readlink "/proc/$2/cwd" 2>/dev/null)" == "$(pwd -P)" ]] ;;
  esac
}

pid_of() {  # pid_of NAME: prints the process id when it runs
  local pid
  [[ -s "$run/$1.pid" ]] || return 1
  pid=$(<"$run/$1.pid")
  [[ "$pid" =~ ^[1-9][0-9]*$ ]] && is_ours "$1" "$pid" && echo "$pid"
}
running() { pid_of "$1" >/dev/null; }

of_this_build() { [[ "$(readlink "/proc/$(pid_of hub)/exe")" == "$(realpath -m "$carehub")" ]]; }  # else rebuilt since

stop() {  # stop NAME...: ends what runs; fails when one does not end
  local name pid
  for name in "$@"; do
    if pid=$(pid_of "$name"); then
      kill "$pid" 2>/dev/null || true
      for _ in $(seq 600); do running "$name" || break; sleep 0.1; done
      if running "$name"; then
        echo "$name (process $pid) was asked to stop a minute ago and still runs; see $run/$name.log" >&2
        return 1
      fi
      echo "stopped $name (process $pid)"
    fi
    rm -f "$run/$name.pid"
  done
}
