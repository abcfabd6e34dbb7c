#!/bin/sh
# Answers from a mixture of experts that is larger than the memory it may take, and once more without a limit. Fails where
# the limited process ends otherwise than well, or says something else.
#
#   bench/limited.sh [GIB] [PRESET]      6 and v2-lite, as `wok bench make-model` knows it
#
# Limits are control groups: Linux, as root or in a group of one's own.
gib=${1:-6}
preset=${2:-v2-lite}
root=$(dirname "$(readlink -f "$0")")/..
cd "$root" || exit 1
work=target/limited
model=$work/$preset-int4
mkdir -p "$work"
[ -d "$model" ] || ./wok bench make-model --preset "$preset" --out "$model" || exit 1
echo '[[1, 22, 333, 444, 55, 6, 77, 888]]' >"$work/ids.json"

v1=/sys/fs/cgroup/memory$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
v2=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
if [ -f "$v1/memory.limit_in_bytes" ]; then
  group=$v1/wok-limited
  limit=memory.limit_in_bytes
  peak=memory.max_usage_in_bytes
else
  group=$v2/wok-limited
  limit=memory.max
  peak=memory.peak
fi
mkdir -p "$group" && echo $((gib << 30)) >"$group/$limit" || {
  echo "limited: no control group of $gib GiB could be made at $group; run it as root, in a group that may have parts." >&2
  exit 2
}
trap 'rmdir "$group"' EXIT

# What the file system holds of the model would not count against the limit.
for file in "$model"/*.safetensors; do
  dd if="$file" iflag=nocache count=0 2>/dev/null
done
answer() {
  ./wok generate "$model" --ids "$work/ids.json" --max-tokens 48 --temperature 0 --json
}
(sh -c 'echo $PPID' >"$group/cgroup.procs" && answer >"$work/limited.json")
status=$?
echo "at most $(($(cat "$group/$peak") >> 20)) MiB of $((gib << 10)) MiB were taken"
if [ $status != 0 ]; then
  echo "limited: the process ended with $status" >&2
  exit 1
fi
answer >"$work/free.json" || exit 1
said() {
  tr -d ' \n' <"$1" | sed -n 's/.*"ids":\(\[[0-9,]*\]\).*/\1/p'
}
if [ -z "$(said "$work/limited.json")" ] || [ "$(said "$work/limited.json")" != "$(said "$work/free.json")" ]; then
  echo "limited: what was said differs: $work/limited.json, $work/free.json" >&2
  exit 1
fi
echo "the same answer with and without the limit"
