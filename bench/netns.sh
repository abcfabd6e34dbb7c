#!/bin/sh
# Trains with two ranks on hosts of their own: network namespaces joined by a line with a delay and a rate. Then the same on
# one rank; fails where the losses differ.
#
#   bench/netns.sh [MICROS] [GB/S] [OPTION]...     1000, 0.125; options of wok train, without them --preset nano --steps 20
#
# Linux, as root, with iproute2. Where the kernel cannot slow a line down (netem), Wok does it itself.
micros=${1:-1000}
rate=${2:-0.125}
[ $# -lt 2 ] && shift $# || shift 2
[ $# -gt 0 ] || set -- --preset nano --steps 20
root=$(dirname "$(readlink -f "$0")")/..
cd "$root" || exit 1
work=target/netns
./wok --version >/dev/null || exit 1
rm -rf "$work" && mkdir -p "$work" || exit 1

clean() {
  [ -z "$follower" ] || kill "$follower" 2>/dev/null
  ip netns del wok-a 2>/dev/null
  ip netns del wok-b 2>/dev/null
}
trap clean EXIT
trap 'exit 130' INT TERM

ip netns add wok-a && ip netns add wok-b &&
  ip link add wok-a0 netns wok-a type veth peer name wok-b0 netns wok-b || {
  echo "netns: no network namespaces could be made; run it as root, with iproute2 installed." >&2
  exit 2
}
line() {
  ip -n "$1" addr add "$2/24" dev "$1"0 && ip -n "$1" link set lo up && ip -n "$1" link set "$1"0 up || exit 2
  ip netns exec "$1" tc qdisc add dev "$1"0 root netem delay "${micros}us" rate "$bits"kbit limit 100000 2>/dev/null
}
bits=$(awk "BEGIN { printf \"%d\", $rate * 8e6 }")
slowed=0
line wok-a 10.77.0.1 || slowed=1
line wok-b 10.77.0.2 || slowed=1
if [ $slowed = 0 ]; then
  echo "a line of $micros us and $rate GB/s, by netem"
else
  echo "a line of $micros us and $rate GB/s, by Wok: the kernel has no netem"
  export WOK_LINK_DELAY="$micros,$rate"
fi

export WOK_SIZE=2 WOK_RENDEZVOUS=10.77.0.1:7070 WOK_TRANSPORT=tcp WOK_SECRET="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
WOK_RANK=1 ip netns exec wok-b ./wok train &
follower=$!
WOK_RANK=0 ip netns exec wok-a ./wok train "$@" --out "$work/two" || exit 1
wait "$follower" || exit 1
follower=
unset WOK_LINK_DELAY WOK_SIZE WOK_RENDEZVOUS WOK_TRANSPORT WOK_SECRET
./wok train "$@" --out "$work/one" || exit 1
losses() {
  sed -n 's/.*"step": *\([0-9]*\).*"loss": *\([-0-9.e]*\).*/\1 \2/p' "$1/metrics.jsonl"
}
losses "$work/one" >"$work/one.txt"
losses "$work/two" >"$work/two.txt"
if [ ! -s "$work/one.txt" ] || ! cmp -s "$work/one.txt" "$work/two.txt"; then
  echo "netns: the losses differ: $work/one.txt, $work/two.txt" >&2
  exit 1
fi
echo "the same losses on two hosts and on one: $(wc -l <"$work/one.txt") steps"
